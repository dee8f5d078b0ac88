//! Corruptions that are planted, each found by name; and nothing found where nothing is wrong.

use std::path::PathBuf;

use fleet_protocol::Action;
use rusqlite::Connection;

use super::{Audit, audit};
use crate::{
    lifecycle::Input,
    store::{
        backup::{BackupError, backup},
        tests::fixture::{Kept, another, change, claim, on_file, submit},
    },
};

fn act(action: Action) -> Input {
    Input::Act { action, actor: "operator:ann".to_owned(), reason: None, commit: None }
}

fn file(kept: &Kept) -> PathBuf {
    kept.folder.path().join("fleet.db")
}

/// A queued job (1), one that is held (2), and one with two ended runs (3).
async fn lived_in() -> Kept {
    let kept = on_file();
    for number in 1..=3 {
        submit(&kept.store, number).await;
    }
    claim(&kept.store, 2).await.unwrap();
    for _ in 0..2 {
        claim(&kept.store, 3).await.unwrap();
        kept.store.job_commit(change(&kept.store, 3, &act(Action::Requeue))).await.unwrap();
    }
    kept
}

fn codes(audit: &Audit) -> Vec<&'static str> {
    let mut codes: Vec<_> = audit.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_wrong() {
    let kept = lived_in().await;
    let found = audit(&file(&kept)).unwrap();
    assert_eq!(found.findings, []);
    assert_eq!((found.jobs, found.events), (3, 8));
}

/// What is done to the file by someone who goes past the store, and the word that must be among the findings.
const PLANTED: &[(&str, &str)] = &[
    (
        "two_leases",
        "DROP INDEX leases_one_holder;
         INSERT INTO leases SELECT job, epoch + 7, product, 'f9', status, claimed_at, expires_at, NULL, NULL, NULL, NULL
         FROM leases WHERE status = 'active'",
    ),
    ("held_without_lease", "UPDATE leases SET status = 'released' WHERE status = 'active'"),
    (
        "lease_without_hold",
        "INSERT INTO leases SELECT pk, 1, product, 'f9', 'active', 0, 0, NULL, NULL, NULL, NULL
         FROM jobs WHERE stage = 'queued' AND lease_epoch = 0",
    ),
    ("lease_disagrees", "UPDATE jobs SET lease_holder = 'f9' WHERE stage = 'assigned'"),
    ("epoch_behind", "UPDATE jobs SET lease_epoch = 1, lease_at_epoch = 1 WHERE lease_epoch > 2"),
    ("out_of_sight", "UPDATE jobs SET front = 0 WHERE stage = 'queued'"),
    ("events_gap", "DROP TRIGGER events_are_kept; DELETE FROM events WHERE job = 3 AND seq = 2"),
    ("history_jumps", "DROP TRIGGER events_stay; UPDATE events SET stage_from = 'review' WHERE job = 3 AND seq = 3"),
    ("stage_untold", "UPDATE jobs SET stage = 'testing' WHERE lease_epoch = 0"),
    ("runs_gap", "DELETE FROM runs WHERE number = 1 AND job = 3"),
    ("runs_uncounted", "DELETE FROM runs WHERE number = 2 AND job = 3"),
    ("run_without_end", "UPDATE runs SET doc = json_remove(doc, '$.endedAt') WHERE job = 3 AND number = 2"),
    ("text_missing", "DELETE FROM texts WHERE job = 1"),
    ("version", "DELETE FROM meta"),
    ("orphaned", "INSERT INTO runs SELECT 99, number, doc FROM runs WHERE job = 2"),
    ("schema", "DROP TRIGGER events_stay"),
    ("unreadable", "UPDATE jobs SET doc = '{' WHERE pk = 1"),
    ("unreadable", "UPDATE jobs SET doc = json_set(doc, '$.v', 99) WHERE pk = 1"),
    ("unreadable", "UPDATE runs SET doc = json_set(doc, '$.number', 7) WHERE job = 3 AND number = 2"),
    ("unreadable", "DROP TRIGGER events_stay; UPDATE events SET type = 'sneezed' WHERE job = 1"),
    ("damaged", "PRAGMA ignore_check_constraints = ON; UPDATE jobs SET stage = 'building' WHERE pk = 1"),
    (
        "damaged",
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'jobs_stage')
         WHERE name = 'jobs_key'",
    ),
];

#[tokio::test]
async fn each_planted_corruption_is_found_by_name() {
    let kept = lived_in().await;
    drop(kept.store);
    let whole = kept.folder.path().join("whole.db");
    backup(&kept.folder.path().join("fleet.db"), &whole).unwrap();
    for (nth, (code, plant)) in PLANTED.iter().enumerate() {
        let path = kept.folder.path().join(format!("{nth}.db"));
        std::fs::copy(&whole, &path).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("PRAGMA foreign_keys = OFF; {plant}")).unwrap();
        assert!(conn.changes() > 0 || plant.starts_with("DROP"), "nothing was planted: {plant}");
        drop(conn);
        let found = audit(&path).unwrap();
        assert!(codes(&found).contains(code), "{plant}\nis not found as {code}: {:#?}", found.findings);
    }
}

#[tokio::test]
async fn pages_that_were_overwritten_are_damage_and_no_error() {
    let kept = lived_in().await;
    drop(kept.store);
    let whole = kept.folder.path().join("whole.db");
    let size = backup(&kept.folder.path().join("fleet.db"), &whole).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let pages = usize::try_from(size / 4096).unwrap();
    for page in 1..pages {
        let path = kept.folder.path().join(format!("page-{page}.db"));
        let mut broken = bytes.clone();
        broken[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(&path, broken).unwrap();
        let found = audit(&path).unwrap();
        assert!(codes(&found).contains(&"damaged"), "page {page}: {:#?}", found.findings);
    }
}

#[tokio::test]
async fn a_backup_made_while_others_write_is_whole_of_one_moment_and_alone() {
    let kept = lived_in().await;
    let (to, from) = (kept.folder.path().join("copies"), file(&kept));
    std::fs::create_dir(&to).unwrap();
    let other = another(&kept.folder);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let copying = std::thread::spawn(move || {
        let mut nth = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) || nth == 0 {
            backup(&from, &to.join(format!("{nth}.db"))).unwrap();
            nth += 1;
        }
        (to, nth)
    });
    for number in 10..90 {
        submit(&other, number).await;
        claim(&other, number).await.unwrap();
        kept.store.job_commit(change(&kept.store, number, &act(Action::Cancel))).await.unwrap();
    }
    stop.send(()).unwrap();
    let (folder, copies) = copying.join().unwrap();
    let mut last = 0;
    for nth in 0..copies {
        let found = audit(&folder.join(format!("{nth}.db"))).unwrap();
        assert_eq!(found.findings, [], "copy {nth}");
        assert!(found.jobs >= last, "a later copy holds no less");
        last = found.jobs;
    }
    let names = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(names, copies, "a copy is one file, also after it was looked at");
}

#[tokio::test]
async fn a_restored_backup_goes_on_where_it_was_made() {
    let kept = lived_in().await;
    let elsewhere = tempfile::tempdir().unwrap();
    backup(&file(&kept), &elsewhere.path().join("fleet.db")).unwrap();
    let restored = another(&elsewhere);
    claim(&restored, 1).await.unwrap();
    restored.job_commit(change(&restored, 1, &act(Action::Cancel))).await.unwrap();
    assert_eq!(audit(&elsewhere.path().join("fleet.db")).unwrap().findings, []);
    let mode: String = Connection::open(elsewhere.path().join("fleet.db"))
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal", "others are told of its changes as before");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_a_failed_one_leaves_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let kept = lived_in().await;
    let to = kept.folder.path().join("copy.db");
    backup(&file(&kept), &to).unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(backup(&file(&kept), &to), Err(BackupError::Exists { .. })));
    let nowhere = kept.folder.path().join("no/such/folder.db");
    assert!(matches!(backup(&file(&kept), &nowhere), Err(BackupError::Io { .. })));
    let letter = kept.folder.path().join("letter");
    std::fs::write(&letter, "this is a letter, and long enough to have a header".repeat(40)).unwrap();
    let other = kept.folder.path().join("other.db");
    assert!(matches!(backup(&letter, &other), Err(BackupError::Open(_))));
    assert!(!other.exists());
}
