//! Branches that are not ours are never written, whatever is asked.

use super::{
    super::{Expect, Prepare, WorkspaceError, publish, refs},
    fixture::{User, agent_commits, collected},
};

#[test]
fn work_is_never_published_on_a_branch_of_the_user() {
    for branch in ["main", "release/1.0", "fleet"] {
        let user = User::new();
        let before = user.git(["for-each-ref", "refs/heads"]);
        let wanted = Prepare { branch: branch.to_owned(), ..user.wanted(1) };
        let refused = user.try_prepare(wanted).and_then(|workspace| {
            agent_commits(&workspace, &[("work.txt", "work\n")], "work");
            publish(&workspace, &collected(&workspace))
        });
        let error = refused.expect_err(branch);
        assert!(matches!(error, WorkspaceError::ProtectedBranch { .. }), "{branch}: {error}");
        assert_eq!(user.git(["for-each-ref", "refs/heads"]), before, "{branch}");
    }
}

#[test]
fn a_ref_that_is_not_ours_is_not_moved() {
    let user = User::new();
    let repo = git2::Repository::open(&user.repo).unwrap();
    let head = repo.head().unwrap().peel_to_commit().unwrap().id();
    for name in ["refs/heads/other", "refs/tags/v9", "refs/heads/fleetish/x"] {
        let error = refs::set(&repo, name, head, Expect::Absent).unwrap_err();
        assert!(matches!(error, WorkspaceError::ProtectedBranch { .. }), "{name}: {error}");
        assert!(repo.find_reference(name).is_err(), "{name}");
    }
}
