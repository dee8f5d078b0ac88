//! Agents that do not keep to the branch, lie about their work, or leave a mess.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use super::{
    super::checkpoint,
    fixture::{User, agent, agent_commits, collected, git, link, write},
};

#[test]
fn commits_on_another_branch_are_collected() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["switch", "-qc", "mine"]);
    let made = agent_commits(&workspace, &[("a", "1\n")], "work");
    let work = collected(&workspace);
    assert_eq!((work.head.to_string(), work.commits.len(), work.changed), (made, 1, true));
    let branch = agent(&workspace, ["branch", "--show-current"]);
    assert_eq!(branch, workspace.branch(), "whatever follows finds itself on the job's branch");
}

#[test]
fn the_branch_with_most_work_counts_when_head_has_none() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["switch", "-qc", "small"]);
    let small = agent_commits(&workspace, &[("s", "1\n")], "small");
    agent(&workspace, ["switch", "-qc", "large", "main"]);
    agent_commits(&workspace, &[("l", "1\n")], "large 1");
    let large = agent_commits(&workspace, &[("l", "2\n")], "large 2");
    agent(&workspace, ["switch", "-q", workspace.branch()]);
    let work = collected(&workspace);
    assert_eq!(work.head.to_string(), large);
    assert_eq!(work.commits.len(), 3, "of all branches");
    assert_eq!(fs::read_to_string(workspace.tree().join("l")).unwrap(), "2\n", "verify sees what is published");
    assert_eq!(agent(&workspace, ["status", "--porcelain"]), "");
    assert_eq!(user.git(["rev-parse", &format!("refs/fleet/side/{}/small", workspace.job())]), small);
    assert!(work.notes.iter().any(|note| note.contains("`small`")), "{:?}", work.notes);
}

#[test]
fn a_detached_head_and_a_stash_are_kept() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("README.md", "stashed\n")]);
    agent(&workspace, ["stash", "-q"]);
    let stash = agent(&workspace, ["rev-parse", "refs/stash"]);
    agent(&workspace, ["checkout", "-q", "--detach"]);
    let made = agent_commits(&workspace, &[("a", "1\n")], "detached");
    let work = collected(&workspace);
    assert_eq!(work.head.to_string(), made);
    assert_eq!(user.git(["rev-parse", &format!("refs/fleet/side/{}/stash", workspace.job())]), stash);
}

#[test]
fn a_commit_that_was_there_before_is_no_work() {
    let user = User::new();
    user.git(["switch", "-qc", "other"]);
    let theirs = user.commit(&[("theirs", "1\n")], "theirs");
    user.git(["switch", "-q", "main"]);
    let workspace = user.prepare();
    agent(&workspace, ["reset", "-q", "--hard", &theirs]);
    let work = collected(&workspace);
    assert!(work.commits.is_empty() && !work.changed, "{work:?}");
    let workspace = user.try_prepare(user.wanted(2)).unwrap();
    agent(&workspace, ["merge", "-q", "--no-ff", "-m", "mine now", &theirs]);
    let work = collected(&workspace);
    assert!(!work.changed, "joining what was there is no change of one's own: {work:?}");
}

#[test]
fn an_empty_commit_is_no_change() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["commit", "-q", "--allow-empty", "-m", "done!"]);
    let work = collected(&workspace);
    assert_eq!((work.commits.len(), work.changed, work.differs_from_base), (1, false, false));
}

#[test]
fn going_back_behind_the_start_throws_nothing_away() {
    let user = User::new();
    let first = user.prepare();
    agent_commits(&first, &[("a", "1\n")], "work");
    let saved = checkpoint(&first, "crash").unwrap().unwrap();
    let next = user.resume(&saved.commit);
    agent(&next, ["reset", "-q", "--hard", "main"]);
    let work = collected(&next);
    assert_eq!((work.head.to_string(), work.changed), (saved.commit, false));
    assert!(next.tree().join("a").exists());
}

#[test]
fn a_rewritten_history_is_taken_and_the_earlier_one_kept() {
    let user = User::new();
    let first = user.prepare();
    write(&first.tree(), &[("a", "1\n")]);
    let saved = checkpoint(&first, "crash").unwrap().unwrap();
    let next = user.resume(&saved.commit);
    agent(&next, ["reset", "-q", "--soft", "main"]);
    let made = agent_commits(&next, &[("b", "2\n")], "one clean commit");
    let work = collected(&next);
    assert_eq!((work.head.to_string(), work.paths.len(), work.changed), (made, 2, true));
    assert!(work.notes.iter().any(|note| note.contains("rewritten")), "{:?}", work.notes);
    assert_eq!(user.git(["rev-parse", &format!("refs/fleet/side/{}/earlier", next.job())]), saved.commit);
}

#[test]
fn an_unrelated_history_becomes_one_change() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["switch", "-q", "--orphan", "fresh"]);
    let made = agent_commits(&workspace, &[("only", "1\n")], "from nothing");
    let work = collected(&workspace);
    assert_eq!(user.git(["rev-parse", &format!("{}^", work.head)]), workspace.start().to_string());
    assert_eq!(user.git(["ls-tree", "-r", "--name-only", &work.head.to_string()]), "only");
    assert_eq!(user.git(["rev-parse", &format!("refs/fleet/side/{}/fresh", workspace.job())]), made);
}

#[test]
fn a_merge_that_was_not_concluded_is_kept_as_it_lies() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["switch", "-qc", "one"]);
    agent_commits(&workspace, &[("README.md", "one\n")], "one");
    agent(&workspace, ["switch", "-qc", "two", "main"]);
    agent_commits(&workspace, &[("README.md", "two\n")], "two");
    let mut merge = std::process::Command::new("git");
    merge.current_dir(workspace.tree()).args(["merge", "-q", "one"]);
    assert!(!merge.output().unwrap().status.success(), "a conflict");
    let work = collected(&workspace);
    assert!(user.show(&work.head.to_string(), "README.md").contains("<<<<<<<"));
    assert!(work.notes.iter().any(|note| note.contains("merge was not concluded")), "{:?}", work.notes);
    assert_eq!(agent(&workspace, ["status", "--porcelain"]), "");
    assert!(!workspace.tree().join(".git/MERGE_HEAD").exists());
}

#[test]
fn locks_flags_and_own_rules_hide_nothing() {
    let user = User::new();
    let workspace = user.prepare();
    agent(&workspace, ["update-index", "--assume-unchanged", "README.md"]);
    agent(&workspace, ["update-index", "--skip-worktree", "src/main.rs"]);
    write(&workspace.tree(), &[("README.md", "hidden\n"), ("src/main.rs", "hidden\n"), ("secret/x", "hidden\n")]);
    write(&workspace.tree(), &[(".git/info/exclude", "secret/\n"), (".git/index.lock", ""), (".git/HEAD.lock", "")]);
    let work = collected(&workspace);
    assert_eq!(work.paths, ["README.md", "secret/x", "src/main.rs"]);
}

#[test]
fn the_users_own_ignore_rules_count() {
    let user = User::new();
    write(&user.repo, &[(".git/info/exclude", "*.mine\n")]);
    let workspace = user.prepare();
    write(&workspace.tree(), &[("notes.mine", "x\n"), ("kept", "x\n")]);
    assert_eq!(collected(&workspace).paths, ["kept"]);
}

#[test]
fn files_of_a_repository_within_are_kept() {
    let user = User::new();
    let workspace = user.prepare();
    let inner = workspace.tree().join("vendor/inner");
    fs::create_dir_all(&inner).unwrap();
    git(&inner, ["init", "-q"]);
    write(&inner, &[("a", "1\n"), ("deep/b", "2\n")]);
    git(&inner, ["add", "-A"]);
    git(&inner, ["commit", "-qm", "inner"]);
    let work = collected(&workspace);
    assert_eq!(work.paths, ["vendor/inner/a", "vendor/inner/deep/b"]);
    assert!(work.notes.iter().any(|note| note.contains("`vendor/inner`")), "{:?}", work.notes);
}

#[test]
fn odd_files_are_kept_as_they_are() {
    let user = User::new();
    let workspace = user.prepare();
    let tree = workspace.tree();
    write(&tree, &[("run.sh", "#!/bin/sh\n"), ("-dash", "1"), ("new\nline", "2"), ("tab\t\"q\"", "3"), ("empty", "")]);
    write(&tree, &[(&format!("{}x", "d/".repeat(150)), "deep")]);
    fs::write(tree.join("large"), vec![7; 20 << 20]).unwrap();
    fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    link(&tree, "dangling", "/no/such/target");
    link(&tree, "to-folder", "src");
    fs::remove_file(tree.join("src/main.rs")).unwrap();
    fs::remove_dir_all(tree.join("src")).unwrap();
    write(&tree, &[("src", "a file now\n")]);
    let _socket = UnixListener::bind(tree.join("socket")).unwrap();
    let work = collected(&workspace);
    assert!(work.clean, "{work:?}");
    let list = user.git(["ls-tree", "-r", &work.head.to_string()]);
    for part in ["100755 blob", "120000 blob", "\t-dash", "new\\nline", "d/d/d/", "\tsrc", "\tlarge"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert!(!list.contains("src/lib.rs") && !list.contains("socket"), "{list}");
    user.git(["fsck", "--strict"]);
}

#[test]
fn an_agent_that_removes_its_git_directory_loses_no_files() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("a", "1\n")]);
    fs::remove_dir_all(workspace.tree().join(".git")).unwrap();
    checkpoint(&workspace, "periodic").unwrap().unwrap();
    let work = collected(&workspace);
    assert_eq!(work.paths, ["a"]);
    assert_eq!(agent(&workspace, ["status", "--porcelain"]), "");
}

#[test]
fn a_history_with_a_broken_object_still_gives_its_files() {
    let user = User::new();
    let workspace = user.prepare();
    agent_commits(&workspace, &[("a", "1\n")], "work");
    let blob = agent(&workspace, ["rev-parse", "HEAD:a"]);
    agent_commits(&workspace, &[("a", "2\n")], "more work");
    fs::remove_file(workspace.tree().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let work = collected(&workspace);
    assert_eq!(user.show(&work.head.to_string(), "a"), "2");
    assert!(work.notes.iter().any(|note| note.contains("cannot be read")), "{:?}", work.notes);
    user.git(["fsck", "--strict"]);
}

#[test]
fn borrowed_objects_of_others_are_not_followed() {
    let (user, secret) = (User::new(), User::named("secret"));
    let hidden = secret.commit(&[("key", "secret\n")], "hidden");
    let workspace = user.prepare();
    let alternates = workspace.tree().join(".git/objects/info/alternates");
    let line = format!("{}\n", secret.git_dir().join("objects").display());
    fs::write(&alternates, [fs::read(&alternates).unwrap(), line.into_bytes()].concat()).unwrap();
    agent(&workspace, ["update-ref", "refs/heads/grab", &hidden]);
    collected(&workspace);
    let there = user.git(["cat-file", "--batch-check", "--batch-all-objects"]);
    assert!(!there.contains(&hidden), "{there}");
}

#[test]
fn many_new_files_arrive_as_a_pack() {
    let user = User::new();
    let workspace = user.prepare();
    for nth in 0..300 {
        write(&workspace.tree(), &[(&format!("many/{nth}"), &format!("{nth}\n"))]);
    }
    let work = collected(&workspace);
    assert_eq!(work.diff.files, 300);
    let packs = fs::read_dir(user.git_dir().join("objects/pack")).unwrap().count();
    assert!(packs > 0, "one file each would be 300");
    assert_eq!(user.show(&work.head.to_string(), "many/299"), "299");
    user.git(["fsck", "--strict"]);
}
