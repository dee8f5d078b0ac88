//! What people do to the folder, one thing at a time, and how it is answered.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
};

use fleet_protocol::{Bucket, ErrorCode, JobResult, Problem, Stage};

use super::store::{MALFORMED, PACE, World, age};
use crate::queue::{QueueError, keeper::Pace};

#[tokio::test]
async fn a_file_dropped_into_the_inbox_is_submitted_byte_for_byte_and_stays() {
    let mut world = World::new();
    let text = "---\nengine: x\n---\r\n---\nGrüße\r\n";
    world.put(Bucket::Inbox, "größe 1.md", text);
    let report = world.reconcile().await;
    let job = world.store.job("größe 1.md");
    assert_eq!(report.taken_in, [job.id]);
    assert_eq!(world.store.sources(), [text]);
    assert_eq!(world.tree(), ["inbox/größe 1.md"]);
    assert_eq!(world.read(Bucket::Inbox, "größe 1.md"), text);
}

#[tokio::test]
async fn a_job_that_was_submitted_elsewhere_is_drawn_and_follows_its_stages() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.reconcile().await;
    assert_eq!(world.read(Bucket::Inbox, "a.md"), "do it");
    for stage in Stage::ALL {
        world.store.go("a.md", *stage);
        world.reconcile().await;
        assert_eq!(world.tree(), [format!("{}/a.md", stage.bucket())], "{stage}");
    }
}

#[tokio::test]
async fn every_possible_move_does_what_it_asks_for() {
    let moves = [
        (Stage::Review, Bucket::Testing, Stage::Testing),
        (Stage::Review, Bucket::Inbox, Stage::Queued),
        (Stage::Review, Bucket::Failed, Stage::Failed),
        (Stage::Testing, Bucket::Shipped, Stage::Shipped),
        (Stage::Testing, Bucket::Failed, Stage::Failed),
        (Stage::Failed, Bucket::Inbox, Stage::Queued),
        (Stage::DeadLetter, Bucket::Inbox, Stage::Queued),
        (Stage::Queued, Bucket::Failed, Stage::Failed),
        (Stage::Building, Bucket::Failed, Stage::Failed),
    ];
    for (from, to, then) in moves {
        let mut world = World::new();
        world.store.submit("a.md", "do it");
        world.store.go("a.md", from);
        world.reconcile().await;
        world.mv("a.md", from.bucket(), to);
        world.reconcile().await;
        assert_eq!(world.store.job("a.md").stage, then, "{from} to {to}");
        assert_eq!(world.tree(), [format!("{to}/a.md")], "{from} to {to}");
    }
}

#[tokio::test]
async fn a_move_without_meaning_goes_back_with_a_note() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.store.go("a.md", Stage::Review);
    world.reconcile().await;
    world.mv("a.md", Bucket::Review, Bucket::Shipped);
    world.reconcile().await;
    assert_eq!(world.store.job("a.md").stage, Stage::Review);
    assert_eq!(world.tree(), ["review/a.md", "review/a.md.note.txt"]);
    let note = world.note(Bucket::Review, "a.md");
    assert!(note.contains("no meaning") && note.contains("to testing (approve)"), "{note}");
}

#[tokio::test]
async fn a_note_goes_when_its_file_goes_on() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.store.go("a.md", Stage::Review);
    world.reconcile().await;
    world.mv("a.md", Bucket::Review, Bucket::Shipped);
    world.reconcile().await;
    world.mv("a.md", Bucket::Review, Bucket::Testing);
    world.reconcile().await;
    assert_eq!(world.tree(), ["testing/a.md"]);
}

#[tokio::test]
async fn what_the_store_refuses_goes_back_with_its_reason() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.store.go("a.md", Stage::Testing);
    world.reconcile().await;
    *world.store.refusal.lock().unwrap() = Some(Problem::new(ErrorCode::Conflict, "the checkout of main is dirty"));
    world.mv("a.md", Bucket::Testing, Bucket::Shipped);
    world.reconcile().await;
    assert_eq!(world.tree(), ["testing/a.md", "testing/a.md.note.txt"]);
    assert!(world.note(Bucket::Testing, "a.md").contains("the checkout of main is dirty"));
}

#[tokio::test]
async fn a_move_waits_while_the_store_is_away() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.store.go("a.md", Stage::Review);
    world.reconcile().await;
    *world.store.refusal.lock().unwrap() = Some(Problem::new(ErrorCode::Unavailable, "the database is locked"));
    world.mv("a.md", Bucket::Review, Bucket::Testing);
    let report = world.keeper.reconcile().await.unwrap();
    assert!(matches!(&report.problems[..], [QueueError::Store(_)]), "{:?}", report.problems);
    assert_eq!(world.tree(), ["testing/a.md"]);
    *world.store.refusal.lock().unwrap() = None;
    world.reconcile().await;
    assert_eq!(world.store.job("a.md").stage, Stage::Testing);
}

#[tokio::test]
async fn the_store_wins_over_a_move_made_meanwhile() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.reconcile().await;
    world.store.go("a.md", Stage::Building);
    world.mv("a.md", Bucket::Inbox, Bucket::Review);
    world.reconcile().await;
    assert_eq!(world.tree(), ["building/a.md", "building/a.md.note.txt"]);
    assert_eq!(world.store.job("a.md").stage, Stage::Building);
}

#[tokio::test]
async fn a_deleted_file_is_written_again_and_the_job_goes_on() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.store.submit("b.md", "do that");
    world.reconcile().await;
    fs::remove_file(world.path(Bucket::Inbox, "a.md")).unwrap();
    world.reconcile().await;
    assert_eq!(world.read(Bucket::Inbox, "a.md"), "do it");
    assert!(world.note(Bucket::Inbox, "a.md").contains("to failed (cancel)"));
}

#[tokio::test]
async fn deleting_the_whole_folder_loses_nothing() {
    let mut world = World::new();
    for (file, stage) in [("a.md", Stage::Queued), ("b.md", Stage::Review), ("c.md", Stage::Shipped)] {
        world.store.submit(file, file);
        world.store.go(file, stage);
    }
    world.reconcile().await;
    fs::remove_dir_all(world.home.path().join("tasks")).unwrap();
    world.reconcile().await;
    assert_eq!(world.tree(), ["inbox/a.md", "review/b.md", "shipped/c.md"]);
}

#[tokio::test]
async fn losing_the_memory_of_what_was_drawn_makes_no_second_job() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "do it");
    world.reconcile().await;
    world.store.go("a.md", Stage::Building);
    fs::remove_file(world.folder.state_file("queue.jsonl")).unwrap();
    world.restart();
    world.reconcile().await;
    assert_eq!(world.store.jobs().len(), 1);
    assert_eq!(world.tree(), ["building/a.md"]);
}

#[tokio::test]
async fn an_edit_of_a_submitted_file_is_kept_and_answered() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "do it");
    world.reconcile().await;
    fs::write(world.path(Bucket::Inbox, "a.md"), "do something else").unwrap();
    world.reconcile().await;
    assert_eq!(world.read(Bucket::Inbox, "a.md"), "do something else");
    assert!(world.note(Bucket::Inbox, "a.md").contains("no effect"));
    assert_eq!(world.store.sources(), ["do it"]);
}

#[tokio::test]
async fn the_same_file_dropped_again_is_another_job() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "nightly.md", "tidy up");
    world.reconcile().await;
    for stage in [Stage::Building, Stage::Review, Stage::Shipped] {
        world.store.go("nightly.md", stage);
        world.reconcile().await;
        let before = world.store.jobs().len();
        world.put(Bucket::Inbox, "nightly.md", "tidy up");
        world.reconcile().await;
        let newest = world.store.jobs().pop().unwrap();
        assert_eq!(world.store.jobs().len(), before + 1, "{stage}");
        assert!(world.path(Bucket::Inbox, &newest.file).exists());
        assert!(world.note(Bucket::Inbox, &newest.file).contains("nightly.md"));
        assert!(world.path(stage.bucket(), "nightly.md").exists());
    }
}

#[tokio::test]
async fn a_task_dropped_while_a_job_of_that_name_returns_to_the_inbox_becomes_its_own_job() {
    let mut world = World::new();
    world.store.submit("a.md", "first");
    world.store.go("a.md", Stage::Failed);
    world.reconcile().await;
    world.store.go("a.md", Stage::Queued);
    world.put(Bucket::Inbox, "a.md", "second");
    world.reconcile().await;
    assert_eq!(world.store.sources(), ["first", "second"]);
    assert_eq!(world.read(Bucket::Inbox, "a.md"), "first");
}

#[tokio::test]
async fn a_copy_outside_the_inbox_is_set_aside() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.store.go("a.md", Stage::Review);
    world.reconcile().await;
    fs::copy(world.path(Bucket::Review, "a.md"), world.path(Bucket::Testing, "a.md")).unwrap();
    world.reconcile().await;
    assert_eq!(world.tree(), ["quarantine/a.md", "quarantine/a.md.note.txt", "review/a.md"]);
    assert_eq!(world.store.job("a.md").stage, Stage::Review);
}

#[tokio::test]
async fn a_malformed_task_ends_in_failed_with_its_mistakes_and_runs_again_once_corrected() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", MALFORMED);
    world.reconcile().await;
    assert_eq!(world.store.job("a.md").result, Some(JobResult::InvalidManifest));
    assert_eq!(world.tree(), ["failed/a.md", "failed/a.md.note.txt"]);
    let note = world.note(Bucket::Failed, "a.md");
    assert!(note.contains("a.md:1:1: the front matter") && note.contains("no agent was started"), "{note}");
    // Moved back as it is: refused.
    world.mv("a.md", Bucket::Failed, Bucket::Inbox);
    world.reconcile().await;
    assert_eq!(world.tree(), ["failed/a.md", "failed/a.md.note.txt"]);
    // Corrected and moved back: a new job.
    world.mv("a.md", Bucket::Failed, Bucket::Inbox);
    world.put(Bucket::Inbox, "a.md", "corrected");
    world.reconcile().await;
    assert_eq!(world.store.sources(), [MALFORMED, "corrected"]);
    assert_eq!(world.read(Bucket::Failed, "a.md"), MALFORMED);
}

#[tokio::test]
async fn what_cannot_be_submitted_ends_in_failed_with_the_reason() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "latin.md", b"gr\xfc\xdfe");
    world.put(Bucket::Inbox, "cycle.md", "deps: cycle");
    world.put(Bucket::Inbox, "big.md", vec![b'x'; (4 << 20) + 1]);
    world.reconcile().await;
    assert!(world.store.jobs().is_empty());
    assert!(world.note(Bucket::Failed, "latin.md").contains("not UTF-8"));
    assert!(world.note(Bucket::Failed, "cycle.md").contains("form a cycle"));
    assert!(world.note(Bucket::Failed, "big.md").contains("larger than 4 MiB"));
    world.put(Bucket::Failed, "cycle.md", "no cycle");
    world.mv("cycle.md", Bucket::Failed, Bucket::Inbox);
    world.reconcile().await;
    assert_eq!(world.store.sources(), ["no cycle"]);
}

#[tokio::test]
async fn what_was_submitted_before_under_its_key_is_set_aside() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "key: 1\n");
    world.reconcile().await;
    world.put(Bucket::Inbox, "b.md", "key: 1\n");
    world.reconcile().await;
    assert_eq!(world.store.jobs().len(), 1);
    assert_eq!(world.tree(), ["inbox/a.md", "quarantine/b.md", "quarantine/b.md.note.txt"]);
}

#[tokio::test]
async fn links_folders_pipes_and_other_areas_never_become_jobs() {
    let mut world = World::new();
    let secret = world.home.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, world.path(Bucket::Inbox, "link.md")).unwrap();
    fs::create_dir(world.path(Bucket::Inbox, "folder.md")).unwrap();
    nix::unistd::mkfifo(&world.path(Bucket::Inbox, "pipe.md"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for area in ["quarantine", "archive", "logs", "inbox/deep", ".tmp"] {
        let area = world.home.path().join("tasks").join(area);
        fs::create_dir_all(&area).unwrap();
        fs::write(area.join("a.md"), "never").unwrap();
        age(&area.join("a.md"));
    }
    world.put(Bucket::Inbox, ".hidden.md", "never");
    world.put(Bucket::Inbox, "notes.txt", "never");
    world.put(Bucket::Review, "stranger.md", "never");
    world.reconcile().await;
    assert!(world.store.jobs().is_empty());
    assert!(world.note(Bucket::Inbox, "link.md").contains("links are not followed"));
    assert!(world.note(Bucket::Inbox, "folder.md").contains("a folder"));
    assert!(world.note(Bucket::Inbox, "pipe.md").contains("a pipe"));
    assert!(world.note(Bucket::Review, "stranger.md").contains("No job belongs"));
    fs::remove_file(world.path(Bucket::Inbox, "link.md")).unwrap();
    world.reconcile().await;
    assert!(!world.path(Bucket::Inbox, "link.md.note.txt").exists());
}

#[tokio::test]
async fn a_link_in_place_of_a_jobs_file_is_set_aside_unread() {
    let mut world = World::new();
    world.store.submit("a.md", "do it");
    world.reconcile().await;
    let path = world.path(Bucket::Inbox, "a.md");
    fs::remove_file(&path).unwrap();
    symlink("/etc/passwd", &path).unwrap();
    world.store.go("a.md", Stage::Failed);
    symlink("/etc/passwd", world.path(Bucket::Failed, "a.md")).unwrap();
    world.reconcile().await;
    assert_eq!(world.read(Bucket::Failed, "a.md"), "do it");
    assert!(!fs::symlink_metadata(world.path(Bucket::Failed, "a.md")).unwrap().is_symlink());
}

#[tokio::test]
async fn a_file_name_from_the_store_cannot_leave_the_folder() {
    let mut world = World::new();
    world.store.submit("../../escaped.md", "evil");
    world.store.submit("good.md", "good");
    let report = world.keeper.reconcile().await.unwrap();
    assert!(matches!(&report.problems[..], [QueueError::UnsafeName { .. }]));
    assert_eq!(world.tree(), ["inbox/good.md"]);
    assert!(!world.home.path().join("../escaped.md").exists());
}

#[tokio::test]
async fn a_file_that_was_written_a_moment_ago_waits_and_is_never_taken_in_by_halves() {
    let mut world = World::new();
    let path = world.path(Bucket::Inbox, "a.md");
    fs::write(&path, "first half, ").unwrap();
    let report = world.keeper.reconcile().await.unwrap();
    assert!(report.look_again.is_some_and(|wait| wait <= PACE.quiet) && world.store.jobs().is_empty());
    File::options().append(true).open(&path).unwrap().write_all(b"second half").unwrap();
    assert!(world.keeper.reconcile().await.unwrap().look_again.is_some());
    age(&path);
    world.reconcile().await;
    assert_eq!(world.store.sources(), ["first half, second half"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_somebody_still_writes_to_waits_however_old_it_is() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "first half, ");
    let mut writer = File::options().append(true).open(world.path(Bucket::Inbox, "a.md")).unwrap();
    let report = world.keeper.reconcile().await.unwrap();
    assert!(report.look_again.is_some() && world.store.jobs().is_empty());
    writer.write_all(b"second half").unwrap();
    drop(writer);
    age(&world.path(Bucket::Inbox, "a.md"));
    world.reconcile().await;
    assert_eq!(world.store.sources(), ["first half, second half"]);
}

#[tokio::test]
async fn an_empty_file_waits_for_its_content() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "");
    world.reconcile().await;
    assert!(world.store.jobs().is_empty() && world.note(Bucket::Inbox, "a.md").contains("empty"));
    world.put(Bucket::Inbox, "a.md", "now");
    world.reconcile().await;
    assert_eq!(world.store.sources(), ["now"]);
    assert_eq!(world.tree(), ["inbox/a.md"]);
}

#[tokio::test]
async fn a_run_that_ends_by_itself_waits_for_what_was_dropped_just_before() {
    let mut world = World::new();
    world.restart();
    let quick = Pace { quiet: std::time::Duration::from_millis(80), ..PACE };
    world.keeper = world.keeper.at_pace(quick);
    fs::write(world.path(Bucket::Inbox, "a.md"), "do it").unwrap();
    let report = world.keeper.reconcile_settled(std::time::Duration::from_secs(20)).await.unwrap();
    assert_eq!(report.taken_in.len(), 1);
}

#[tokio::test]
async fn a_submission_that_a_crash_interrupted_is_found_again_under_its_new_name() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "first");
    world.reconcile().await;
    world.store.go("a.md", Stage::Review);
    world.reconcile().await;
    world.put(Bucket::Inbox, "a.md", "second");
    // The process dies after the store has the job, before its file has its name.
    let taking = super::super::journal::Taking { file: "a.md".to_owned(), digest: sha256("second") };
    world.keeper.journal.begin_taking(taking).unwrap();
    let (job, _) = world.store.submit("a.md", "second");
    world.restart();
    world.reconcile().await;
    assert_eq!(world.store.jobs().len(), 2);
    assert_eq!(world.read(Bucket::Inbox, &job.file), "second");
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_clear_error_and_goes_on_when_it_can() {
    if nix::unistd::geteuid().is_root() {
        // Root writes everywhere; a bucket that is a file is the nearest thing.
        let mut world = World::new();
        world.put(Bucket::Inbox, "a.md", "do it");
        world.reconcile().await;
        world.store.go("a.md", Stage::Review);
        let review = world.folder.bucket(Bucket::Review);
        fs::remove_dir(&review).unwrap();
        fs::write(&review, "").unwrap();
        let error = world.keeper.reconcile().await.unwrap_err();
        assert!(error.to_string().contains("review"), "{error}");
        fs::remove_file(&review).unwrap();
        world.reconcile().await;
        assert_eq!(world.tree(), ["review/a.md"]);
        return;
    }
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "do it");
    world.reconcile().await;
    world.store.go("a.md", Stage::Review);
    let review = world.folder.bucket(Bucket::Review);
    fs::set_permissions(&review, fs::Permissions::from_mode(0o555)).unwrap();
    let report = world.keeper.reconcile().await.unwrap();
    assert!(matches!(&report.problems[..], [QueueError::Disk { verb: "rename", .. }]), "{:?}", report.problems);
    assert_eq!(world.tree(), ["inbox/a.md"]);
    fs::set_permissions(&review, fs::Permissions::from_mode(0o755)).unwrap();
    world.reconcile().await;
    assert_eq!(world.tree(), ["review/a.md"]);
}

#[tokio::test]
async fn two_processes_that_redraw_at_once_take_a_file_in_once() {
    let mut world = World::new();
    for n in 0..20 {
        world.put(Bucket::Inbox, &format!("{n}.md"), format!("task {n}"));
    }
    let keepers: Vec<_> = (0..4)
        .map(|_| {
            world.restart();
            let fresh = World::new().keeper;
            std::mem::replace(&mut world.keeper, fresh)
        })
        .collect();
    let all = keepers.into_iter().map(|mut keeper| async move { keeper.reconcile().await.unwrap().taken_in.len() });
    let taken: usize = futures_util::future::join_all(all).await.into_iter().sum();
    assert_eq!((taken, world.store.jobs().len()), (20, 20));
}
