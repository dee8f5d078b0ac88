//! Only proof of landing lets a branch go.

use git2::Oid;

use super::{
    super::{Landing, Retire, Workspace, landing, publish, retire},
    fixture::{User, agent_commits, collected},
};

/// A job with two commits, published.
fn published(user: &User) -> (Workspace, String) {
    let workspace = user.prepare();
    agent_commits(&workspace, &[("a", "1\n")], "one");
    agent_commits(&workspace, &[("src/lib.rs", "// one\n// 2\n// three\n")], "two");
    let branch = publish(&workspace, &collected(&workspace)).unwrap().branch;
    (workspace, branch)
}

fn judge(user: &User, workspace: &Workspace, branch: &str) -> Landing {
    let repo = git2::Repository::open(&user.repo).unwrap();
    let id = |name: &str| Oid::from_str(&user.git(["rev-parse", name])).unwrap();
    landing(&repo, id("main"), (workspace.base_commit(), id(branch))).unwrap()
}

/// Judges, and checks that deleting goes by the verdict.
fn verdict(user: &User, workspace: &Workspace, branch: &str) -> Landing {
    let landing = judge(user, workspace, branch);
    let base = ("main", workspace.base_commit());
    let told = retire(&user.git_dir(), workspace.job(), base, Retire::DryRun).unwrap();
    let done = retire(&user.git_dir(), workspace.job(), base, Retire::Delete).unwrap();
    assert_eq!(told, done);
    let left = user.git(["for-each-ref", "refs/heads/fleet", "refs/fleet/wip"]);
    assert_eq!(left.is_empty(), landing.is_proof(), "{landing:?}: {left}");
    assert_eq!(done.kept.is_empty(), landing.is_proof(), "{done:?}");
    landing
}

fn squash(user: &User, branch: &str) -> String {
    user.git(["merge", "-q", "--squash", branch]);
    user.git(["commit", "-qm", "squashed"]);
    user.git(["rev-parse", "HEAD"])
}

#[test]
fn work_that_was_not_merged_stays() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.commit(&[("else", "1\n")], "the base goes on");
    assert_eq!(verdict(&user, &workspace, &branch), Landing::No);
}

#[test]
fn a_merge_that_failed_is_no_landing() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.commit(&[("src/lib.rs", "// other\n")], "conflict");
    let mut merge = std::process::Command::new("git");
    assert!(!merge.current_dir(&user.repo).args(["merge", "-q", &branch]).output().unwrap().status.success());
    user.git(["merge", "--abort"]);
    assert_eq!(verdict(&user, &workspace, &branch), Landing::No);
}

#[test]
fn a_merge_into_another_branch_is_no_landing() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.git(["switch", "-qc", "other"]);
    user.git(["merge", "-q", "--no-ff", "-m", "merge", &branch]);
    user.git(["switch", "-q", "main"]);
    assert_eq!(verdict(&user, &workspace, &branch), Landing::No);
}

#[test]
fn a_merge_is_proof() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.commit(&[("else", "1\n")], "the base goes on");
    user.git(["merge", "-q", "--no-ff", "-m", "merge", &branch]);
    let merge = Oid::from_str(&user.git(["rev-parse", "HEAD"])).unwrap();
    user.commit(&[("else", "2\n")], "and on");
    assert_eq!(verdict(&user, &workspace, &branch), Landing::Merged(merge));
}

#[test]
fn a_fast_forward_is_proof() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.git(["merge", "-q", "--ff-only", &branch]);
    user.commit(&[("else", "2\n")], "and on");
    assert!(matches!(verdict(&user, &workspace, &branch), Landing::Merged(_)));
}

#[test]
fn a_squash_is_proof() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.commit(&[("else", "1\n")], "the base goes on");
    let at = squash(&user, &branch);
    user.commit(&[("else", "2\n")], "and on");
    assert_eq!(verdict(&user, &workspace, &branch), Landing::Squashed(Oid::from_str(&at).unwrap()));
}

#[test]
fn commits_picked_one_by_one_are_proof_once_all_are_there() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.commit(&[("else", "1\n")], "the base goes on");
    user.git(["cherry-pick", &format!("{branch}~1")]);
    assert_eq!(judge(&user, &workspace, &branch), Landing::No);
    user.git(["cherry-pick", &branch]);
    assert!(matches!(verdict(&user, &workspace, &branch), Landing::Squashed(_)));
}

#[test]
fn a_merge_that_was_reverted_is_no_landing() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    user.commit(&[("else", "1\n")], "the base goes on");
    user.git(["merge", "-q", "--no-ff", "-m", "merge", &branch]);
    user.git(["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert!(matches!(verdict(&user, &workspace, &branch), Landing::Reverted(_)));
}

#[test]
fn a_revert_that_does_not_say_so_is_seen_by_what_it_does() {
    for fast in [true, false] {
        let user = User::new();
        let (workspace, branch) = published(&user);
        let how = if fast { "--ff-only" } else { "--no-ff" };
        user.git(["merge", "-q", how, "--no-edit", &branch]);
        user.git(["rm", "-q", "a"]);
        user.commit(&[("src/lib.rs", "// one\n// two\n// three\n")], "take it back");
        assert!(matches!(judge(&user, &workspace, &branch), Landing::Reverted(_)), "{fast}");
    }
}

#[test]
fn a_squash_that_was_reverted_is_no_landing_until_it_is_back() {
    let user = User::new();
    let (workspace, branch) = published(&user);
    squash(&user, &branch);
    user.git(["revert", "--no-edit", "HEAD"]);
    assert!(matches!(judge(&user, &workspace, &branch), Landing::Reverted(_)));
    user.git(["revert", "--no-edit", "HEAD"]);
    assert!(matches!(verdict(&user, &workspace, &branch), Landing::Squashed(_)));
}

#[test]
fn a_run_that_changed_nothing_leaves_nothing_to_keep() {
    let user = User::new();
    let workspace = user.prepare();
    let branch = publish(&workspace, &collected(&workspace)).unwrap().branch;
    assert_eq!(verdict(&user, &workspace, &branch), Landing::Nothing);
}
