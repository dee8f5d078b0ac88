//! Many at once: threads, stores on one file, and processes that stop in the middle.

use std::collections::BTreeSet;

use fleet_protocol::{
    Action, Manifest,
    api::{JobsQuery, PatchJob},
    job::Progress,
};

use super::fixture::{Kept, PRODUCT, another, change, claim, id, newcomer, now, on_file, seqs, submit};
use crate::{
    lifecycle::{self, Input},
    store::{Commit, CommitError, Place, Store},
};

const THREADS: u64 = 8;
const CHANGES: u64 = 25;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Each thread adds to one number in one job, on what it read. No addition may get lost.
#[test]
fn no_change_is_lost_between_stores_on_one_file() {
    let kept = on_file();
    runtime().block_on(async {
        submit(&kept.store, 1).await;
        claim(&kept.store, 1).await.unwrap();
    });
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let kept = &kept;
            scope.spawn(move || {
                let own = (thread % 2 == 0).then(|| another(&kept.folder));
                let store = own.as_ref().unwrap_or(&kept.store);
                runtime().block_on(async {
                    for _ in 0..CHANGES {
                        count_up(store).await;
                    }
                });
            });
        }
    });
    let job = kept.store.job_load(PRODUCT, &id(1)).unwrap().unwrap().job;
    assert_eq!(u64::from(job.progress.unwrap().step.unwrap()), THREADS * CHANGES);
    assert_eq!(job.rev, 2 + THREADS * CHANGES);
    assert_eq!(seqs(&kept.store, 1), (1..=2 + THREADS * CHANGES).collect::<Vec<_>>(), "gaps or doubles");
}

async fn count_up(store: &Store) {
    loop {
        let snapshot = store.job_load(PRODUCT, &id(1)).unwrap().unwrap();
        let step = snapshot.job.progress.as_ref().and_then(|progress| progress.step).unwrap_or(0) + 1;
        let patch = PatchJob {
            lease_epoch: 1,
            progress: Some(Progress { step: Some(step), ..Progress::default() }),
            ..PatchJob::default()
        };
        let input = Input::Patch { factory: "f1".to_owned(), patch: Box::new(patch) };
        let step = lifecycle::step(&snapshot.job, snapshot.run.as_ref(), &input, now()).unwrap();
        match store.job_commit(Commit::of(&snapshot.job, step, now())).await {
            Ok(_) => return,
            Err(CommitError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whoever reads meanwhile sees a change with its event or neither, and never one that is not answered for.
#[test]
fn a_reader_sees_job_and_history_move_together() {
    let kept = on_file();
    runtime().block_on(submit(&kept.store, 1));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let db = super::fixture::stranger(&kept.folder);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let (rev, events): (i64, i64) = db
                    .query_row("SELECT rev, (SELECT max(seq) FROM events) FROM jobs", [], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })
                    .unwrap();
                assert_eq!(rev, events);
            }
        });
        let db = super::fixture::stranger(&kept.folder);
        runtime().block_on(async {
            for round in 0..100 {
                let action = if round % 2 == 0 { Action::Hold } else { Action::Release };
                let act = Input::Act { action, actor: "operator:ann".to_owned(), reason: None, commit: None };
                let job = kept.store.job_commit(change(&kept.store, 1, &act)).await.unwrap();
                let seen: u64 =
                    db.query_row("SELECT rev FROM jobs", [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
                assert_eq!(seen, job.rev, "it was answered before it was there");
            }
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_crowd_of_submitters_is_taken_in_whole() {
    let kept = on_file();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let kept = &kept;
            scope.spawn(move || {
                let store = another(&kept.folder);
                runtime().block_on(async {
                    let submits =
                        (0..100).map(|number| store.job_commit(newcomer(thread * 1_000 + number, Manifest::default())));
                    for outcome in futures_util::future::join_all(submits).await {
                        outcome.unwrap();
                    }
                });
            });
        }
    });
    let page = kept.store.jobs_page(PRODUCT, &JobsQuery::default(), 0, 1_000).unwrap();
    assert_eq!(page.items.iter().map(|job| &job.id).collect::<BTreeSet<_>>().len(), 400);
}

/// Power fails while the log is being written: whatever of its end is missing, what is left is whole and in order.
#[test]
fn a_log_cut_anywhere_leaves_a_database_that_is_whole() {
    let Kept { store, folder } = on_file();
    runtime().block_on(async {
        for number in 1..=30 {
            submit(&store, number).await;
        }
    });
    let db = std::fs::read(folder.path().join("fleet.db")).unwrap();
    let wal = std::fs::read(folder.path().join("fleet.db-wal")).unwrap();
    let mut most = 0;
    for cut in (0..=40).map(|part| wal.len() * part / 40) {
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("fleet.db"), &db).unwrap();
        std::fs::write(copy.path().join("fleet.db-wal"), &wal[..cut]).unwrap();
        let Ok(store) = Store::open(Place::File(copy.path().join("fleet.db"))) else {
            assert_eq!(most, 0, "a later cut cannot be worse");
            continue;
        };
        let check: String =
            super::fixture::stranger(&copy).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        let jobs = store.jobs_page(PRODUCT, &JobsQuery::default(), 0, 1_000).unwrap().items;
        let expected: Vec<_> = (1..=30).map(id).take(jobs.len()).collect();
        assert_eq!(jobs.into_iter().map(|job| job.id).collect::<Vec<_>>(), expected);
        assert!(expected.len() >= most);
        most = expected.len();
        for number in 1..=u64::try_from(most).unwrap() {
            assert_eq!(seqs(&store, number), [1]);
        }
    }
    assert_eq!(most, 30, "the whole log holds all that was answered");
}
