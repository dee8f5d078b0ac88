//! Merging against real repositories.

use std::{fs, path::Path, process::Command};

use git2::Oid;

use super::merge::{Merge, ShipError, Shipped, merge};
use crate::workspace::{
    Identity,
    tests::fixture::{Snapshot, User, git, write},
};

const BRANCH: &str = "fleet/1000000000-task";

fn ship(repo: &Path) -> Result<Shipped, ShipError> {
    ship_with(repo, None)
}

fn ship_with(repo: &Path, queue: Option<&Path>) -> Result<Shipped, ShipError> {
    let identity = Identity { name: "Ann".to_owned(), email: "ann@example.org".to_owned() };
    let message = "Ship task\n\nFleet-Job: 1000000000\n";
    merge(&Merge { repo, base: "main", branch: BRANCH, head: None, message, identity: &identity, queue })
}

/// A user with `main` checked out and a job's branch beside it.
fn user() -> User {
    let user = User::new();
    user.git(["switch", "-qc", BRANCH]);
    user.commit(&[("a", "1\n"), ("src/lib.rs", "// one\n// 2\n// three\n")], "work");
    user.git(["switch", "-q", "main"]);
    user
}

fn tip(user: &User, name: &str) -> String {
    user.git(["rev-parse", name])
}

/// Ships, and checks that a refusal changed nothing.
fn refused(user: &User) -> ShipError {
    let before: (Snapshot, _) = (user.snapshot(), tip(user, BRANCH));
    let error = ship(&user.repo).unwrap_err();
    assert_eq!((user.snapshot(), tip(user, BRANCH)), before);
    error
}

#[test]
fn a_clean_checkout_follows_with_a_merge_commit_even_where_none_is_needed() {
    let user = user();
    let (base, work) = (tip(&user, "main"), tip(&user, BRANCH));
    let shipped = ship(&user.repo).unwrap();
    assert!(shipped.followed_checkout && !shipped.already);
    assert_eq!(tip(&user, "main"), shipped.commit.to_string());
    assert_eq!(user.git(["log", "-1", "--format=%P"]), format!("{base} {work}"));
    assert_eq!(user.git(["log", "-1", "--format=%B"]), "Ship task\n\nFleet-Job: 1000000000");
    assert_eq!(user.git(["status", "--porcelain"]), "");
    assert_eq!(fs::read_to_string(user.repo.join("a")).unwrap(), "1\n");
}

#[test]
fn shipping_again_finds_the_same_commit() {
    let user = user();
    let first = ship(&user.repo).unwrap();
    user.commit(&[("b", "1\n")], "later");
    let again = ship(&user.repo).unwrap();
    assert_eq!(again, Shipped { commit: first.commit, already: true, followed_checkout: false });
}

#[test]
fn work_that_was_squashed_by_hand_is_there_already() {
    let user = user();
    user.git(["merge", "-q", "--squash", BRANCH]);
    user.git(["commit", "-qm", "by hand"]);
    let by_hand = tip(&user, "main");
    user.commit(&[("src/lib.rs", "// all different\n")], "later");
    let shipped = ship(&user.repo).unwrap();
    assert_eq!((shipped.commit.to_string(), shipped.already), (by_hand, true));
}

#[test]
fn a_base_that_moved_on_is_merged_with() {
    let user = user();
    user.commit(&[("b", "1\n")], "meanwhile");
    ship(&user.repo).unwrap();
    assert!(user.repo.join("a").exists() && user.repo.join("b").exists());
}

#[test]
fn a_dirty_checkout_is_refused_by_name_of_its_files() {
    let user = user();
    write(&user.repo, &[("README.md", "edited\n")]);
    let error = refused(&user);
    assert!(matches!(&error, ShipError::Dirty { files, .. } if *files == ["README.md"]), "{error}");
    user.git(["add", "README.md"]);
    assert!(matches!(refused(&user), ShipError::Dirty { .. }));
}

#[test]
fn untracked_files_stay_and_are_never_overwritten() {
    let user = user();
    write(&user.repo, &[("mine", "keep\n")]);
    write(&user.repo, &[("a", "mine too\n")]);
    let error = refused(&user);
    assert!(matches!(&error, ShipError::CannotFollow { .. }) && error.to_string().contains("\ta"), "{error}");
    fs::remove_file(user.repo.join("a")).unwrap();
    ship(&user.repo).unwrap();
    assert_eq!(fs::read_to_string(user.repo.join("mine")).unwrap(), "keep\n");
}

#[test]
fn moves_in_the_queue_do_not_make_a_checkout_dirty() {
    let user = user();
    user.commit(&[("tasks/inbox/a.md", "# A\n")], "queue");
    fs::create_dir(user.repo.join("tasks/testing")).unwrap();
    fs::rename(user.repo.join("tasks/inbox/a.md"), user.repo.join("tasks/testing/a.md")).unwrap();
    assert!(matches!(refused(&user), ShipError::Dirty { .. }));
    ship_with(&user.repo, Some(&user.repo.join("tasks"))).unwrap();
    assert!(user.repo.join("tasks/testing/a.md").exists() && !user.repo.join("tasks/inbox/a.md").exists());
}

#[test]
fn conflicts_are_refused_by_name() {
    let user = user();
    user.commit(&[("src/lib.rs", "// other\n")], "conflict");
    let error = refused(&user);
    assert!(matches!(&error, ShipError::Conflict { files, .. } if *files == ["src/lib.rs"]), "{error}");
    assert!(error.to_string().contains("request changes"), "{error}");
}

#[test]
fn a_base_that_nobody_has_checked_out_is_merged_aside() {
    let user = user();
    user.git(["switch", "-qc", "elsewhere"]);
    write(&user.repo, &[("README.md", "dirty, but elsewhere\n")]);
    let status = user.git(["status", "--porcelain"]);
    let shipped = ship(&user.repo).unwrap();
    assert!(!shipped.followed_checkout);
    assert_eq!(user.git(["status", "--porcelain"]), status);
    assert_eq!(tip(&user, "main"), shipped.commit.to_string());
    assert_eq!(user.show("main", "a"), "1");
}

#[test]
fn a_linked_worktree_that_has_the_base_follows() {
    let user = user();
    user.git(["switch", "-qc", "elsewhere"]);
    let linked = user.root.path().join("linked é");
    user.git(["worktree", "add", "-q", linked.to_str().unwrap(), "main"]);
    assert!(ship(&user.repo).unwrap().followed_checkout);
    assert_eq!(fs::read_to_string(linked.join("a")).unwrap(), "1\n");
    assert_eq!(git(&linked, ["status", "--porcelain"]), "");
}

#[test]
fn a_bare_repository_is_merged_in() {
    let user = user();
    let bare = user.root.path().join("bare.git");
    git(user.root.path(), ["clone", "-q", "--bare", user.repo.to_str().unwrap(), bare.to_str().unwrap()]);
    let shipped = ship(&bare).unwrap();
    assert_eq!(git(&bare, ["rev-parse", "main"]), shipped.commit.to_string());
}

#[test]
fn a_branch_that_is_gone_is_named_unless_its_commit_is_known() {
    let user = user();
    let head = tip(&user, BRANCH);
    user.git(["branch", "-qD", BRANCH]);
    let error = ship(&user.repo).unwrap_err();
    assert!(matches!(&error, ShipError::NoBranch { branch, .. } if branch == BRANCH), "{error}");
    let identity = Identity::ours();
    let wanted = Merge {
        repo: &user.repo,
        base: "main",
        branch: BRANCH,
        head: Some(Oid::from_str(&head).unwrap()),
        message: "Ship",
        identity: &identity,
        queue: None,
    };
    merge(&wanted).unwrap();
    assert_eq!(user.show("main", "a"), "1");
}

#[test]
fn hooks_in_the_merged_tree_do_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let user = user();
    user.git(["config", "core.hooksPath", "hooks"]);
    user.git(["switch", "-q", BRANCH]);
    let trap = user.root.path().join("trap");
    write(&user.repo, &[("hooks/post-merge", &format!("#!/bin/sh\ntouch '{}'\n", trap.display()))]);
    fs::set_permissions(user.repo.join("hooks/post-merge"), fs::Permissions::from_mode(0o755)).unwrap();
    user.git(["add", "-A"]);
    user.git(["commit", "-qm", "trap"]);
    user.git(["switch", "-q", "main"]);
    ship(&user.repo).unwrap();
    assert!(user.repo.join("hooks/post-merge").exists() && !trap.exists());
}

#[test]
fn a_merge_under_way_is_left_alone() {
    let user = user();
    user.git(["switch", "-qc", "other"]);
    user.commit(&[("c", "1\n")], "other");
    user.git(["switch", "-q", "main"]);
    let mut half = Command::new("git");
    half.current_dir(&user.repo).args(["merge", "-q", "--no-ff", "--no-commit", "other"]);
    assert!(half.output().unwrap().status.success());
    let error = ship(&user.repo).unwrap_err();
    assert!(matches!(error, ShipError::Dirty { .. } | ShipError::CannotFollow { .. }), "{error}");
    assert!(user.git_dir().join("MERGE_HEAD").exists());
}

#[test]
fn two_jobs_shipped_at_once_are_both_merged() {
    let user = user();
    user.git(["switch", "-q", "--detach", "main"]);
    let branches: Vec<String> = (0..4).map(|nth| format!("fleet/{nth}")).collect();
    for branch in &branches {
        user.git(["switch", "-qc", branch, "main"]);
        user.commit(&[(&branch.replace('/', "-"), "1\n")], branch);
    }
    let identity = Identity::ours();
    std::thread::scope(|scope| {
        for branch in &branches {
            let (repo, identity) = (&user.repo, &identity);
            scope.spawn(move || {
                let wanted = Merge { repo, base: "main", branch, head: None, message: "Ship", identity, queue: None };
                merge(&wanted).unwrap();
            });
        }
    });
    for branch in &branches {
        assert_eq!(user.show("main", &branch.replace('/', "-")), "1");
    }
}

/// A coordinator that knows one job and notes what it is told.
mod coordinator {
    use std::sync::{Arc, Mutex};

    use axum::{
        Json, Router,
        extract::State,
        routing::{get, post},
    };
    use fleet_protocol::{Job, JobId, route};
    use serde_json::{Value, json};

    use crate::client::Client;

    #[derive(Clone)]
    pub(super) struct Told {
        job: Value,
        pub(super) requests: Arc<Mutex<Vec<Value>>>,
    }

    pub(super) fn job(fields: &Value) -> Job {
        let mut job = json!({
            "id": "1000000000", "title": "task", "product": "default", "file": "task.md", "stage": "testing",
            "priority": "medium", "kind": "leaf", "deps": [], "depsMode": "hard", "blockedBy": [], "rev": 1,
            "leaseEpoch": 1, "attempts": 1, "runs": 1, "tags": [], "trigger": "manual", "held": false, "paused": false,
            "actions": ["ship"], "usage": {"inputTokens": 0, "outputTokens": 0, "basis": "unknown"},
            "scopeWarning": [], "feedback": [], "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z", "manifest": {}, "extra": {},
        });
        job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(job).unwrap()
    }

    pub(super) fn client(job: &Job) -> (Client, JobId, Told) {
        let told = Told { job: serde_json::to_value(job).unwrap(), requests: Arc::default() };
        let act = async |State(told): State<Told>, Json(request): Json<Value>| {
            told.requests.lock().unwrap().push(request);
            let mut job = told.job;
            job["stage"] = json!("shipped");
            Json(job)
        };
        let router = Router::new()
            .route(route::JOB, get(async |State(told): State<Told>| Json(told.job)))
            .route(route::JOB_ACTION, post(act))
            .with_state(told.clone());
        (Client::embedded(router, "default", "operator:ann"), job.id.clone(), told)
    }
}

#[tokio::test]
async fn a_job_is_merged_and_then_reported_with_the_commit() {
    let user = user();
    let job = coordinator::job(&serde_json::json!({"repo": user.repo, "base": "main", "branch": BRANCH}));
    let (client, id, told) = coordinator::client(&job);
    let how = super::Ship { reason: Some("good".to_owned()), queue: None, committer: None };
    let (job, shipped) = super::ship_job(&client, &id, how).await.unwrap();
    let commit = shipped.unwrap().commit.to_string();
    assert_eq!(tip(&user, "main"), commit);
    assert_eq!(user.git(["log", "-1", "--format=%B", "main"]), "Ship task\n\nFleet-Job: 1000000000");
    assert_eq!(job.stage, fleet_protocol::Stage::Shipped);
    let request = told.requests.lock().unwrap().remove(0);
    assert_eq!((request["commit"].as_str(), request["reason"].as_str()), (Some(commit.as_str()), Some("good")));
}

#[tokio::test]
async fn a_job_that_cannot_be_shipped_now_is_not_merged() {
    let user = user();
    let before = user.snapshot();
    let fields = serde_json::json!({
        "repo": user.repo, "base": "main", "branch": BRANCH, "stage": "review", "actions": ["approve", "reject"],
    });
    let (client, id, told) = coordinator::client(&coordinator::job(&fields));
    let problem = super::ship_job(&client, &id, super::Ship::default()).await.unwrap_err();
    assert_eq!(problem.code, fleet_protocol::ErrorCode::InvalidTransition);
    assert!(problem.message.contains("approve, reject"), "{problem}");
    assert_eq!(user.snapshot(), before);
    assert!(told.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_merge_leaves_the_job_where_it_is() {
    let user = user();
    user.commit(&[("src/lib.rs", "// other\n")], "conflict");
    let job = coordinator::job(&serde_json::json!({"repo": user.repo, "base": "main", "branch": BRANCH}));
    let (client, id, told) = coordinator::client(&job);
    let problem = super::ship_job(&client, &id, super::Ship::default()).await.unwrap_err();
    assert_eq!(problem.code, fleet_protocol::ErrorCode::Conflict);
    assert_eq!(problem.details["files"], serde_json::json!(["src/lib.rs"]));
    assert!(told.requests.lock().unwrap().is_empty());
}
