//! Many jobs on one repository at the same time.

use std::{collections::HashSet, fs, thread};

use super::{
    super::publish::Published,
    super::{Collected, Workspace, checkpoint, publish, remove},
    fixture::{User, agent, agent_commits, collected, write},
};

#[test]
fn ten_jobs_at_once_never_meet() {
    let user = User::new();
    user.git(["pack-refs", "--all"]);
    let before = user.snapshot();
    let life = |nth: u64| -> (Collected, Published) {
        let workspace = user.try_prepare(user.wanted(nth)).unwrap();
        for round in 0..3 {
            agent_commits(&workspace, &[(&format!("file-{nth}"), &format!("{round}\n"))], "work");
            write(&workspace.tree(), &[("shared.txt", &format!("job {nth}, round {round}\n"))]);
            checkpoint(&workspace, "periodic").unwrap();
        }
        let work = collected(&workspace);
        let published = publish(&workspace, &work).unwrap();
        remove(workspace).unwrap().delete().unwrap();
        (work, published)
    };
    let done: Vec<_> = thread::scope(|scope| {
        let lives: Vec<_> = (0..10).map(|nth| scope.spawn(move || life(nth))).collect();
        lives.into_iter().map(|life| life.join().unwrap()).collect()
    });
    let branches: HashSet<_> = done.iter().map(|(_, published)| published.branch.clone()).collect();
    assert_eq!(branches.len(), 10);
    for (nth, (work, published)) in done.iter().enumerate() {
        assert_eq!(user.git(["rev-parse", &published.branch]), work.head.to_string());
        assert_eq!(user.show(&published.branch, "shared.txt"), format!("job {nth}, round 2"));
        assert_eq!(work.paths, [format!("file-{nth}"), "shared.txt".to_owned()]);
    }
    assert_eq!(user.snapshot(), before);
    assert_eq!(fs::read_dir(user.root.path()).unwrap().count(), 1);
    user.git(["fsck", "--strict"]);
}

#[test]
fn a_job_that_repeats_what_another_did_within_the_second_did_it_too() {
    let user = User::new();
    for nth in 0..5 {
        let workspace = user.try_prepare(user.wanted(nth)).unwrap();
        agent_commits(&workspace, &[("same", "content\n")], "same");
        let work = collected(&workspace);
        publish(&workspace, &work).unwrap();
        assert!(work.changed && work.commits.len() == 1, "{nth}: {work:?}");
    }
}

#[test]
fn two_jobs_that_do_the_same_in_the_same_second_both_did_it() {
    let user = User::new();
    let (one, two) = (user.try_prepare(user.wanted(1)).unwrap(), user.try_prepare(user.wanted(2)).unwrap());
    let commit = |workspace: &Workspace| {
        write(&workspace.tree(), &[("same", "content\n")]);
        agent(workspace, ["add", "-A"]);
        let mut same = std::process::Command::new("git");
        same.current_dir(workspace.tree()).args(["-c", "core.hooksPath=/dev/null", "commit", "-qm", "same"]);
        same.env("GIT_AUTHOR_DATE", "1700000000 +0000").env("GIT_COMMITTER_DATE", "1700000000 +0000");
        same.env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(same.output().unwrap().status.success());
        collected(workspace)
    };
    let (first, second) = (commit(&one), commit(&two));
    assert_eq!(first.head, second.head);
    assert!(first.changed && second.changed, "{second:?}");
    assert_eq!(first.commits, second.commits);
}
