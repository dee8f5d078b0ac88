//! Conventions for messages of commits.

use std::fs;

use fleet_protocol::convention::{CommitRule, Convention, Otherwise};

use super::{
    super::{Prepare, Workspace, checkpoint, publish},
    fixture::{User, agent, agent_commits, collected, git, write},
};

fn convention(otherwise: Otherwise) -> Option<Convention> {
    let rule = CommitRule {
        pattern: "^(feat|fix|chore): .{1,40}$".to_owned(),
        message: "chore: {subject}".to_owned(),
        otherwise,
    };
    Some(Convention::try_from(rule).unwrap())
}

fn prepare(user: &User, otherwise: Otherwise) -> Workspace {
    user.try_prepare(Prepare { convention: convention(otherwise), ..user.wanted(1) }).unwrap()
}

/// The commits after `base`, oldest first, each in this format of `git log`.
fn log(user: &User, base: &str, head: &str, format: &str) -> Vec<String> {
    let text = user.git(["log", "--reverse", &format!("--format={format}%x00"), &format!("{base}..{head}")]);
    text.split('\0').map(|one| one.trim_start_matches('\n').to_owned()).filter(|one| !one.is_empty()).collect()
}

#[test]
fn commits_that_do_not_follow_are_reworded_and_nothing_else_of_them_changes() {
    let user = User::new();
    let workspace = prepare(&user, Otherwise::Reword);
    let fine = agent_commits(&workspace, &[("a", "1\n")], "feat: add a");
    write(&workspace.tree(), &[("b", "1\n")]);
    agent(&workspace, ["add", "-A"]);
    let dated = [
        "commit",
        "-qm",
        "wip\n\nMore of it.",
        "--date",
        "2001-02-03T04:05:06+0130",
        "--author",
        "Bo <bo@example.org>",
    ];
    agent(&workspace, dated);
    let last = agent_commits(&workspace, &[("c", "1\n")], "fix: what c did");
    let work = collected(&workspace);

    let head = work.head.to_string();
    let base = workspace.base_commit().to_string();
    let trailer = format!("\n\nFleet-Job: {}\n", workspace.job());
    let expected = ["feat: add a", "chore: wip\n\nwip\n\nMore of it.", "fix: what c did"];
    assert_eq!(log(&user, &base, &head, "%B"), expected.map(|message| format!("{message}{trailer}")));
    for kept in ["%T", "%an %ae %ad", "%cn %ce %cd"] {
        assert_eq!(log(&user, &base, &head, kept), log(&user, &base, &last, kept), "{kept}");
    }
    let ids: Vec<String> = work.commits.iter().map(ToString::to_string).collect();
    assert_eq!(ids, log(&user, &base, &head, "%H"), "the evidence names the new ones");
    assert_eq!(ids[0], fine, "what follows, and comes before, is the same commit");
    assert_eq!(publish(&workspace, &work).unwrap().commit, work.head);
    assert_eq!(user.git(["rev-parse", &work.kept]), head);
    assert_eq!(agent(&workspace, ["rev-parse", "HEAD"]), head, "verify finds itself on it");
    assert_eq!(agent(&workspace, ["status", "--porcelain"]), "");
    assert!(work.notes.iter().any(|note| note.starts_with("a commit was reworded")), "{:?}", work.notes);
}

#[test]
fn commits_that_were_there_before_the_run_are_never_touched() {
    let user = User::new();
    let workspace = user.prepare();
    let earlier = agent_commits(&workspace, &[("a", "1\n")], "of an earlier run");
    collected(&workspace);
    let again = Prepare { start: Some(earlier.clone()), convention: convention(Otherwise::Reword), ..user.wanted(1) };
    let workspace = user.try_prepare(again).unwrap();
    agent_commits(&workspace, &[("b", "1\n")], "now");
    let work = collected(&workspace);
    let base = workspace.base_commit().to_string();
    let found = log(&user, &base, &work.head.to_string(), "%H %s");
    assert_eq!(found[0], format!("{earlier} of an earlier run"));
    assert!(found[1].ends_with(" chore: now") && found.len() == 2, "{found:?}");
    assert_eq!(user.git(["log", "--format=%s", "main"]), "second\nfirst");
}

#[test]
fn what_the_agent_left_is_committed_with_a_message_that_follows() {
    for otherwise in [Otherwise::Reword, Otherwise::Refuse] {
        let user = User::new();
        let workspace = prepare(&user, otherwise);
        write(&workspace.tree(), &[("a", "1\n")]);
        let saved = checkpoint(&workspace, "periodic").unwrap().expect("there is work");
        let subject = user.git(["log", "-1", "--format=%s", &saved.commit]);
        assert!(subject.starts_with("chore: Work in progress of job"), "{subject}");
        let work = collected(&workspace);
        let message = user.git(["log", "-1", "--format=%B", &work.head.to_string()]);
        let job = workspace.job();
        assert_eq!(message, format!("chore: Leftovers of job {job}\n\nLeftovers of job {job}\n\nFleet-Job: {job}"));
        assert_eq!((work.leftovers, work.refused), (Some(work.head), Vec::new()));
    }
}

#[test]
fn merges_keep_their_message_and_follow_the_commits_that_they_join() {
    let user = User::new();
    user.git(["switch", "-qc", "other"]);
    user.commit(&[("theirs", "1\n")], "theirs, as they please");
    user.git(["switch", "-q", "main"]);
    let workspace = prepare(&user, Otherwise::Reword);
    agent_commits(&workspace, &[("a", "1\n")], "mine");
    agent(&workspace, ["merge", "-q", "--no-ff", "-m", "Both together", &user.git(["rev-parse", "other"])]);
    let work = collected(&workspace);
    let found = log(&user, &workspace.base_commit().to_string(), &work.head.to_string(), "%s");
    assert_eq!(found.len(), 3, "{found:?}");
    for subject in ["chore: mine", "theirs, as they please", "Both together"] {
        assert!(found.iter().any(|one| one == subject), "{subject} in {found:?}");
    }
    assert_eq!(user.git(["rev-parse", &format!("{}^2", work.head)]), user.git(["rev-parse", "other"]));
}

#[test]
fn a_run_that_is_refused_names_every_commit_at_fault_and_keeps_its_work() {
    let user = User::new();
    let workspace = prepare(&user, Otherwise::Refuse);
    agent_commits(&workspace, &[("a", "1\n")], "fix: fine");
    let wrong = agent_commits(&workspace, &[("b", "1\n")], "not fine");
    let work = collected(&workspace);
    assert_eq!(work.head.to_string(), wrong, "nothing is rewritten");
    assert_eq!(work.refused, [format!("{} not fine", &wrong[..12])]);

    // A second run that adds nothing of the kind is not off the hook, one that mends the message is.
    let again = || Prepare { start: Some(wrong.clone()), convention: convention(Otherwise::Refuse), ..user.wanted(1) };
    let workspace = user.try_prepare(again()).unwrap();
    agent_commits(&workspace, &[("c", "1\n")], "fix: more");
    assert_eq!(collected(&workspace).refused.len(), 1);
    let workspace = user.try_prepare(again()).unwrap();
    agent(&workspace, ["commit", "-q", "--amend", "-m", "fix: fine now"]);
    let work = collected(&workspace);
    assert_eq!(work.refused, [""; 0]);
    assert_eq!(user.git(["log", "-2", "--format=%s", &work.head.to_string()]), "fix: fine now\nfix: fine");
}

#[test]
fn a_commit_of_the_user_s_is_not_held_against_the_agent() {
    let user = User::new();
    user.git(["switch", "-qc", "other"]);
    let theirs = user.commit(&[("theirs", "1\n")], "theirs, as they please");
    user.git(["switch", "-q", "main"]);
    let workspace = prepare(&user, Otherwise::Refuse);
    agent(&workspace, ["merge", "-q", "--ff-only", &theirs]);
    agent_commits(&workspace, &[("a", "1\n")], "fix: on top");
    assert_eq!(collected(&workspace).refused, [""; 0]);
}

#[test]
fn a_worker_that_was_cut_off_between_rewording_and_remembering_does_the_same_again() {
    let user = User::new();
    let workspace = prepare(&user, Otherwise::Reword);
    agent_commits(&workspace, &[("a", "1\n")], "one");
    agent_commits(&workspace, &[("b", "1\n")], "two");
    let first = collected(&workspace);
    fs::remove_file(workspace.dir().join("collected.json")).unwrap();
    let again = collected(&Workspace::open(workspace.dir()).unwrap());
    assert_eq!((again.head, &again.commits, again.changed), (first.head, &first.commits, true));
    assert_eq!(user.git(["rev-parse", &again.kept]), first.head.to_string());
}

#[test]
fn a_signature_goes_and_bytes_that_are_no_text_stay() {
    let user = User::new();
    let workspace = prepare(&user, Otherwise::Reword);
    agent_commits(&workspace, &[("a", "1\n")], "one");
    let tree = agent(&workspace, ["rev-parse", "HEAD^{tree}"]);
    let who = "Ann <ann@example.org> 1700000000 +0100";
    let mut data =
        format!("tree {tree}\nparent {}\nauthor {who}\ncommitter {who}\nencoding ISO-8859-1\n", workspace.start());
    data.push_str("gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\n");
    let raw = workspace.dir().join("raw");
    let mut bytes = data.into_bytes();
    bytes.extend_from_slice(b"gr\xfc\xdfe\n");
    fs::write(&raw, &bytes).unwrap();
    let odd = git(&workspace.tree(), ["hash-object", "-t", "commit", "-w", raw.to_str().unwrap()]);
    agent(&workspace, ["reset", "-q", "--hard", &odd]);
    let work = collected(&workspace);
    let stored = user.source().git_dir;
    let repo = git2::Repository::open(stored).unwrap();
    let commit = repo.find_commit(work.head).unwrap();
    assert_eq!(commit.message_raw_bytes(), b"chore: work of the agent\n\ngr\xfc\xdfe\n");
    let header = String::from_utf8_lossy(commit.raw_header_bytes()).into_owned();
    assert!(
        header.contains("encoding ISO-8859-1") && !header.contains("gpgsig") && !header.contains("abc"),
        "{header}"
    );
    assert_eq!(commit.author().when().seconds(), 1_700_000_000);
}
