//! A workspace from its making to its end.

use std::fs;

use super::{
    super::prepare::Step,
    super::{Prepare, Workspace, WorkspaceError, checkpoint, publish, recover, remove, text},
    fixture::{User, agent, agent_commits, collected, git, write},
};

#[test]
fn an_agent_finds_the_base_on_its_branch_with_a_name_to_commit_under() {
    let user = User::new();
    user.git(["tag", "v1"]);
    let mut steps = Vec::new();
    let workspace = Workspace::prepare(&user.source(), user.wanted(1), &mut |step| steps.push(step)).unwrap();
    assert_eq!(steps, [Step::Clone, Step::Checkout]);
    assert_eq!(agent(&workspace, ["status", "--porcelain", "--branch"]), format!("## {}", workspace.branch()));
    assert_eq!(agent(&workspace, ["log", "--format=%s"]), "second\nfirst");
    assert_eq!(agent(&workspace, ["diff", "main...HEAD"]), "");
    assert_eq!(agent(&workspace, ["describe", "--tags"]), "v1");
    assert_eq!(agent(&workspace, ["config", "user.email"]), "ann@example.org");
    assert_eq!(agent(&workspace, ["remote"]), "");
    let hooks = fs::read_dir(workspace.tree().join(".git/hooks")).unwrap();
    let hooks: Vec<_> = hooks.map(|hook| hook.unwrap().file_name()).collect();
    assert_eq!(hooks, ["prepare-commit-msg"], "none of the user's");
    agent(&workspace, ["fsck", "--strict"]);
}

#[test]
fn nothing_of_the_users_checkout_changes_in_a_whole_life() {
    let user = User::new();
    write(&user.repo, &[("README.md", "dirty\n"), ("untracked", "x\n")]);
    let before = user.snapshot();
    for nth in 0..5 {
        let workspace = user.try_prepare(user.wanted(nth)).unwrap();
        assert_eq!(user.snapshot(), before);
        agent_commits(&workspace, &[("work.txt", &format!("{nth}\n"))], "work");
        write(&workspace.tree(), &[("left.txt", "left\n")]);
        checkpoint(&workspace, "periodic").unwrap().unwrap();
        assert_eq!(user.snapshot(), before);
        let work = collected(&workspace);
        publish(&workspace, &work).unwrap();
        recover(&user.git_dir(), workspace.job(), None).unwrap();
        remove(workspace).unwrap().delete().unwrap();
        assert_eq!(user.snapshot(), before);
    }
    user.git(["fsck", "--strict"]);
}

#[test]
fn leftovers_become_one_commit_that_names_the_job() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("README.md", "more\n"), ("new/file.txt", "n\n"), ("debug.log", "ignored\n")]);
    fs::remove_file(workspace.tree().join("src/lib.rs")).unwrap();
    checkpoint(&workspace, "periodic").unwrap();
    let work = collected(&workspace);
    let head = work.head.to_string();
    assert_eq!(work.leftovers, Some(work.head));
    assert_eq!(work.commits, [work.head]);
    assert_eq!(work.paths, ["README.md", "new/file.txt", "src/lib.rs"]);
    assert_eq!((work.diff.files, work.diff.added, work.diff.deleted), (3, 2, 4));
    assert!(work.clean && work.changed && work.differs_from_base);
    let message = user.git(["log", "-1", "--format=%B", &head]);
    assert_eq!(message, format!("Leftovers of job {0}\n\nFleet-Job: {0}", workspace.job()));
    assert_eq!(user.git(["log", "-1", "--format=%an <%ae>", &head]), "Ann <ann@example.org>");
    assert_eq!(agent(&workspace, ["status", "--porcelain"]), "");
}

#[test]
fn a_run_that_did_nothing_made_nothing() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("target/out", "ignored\n")]);
    assert_eq!(checkpoint(&workspace, "periodic").unwrap(), None);
    let work = collected(&workspace);
    assert!(work.commits.is_empty() && work.leftovers.is_none() && work.clean, "{work:?}");
    assert!(!work.changed && !work.differs_from_base);
    assert_eq!(work.head, workspace.base_commit());
}

#[test]
fn collecting_twice_says_the_same() {
    let user = User::new();
    let workspace = user.prepare();
    agent_commits(&workspace, &[("a", "1\n")], "work");
    write(&workspace.tree(), &[("b", "2\n")]);
    let first = collected(&workspace);
    write(&workspace.tree(), &[("made-by-verify", "x\n")]);
    let reopened = Workspace::open(workspace.dir()).unwrap();
    assert_eq!(collected(&reopened), first);
    let saved = checkpoint(&reopened, "cleanup").unwrap().unwrap();
    assert_eq!(saved.commit, first.head.to_string(), "what verify leaves is no work");
}

#[test]
fn a_next_run_goes_on_from_the_checkpoint() {
    let user = User::new();
    let first = user.prepare();
    agent_commits(&first, &[("a", "1\n")], "work");
    write(&first.tree(), &[("half-done", "2\n")]);
    let saved = checkpoint(&first, "lease lost").unwrap().unwrap();
    assert_eq!(saved.branch, format!("refs/fleet/wip/{}", first.job()));
    assert_eq!(agent(&first, ["status", "--porcelain"]), "?? half-done", "the agent's view is not disturbed");
    let next = user.resume(&saved.commit);
    assert_eq!(fs::read_to_string(next.tree().join("half-done")).unwrap(), "2\n");
    let more = agent_commits(&next, &[("b", "3\n")], "more");
    assert_eq!(agent(&next, ["merge-base", "HEAD", &saved.commit]), saved.commit);
    let work = collected(&next);
    assert_eq!(work.commits.iter().map(ToString::to_string).collect::<Vec<_>>(), [more], "only this run's");
    assert_eq!(work.paths, ["a", "b", "half-done"], "but all of the branch");
}

#[test]
fn a_checkpoint_of_an_unchanged_workspace_is_the_same_commit() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("a", "1\n")]);
    let first = checkpoint(&workspace, "periodic").unwrap();
    assert_eq!(checkpoint(&workspace, "periodic").unwrap(), first);
    assert_eq!(checkpoint(&workspace, "after its runner died").unwrap(), first, "for another reason, the same work");
    write(&workspace.tree(), &[("a", "2\n")]);
    assert_ne!(checkpoint(&workspace, "periodic").unwrap(), first);
}

#[test]
fn what_a_run_starts_from_stays_under_a_ref_whatever_was_saved_after_it() {
    let user = User::new();
    let first = user.prepare();
    write(&first.tree(), &[("a", "1\n")]);
    let recorded = checkpoint(&first, "periodic").unwrap().unwrap().commit;
    write(&first.tree(), &[("a", "2\n")]);
    // Saved, and the runner was killed before it could report it.
    let unreported = checkpoint(&first, "periodic").unwrap().unwrap().commit;
    let next = user.resume(&recorded);
    for commit in [&recorded, &unreported] {
        assert_ne!(user.git(["for-each-ref", "--contains", commit, "refs/fleet"]), "", "{commit} is kept");
    }
    // A run that ends before its agent did anything has nothing else to save.
    let saved = checkpoint(&next, "cleanup").unwrap().unwrap();
    assert_eq!(saved.commit, recorded);
    remove(next).unwrap().delete().unwrap();
}

#[test]
fn a_checkpoint_that_is_gone_is_told_from_other_trouble() {
    let user = User::new();
    for start in ["0123456789012345678901234567890123456789", "no commit"] {
        let error = user.try_prepare(Prepare { start: Some(start.to_owned()), ..user.wanted(1) }).unwrap_err();
        assert!(matches!(error, WorkspaceError::UnusableCheckpoint { .. }), "{error}");
    }
    let saved = user.commit(&[("a", "only here\n")], "to be broken");
    let blob = user.git(["rev-parse", "HEAD:a"]);
    user.git(["reset", "-q", "--hard", "HEAD^"]);
    fs::remove_file(user.git_dir().join("objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let wanted = Prepare { start: Some(saved), ..user.wanted(1) };
    let dir = wanted.dir.clone();
    let error = user.try_prepare(wanted).unwrap_err();
    assert!(matches!(error, WorkspaceError::UnusableCheckpoint { .. }), "{error}");
    assert!(!dir.exists(), "nothing half-made stays");
}

#[test]
fn work_that_a_fresh_start_leaves_behind_is_kept() {
    let user = User::new();
    let first = user.prepare();
    write(&first.tree(), &[("a", "1\n")]);
    let saved = checkpoint(&first, "crash").unwrap().unwrap();
    let second = user.try_prepare(user.wanted(1)).unwrap();
    write(&second.tree(), &[("b", "2\n")]);
    collected(&second);
    let refs = user.git(["for-each-ref", "--contains", &saved.commit, "--format=%(refname)"]);
    assert_eq!(refs, format!("refs/fleet/side/{}/{}", first.job(), &saved.commit[..12]));
}

#[test]
fn a_runner_that_comes_back_from_the_dead_overwrites_nothing() {
    let user = User::new();
    let zombie = user.prepare();
    write(&zombie.tree(), &[("a", "zombie\n")]);
    let saved = checkpoint(&zombie, "periodic").unwrap().unwrap();
    let holder = user.resume(&saved.commit);
    write(&holder.tree(), &[("a", "holder\n")]);
    let held = checkpoint(&holder, "periodic").unwrap().unwrap();
    write(&zombie.tree(), &[("a", "zombie again\n")]);
    let late = checkpoint(&zombie, "periodic").unwrap().unwrap();
    assert_eq!(user.git(["rev-parse", &held.branch]), held.commit);
    assert_ne!(late.branch, held.branch);
    assert_eq!(user.git(["rev-parse", &late.branch]), late.commit);
}

#[test]
fn a_workspace_folder_in_use_is_refused_and_left_alone() {
    let user = User::new();
    let wanted = user.wanted(1);
    write(&wanted.dir, &[("precious", "x")]);
    let error = user.try_prepare(wanted.clone()).unwrap_err();
    assert!(matches!(error, WorkspaceError::DirtyWorkspace { .. }), "{error}");
    assert!(wanted.dir.join("precious").exists());
    let workspace = user.try_prepare(user.wanted(2)).unwrap();
    let again = Prepare { dir: workspace.dir().to_owned(), ..user.wanted(2) };
    let error = user.try_prepare(again).unwrap_err().to_string();
    assert!(error.contains("earlier run"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_nothing_stays() {
    let user = User::new();
    let before = user.snapshot();
    let file = user.root.path().join("a file");
    fs::write(&file, "").unwrap();
    let error = user.try_prepare(Prepare { dir: file.join("run"), ..user.wanted(1) }).unwrap_err();
    assert!(error.to_string().starts_with("cannot create `"), "{error}");
    assert_eq!(user.git(["for-each-ref", "refs/fleet"]), "");
    assert_eq!(user.snapshot(), before);
}

#[test]
fn a_branch_somebody_else_moved_or_checked_out_is_left_alone() {
    let user = User::new();
    let workspace = user.prepare();
    agent_commits(&workspace, &[("a", "1\n")], "work");
    let first = publish(&workspace, &collected(&workspace)).unwrap();
    assert_eq!((first.branch.as_str(), first.note), (workspace.branch(), None));
    let linked = user.root.path().join("look");
    user.git(["worktree", "add", "-q", linked.to_str().unwrap(), &first.branch]);
    let next = user.resume(&first.commit.to_string());
    agent_commits(&next, &[("b", "2\n")], "more");
    let second = publish(&next, &collected(&next)).unwrap();
    assert_eq!(second.branch, format!("{}-2", first.branch));
    assert!(second.note.unwrap().contains("checked out"));
    user.git(["worktree", "remove", linked.to_str().unwrap()]);
    user.git(["update-ref", &format!("refs/heads/{}", first.branch), "main"]);
    user.git(["update-ref", &format!("refs/heads/{}", second.branch), &second.commit.to_string()]);
    let theirs = user.commit(&[("c", "theirs\n")], "theirs");
    user.git(["update-ref", &format!("refs/heads/{}", first.branch), &theirs]);
    let third = publish(&next, &collected(&next)).unwrap();
    assert_eq!(third.branch, second.branch);
    assert_eq!(user.git(["rev-parse", &first.branch]), theirs);
}

#[test]
fn a_rewritten_branch_is_forced_only_from_the_recorded_commit() {
    let user = User::new();
    let workspace = user.prepare();
    agent_commits(&workspace, &[("a", "1\n")], "work");
    let first = publish(&workspace, &collected(&workspace)).unwrap();
    for (recorded, branch) in [(None, format!("{}-2", first.branch)), (Some(first.commit), first.branch)] {
        let recorded = recorded.map(|commit| commit.to_string());
        let next = user.try_prepare(Prepare { recorded, ..user.wanted(1) }).unwrap();
        agent_commits(&next, &[("a", "instead\n")], "instead");
        assert_eq!(publish(&next, &collected(&next)).unwrap().branch, branch);
    }
}

#[test]
fn removing_saves_first_and_deletes_later() {
    let user = User::new();
    let workspace = user.prepare();
    let (dir, job) = (workspace.dir().to_owned(), workspace.job().clone());
    write(&workspace.tree(), &[("unsaved", "1\n")]);
    let trash = remove(workspace).unwrap();
    assert!(!dir.exists());
    assert_eq!(user.show(&format!("refs/fleet/wip/{job}"), "unsaved"), "1");
    assert_eq!(user.git(["for-each-ref", "refs/fleet/base"]), "");
    trash.delete().unwrap();
    let left: Vec<_> = fs::read_dir(user.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["repo"]);
}

#[test]
fn locks_that_a_killed_process_left_do_not_last() {
    let user = User::new();
    let workspace = user.prepare();
    let lock = user.git_dir().join(format!("refs/fleet/wip/{}.lock", workspace.job()));
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    fs::write(workspace.dir().join("view/index.lock"), "").unwrap();
    write(&workspace.tree(), &[("a", "1\n")]);
    let saved = checkpoint(&workspace, "periodic").unwrap().unwrap();
    assert_eq!(user.git(["rev-parse", &saved.branch]), saved.commit);
}

#[test]
fn what_cannot_be_saved_is_not_removed() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("unsaved", "1\n")]);
    let dir = workspace.dir().to_owned();
    fs::rename(user.git_dir(), user.repo.join("moved")).unwrap();
    remove(workspace).unwrap_err();
    assert!(dir.join("tree/unsaved").exists());
}

#[test]
fn the_base_stays_while_a_clone_borrows_from_it() {
    let user = User::new();
    let workspace = user.prepare();
    let (base, job) = (workspace.base_commit().to_string(), workspace.job().clone());
    user.git(["checkout", "-q", "--orphan", "other"]);
    user.git(["commit", "-qm", "other"]);
    user.git(["branch", "-D", "main"]);
    user.git(["reflog", "expire", "--expire=now", "--all"]);
    user.git(["gc", "-q", "--prune=now"]);
    assert_eq!(user.git(["rev-parse", &format!("refs/fleet/base/{job}")]), base);
    agent(&workspace, ["fsck"]);
    agent_commits(&workspace, &[("a", "1\n")], "work");
    assert!(collected(&workspace).changed);
}

#[test]
fn recovery_makes_a_new_branch_each_time_and_a_checkout_on_request() {
    let user = User::new();
    let workspace = user.prepare();
    let job = workspace.job().clone();
    let error = recover(&user.git_dir(), &job, None).unwrap_err();
    assert!(matches!(error, WorkspaceError::NothingSaved { .. }), "{error}");
    write(&workspace.tree(), &[("precious", "1\n")]);
    checkpoint(&workspace, "crash").unwrap();
    let to = user.root.path().join("recovered here");
    assert_eq!(recover(&user.git_dir(), &job, None).unwrap(), format!("fleet/recovered/{job}-1"));
    assert_eq!(recover(&user.git_dir(), &job, Some(&to)).unwrap(), format!("fleet/recovered/{job}-2"));
    assert_eq!(fs::read_to_string(to.join("precious")).unwrap(), "1\n");
    assert_eq!(git(&to, ["branch", "--show-current"]), format!("fleet/recovered/{job}-2"));
}

#[test]
fn the_diff_is_that_of_git() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["mv", "src/lib.rs", "src/größe – neu.rs"]);
    agent_commits(&workspace, &[("README.md", "hello\nmore\nno newline"), ("b.bin", "\0\u{1}x")], "work");
    let head = publish(&workspace, &collected(&workspace)).unwrap();
    user.commit(&[("main-moved", "on\n")], "base moves on");
    let expected = user.git(["diff", &format!("main...{}", head.branch)]);
    let got = text(&user.git_dir(), "main", &format!("refs/heads/{}", head.branch)).unwrap();
    assert_eq!(String::from_utf8(got).unwrap().trim_end(), expected);
    assert!(expected.contains("rename to"));
}

#[test]
fn reading_runs_nothing_that_an_agent_set_up() {
    let user = User::new();
    let workspace = user.prepare();
    let trap = user.root.path().join("trap");
    let run = format!("touch '{}'", trap.display());
    for key in
        ["core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.external", "diff.x.textconv", "diff.x.command"]
    {
        agent(&workspace, ["config", key, &run]);
    }
    agent(&workspace, ["config", "core.hooksPath", "hooks-of-mine"]);
    agent(&workspace, ["config", "core.worktree", "/"]);
    let hook = format!("#!/bin/sh\n{run}\n");
    let mut files =
        vec![(".gitattributes".to_owned(), "* filter=x diff=x\n".to_owned()), ("a".to_owned(), "1\n".to_owned())];
    for name in
        ["pre-commit", "post-commit", "post-checkout", "post-merge", "reference-transaction", "post-index-change"]
    {
        files.push((format!("hooks-of-mine/{name}"), hook.clone()));
        files.push((format!(".git/hooks/{name}"), hook.clone()));
    }
    let borrowed: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    write(&workspace.tree(), &borrowed);
    for (path, _) in &files {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(workspace.tree().join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    checkpoint(&workspace, "periodic").unwrap();
    let work = collected(&workspace);
    let published = publish(&workspace, &work).unwrap();
    text(&user.git_dir(), "main", &published.branch).unwrap();
    agent(&workspace, ["status"]);
    assert!(!trap.exists());
    assert!(work.paths.contains(&"a".to_owned()) && work.clean, "{work:?}");
}

#[test]
fn a_workspace_can_go_while_an_earlier_one_of_its_job_is_still_being_deleted() {
    let user = User::new();
    let wanted = user.wanted(1);
    let trash: Vec<_> = (0..2).map(|_| remove(user.try_prepare(wanted.clone()).unwrap()).unwrap()).collect();
    trash.into_iter().for_each(|trash| trash.delete().unwrap());
}
