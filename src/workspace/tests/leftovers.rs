//! What killed processes leave, and how it goes: whole, and never with work that is under no ref.

use std::{fs, path::Path};

use fleet_protocol::JobId;

use super::{
    super::{Kind, Leftover, Prepare, Workspace, checkpoint, leftovers, remove, take_away},
    fixture::{User, agent_commits, write},
};

/// A workspace of job `nth` in a folder of workspaces.
fn prepared(user: &User, nth: u64) -> Workspace {
    let job = JobId::from_random(nth);
    user.try_prepare(Prepare { dir: work(user).join(job.as_str()), ..user.wanted(nth) }).unwrap()
}

fn work(user: &User) -> std::path::PathBuf {
    let work = user.root.path().join("work");
    fs::create_dir_all(&work).unwrap();
    work
}

fn only(user: &User) -> Leftover {
    let mut found = leftovers(&work(user)).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn base_refs(user: &User) -> String {
    user.git(["for-each-ref", "--format=%(refname)", "refs/fleet/base"])
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_workspace_goes_with_all_of_its_work_under_a_ref() {
    let user = User::new();
    let workspace = prepared(&user, 1);
    agent_commits(&workspace, &[("committed", "1\n")], "one");
    write(&workspace.tree(), &[("unsaved", "2\n")]);
    let found = only(&user);
    assert_eq!(found.kind, Kind::Workspace(JobId::from_random(1)));
    take_away(&found).unwrap().unwrap().delete().unwrap();
    let wip = format!("refs/fleet/wip/{}", JobId::from_random(1));
    assert_eq!((user.show(&wip, "committed"), user.show(&wip, "unsaved")), ("1".to_owned(), "2".to_owned()));
    assert!(is_empty(&work(&user)));
    assert_eq!(base_refs(&user), "");
}

/// The coordinator was told of a checkpoint; clearing the workspace must not put another commit in its place.
#[test]
fn what_was_told_of_a_checkpoint_is_still_under_the_ref_once_its_workspace_is_gone() {
    let user = User::new();
    let workspace = prepared(&user, 1);
    write(&workspace.tree(), &[("unsaved", "2\n")]);
    let told = checkpoint(&workspace, "after its runner died").unwrap().unwrap();
    take_away(&only(&user)).unwrap().unwrap().delete().unwrap();
    assert_eq!(user.git(["rev-parse", &told.branch]), told.commit);
}

/// Of two saved states that are no continuation of one another the run goes on from the older: both stay under a ref.
#[test]
fn what_a_run_starts_from_is_held_by_the_job_s_ref_and_what_it_leaves_aside_is_kept_beside() {
    let user = User::new();
    let (one, other) = (prepared(&user, 1), work(&user).join(JobId::from_random(1).as_str()));
    write(&one.tree(), &[("state", "one\n")]);
    let first = checkpoint(&one, "periodic").unwrap().unwrap();
    write(&one.tree(), &[("state", "two\n")]);
    let second = checkpoint(&one, "periodic").unwrap().unwrap();
    take_away(&only(&user)).unwrap().unwrap().delete().unwrap();
    let next = Prepare { dir: other, start: Some(first.commit.clone()), ..user.wanted(1) };
    let workspace = user.try_prepare(next).unwrap();
    assert_eq!(user.git(["rev-parse", &first.branch]), first.commit, "from the first moment on");
    assert_eq!(user.show(&format!("refs/fleet/side/{}/{:.12}", workspace.job(), second.commit), "state"), "two");
    take_away(&only(&user)).unwrap().unwrap().delete().unwrap();
    assert_eq!(user.git(["rev-parse", &first.branch]), first.commit);
}

#[test]
fn a_workspace_whose_work_cannot_be_saved_stays() {
    let user = User::new();
    let workspace = prepared(&user, 1);
    write(&workspace.tree(), &[("unsaved", "2\n")]);
    fs::rename(&user.repo, user.root.path().join("elsewhere")).unwrap();
    assert!(take_away(&only(&user)).is_err());
    assert_eq!(fs::read_to_string(workspace.tree().join("unsaved")).unwrap(), "2\n");
    fs::rename(user.root.path().join("elsewhere"), &user.repo).unwrap();
    take_away(&only(&user)).unwrap().unwrap().delete().unwrap();
    assert_eq!(user.show(&format!("refs/fleet/wip/{}", JobId::from_random(1)), "unsaved"), "2");
}

/// However far the making of a workspace came, what is left of it is found and goes, with the ref that it needed.
#[test]
fn a_half_made_workspace_goes_with_the_ref_that_it_needed() {
    let user = User::new();
    for cut in ["workspace.json", "tree", "view", "before"] {
        let workspace = prepared(&user, 1);
        fs::remove_file(workspace.dir().join("workspace.json")).unwrap();
        let part = workspace.dir().join(cut);
        let _ = fs::remove_dir_all(&part).or_else(|_| fs::remove_file(&part));
        assert_ne!(base_refs(&user), "", "the making has written it");
        let found = only(&user);
        assert_eq!(found.kind, Kind::HalfMade(JobId::from_random(1)), "without {cut}");
        take_away(&found).unwrap().unwrap().delete().unwrap();
        assert!(is_empty(&work(&user)));
        assert_eq!(base_refs(&user), "", "without {cut}");
    }
    fs::create_dir(work(&user).join(JobId::from_random(2).as_str())).unwrap();
    take_away(&only(&user)).unwrap().unwrap().delete().unwrap();
    assert!(is_empty(&work(&user)), "an empty folder is the earliest of all");
}

#[test]
fn what_a_kill_left_of_a_deletion_is_deleted_and_what_is_under_way_is_known() {
    let user = User::new();
    let trash = remove(prepared(&user, 1)).unwrap();
    assert_eq!(only(&user).kind, Kind::Trash { ours: true });
    let others = work(&user).join(format!("gone-1-0-{}", JobId::from_random(1)));
    fs::rename(only(&user).path, &others).unwrap();
    drop(trash);
    assert_eq!(only(&user).kind, Kind::Trash { ours: false });
    take_away(&only(&user)).unwrap().unwrap().delete().unwrap();
    assert!(is_empty(&work(&user)));
}

#[test]
fn what_is_not_fleet_s_is_never_taken_away() {
    let user = User::new();
    let mine = work(&user).join(JobId::from_random(1).as_str());
    write(&mine, &[("my-notes.txt", "mine\n")]);
    write(&work(&user), &[("loose", "mine\n")]);
    for found in leftovers(&work(&user)).unwrap() {
        assert_eq!(found.kind, Kind::Foreign, "{found:?}");
        assert!(take_away(&found).unwrap().is_none());
    }
    assert!(mine.join("my-notes.txt").exists() && work(&user).join("loose").exists());
}
