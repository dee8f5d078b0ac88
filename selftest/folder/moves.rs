//! Moving a file is asking for the act that the move means.

use std::fs;

use crate::world::World;

fn mv(world: &World, from: &str, to: &str) {
    fs::rename(world.repo().join(from), world.repo().join(to)).expect("the file can be moved");
}

/// A job in `review`, its file `job.md`.
fn reviewed() -> (World, String) {
    let world = World::new();
    let id = world.submit_script("job", "verify: ./check.sh\nreview-policy: manual\n", "write done.txt yes");
    world.run_once();
    assert_eq!(world.stage(&id), "review");
    (world, id)
}

#[test]
fn review_to_testing_approves_and_testing_to_shipped_ships() {
    let (world, id) = reviewed();
    mv(&world, "tasks/review/job.md", "tasks/testing/job.md");
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
    mv(&world, "tasks/testing/job.md", "tasks/shipped/job.md");
    world.run_once();
    assert_eq!(world.stage(&id), "shipped");
    assert_eq!(world.read("done.txt"), "yes\n", "shipping by hand merges too");
}

#[test]
fn review_to_failed_rejects_and_failed_to_inbox_requeues() {
    let (world, id) = reviewed();
    mv(&world, "tasks/review/job.md", "tasks/failed/job.md");
    world.run(&["status"]).exits(0);
    world.run_once();
    let job = world.job(&id);
    assert_eq!((job["stage"].as_str(), job["result"].as_str()), (Some("failed"), Some("rejected")), "{job:#}");
    mv(&world, "tasks/failed/job.md", "tasks/inbox/job.md");
    world.run_once();
    assert_eq!(world.stage(&id), "review", "it ran again");
    assert_eq!(world.job(&id)["runs"], 2);
}

#[test]
fn a_move_that_means_nothing_goes_back_with_a_note() {
    let (world, id) = reviewed();
    mv(&world, "tasks/review/job.md", "tasks/building/job.md");
    world.run_once();
    assert_eq!(world.stage(&id), "review");
    assert!(world.exists("tasks/review/job.md") && !world.exists("tasks/building/job.md"));
    let note = fs::read_dir(world.repo().join("tasks/review"))
        .expect("the bucket can be listed")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.file_name().is_some_and(|name| name != "job.md"))
        .expect("a note beside the file");
    let text = fs::read_to_string(note).expect("the note can be read");
    assert!(text.contains("approve"), "the note says what is possible:\n{text}");
}

#[test]
fn a_deleted_file_comes_back_and_a_deleted_folder_loses_nothing() {
    let (world, id) = reviewed();
    fs::remove_dir_all(world.repo().join("tasks")).expect("the folder can be deleted");
    world.run_once();
    assert_eq!(world.stage(&id), "review");
    assert!(world.exists("tasks/review/job.md"));
}
