//! Files dropped into `inbox/` by any tool.

use std::{fs, io::Write};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::world::{World, until};

fn jobs(world: &World) -> Vec<Value> {
    world.run(&["jobs", "--json"]).exits(0).json()["jobs"].as_array().expect("a list of jobs").clone()
}

const TASK: &str = "---\nengine: scripted\nverify: ./check.sh\n---\n# Dropped\n\n```script\nwrite done.txt yes\n```\n";

#[test]
fn a_file_dropped_by_hand_is_worked_on_and_moves_through_the_folder() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    let elsewhere = world.folder().join("größe und mehr.md");
    fs::write(&elsewhere, TASK).expect("the file can be written");
    fs::rename(&elsewhere, world.repo().join("tasks/inbox/größe und mehr.md")).expect("the file can be moved in");
    world.run_once();
    assert_eq!(jobs(&world)[0]["stage"], "testing");
    assert_eq!(world.read("tasks/testing/größe und mehr.md"), TASK, "the file is the same, byte for byte");
    assert!(!world.exists("tasks/inbox/größe und mehr.md"));
}

#[test]
fn without_notifications_a_dropped_file_is_found_by_looking() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    let mut runner = world.fleet();
    let runner = runner.args(["run", "--set", "worker.notify=false", "--set", "worker.poll=200ms"]);
    let runner = runner.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let runner = runner.spawn().expect("a runner starts");
    // With the second one the runner is long at work, and nothing but the clock can wake it.
    for name in ["first.md", "second.md"] {
        let elsewhere = world.folder().join(name);
        fs::write(&elsewhere, TASK).expect("the file can be written");
        fs::rename(&elsewhere, world.repo().join("tasks/inbox").join(name)).expect("the file can be moved in");
        until("the job to be done", || world.exists(&format!("tasks/testing/{name}")).then_some(()));
    }
    end(runner);
}

#[test]
fn a_malformed_file_goes_to_failed_with_every_mistake_noted_and_no_agent_starts() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    world.write("tasks/inbox/bad.md", "---\npriority: urgent\ntimeout: soon\n---\n# Bad\n");
    world.run_once();
    let jobs = jobs(&world);
    assert_eq!(
        (jobs[0]["stage"].as_str(), jobs[0]["result"].as_str()),
        (Some("failed"), Some("invalid_manifest")),
        "{jobs:#?}"
    );
    assert_eq!(jobs[0]["runs"], 0);
    assert!(world.exists("tasks/failed/bad.md"));
    let notes: String = fs::read_dir(world.repo().join("tasks/failed"))
        .expect("the bucket can be listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name != "bad.md"))
        .map(|path| fs::read_to_string(path).expect("a note can be read"))
        .collect();
    assert!(
        notes.contains("2:") && notes.contains("3:") && notes.contains("urgent") && notes.contains("soon"),
        "{notes}"
    );
}

#[test]
fn a_file_written_in_two_halves_never_launches_with_half_a_body() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    let runner = world.fleet().arg("run").stderr(std::process::Stdio::null()).spawn().expect("the runner starts");
    let (first, second) = TASK.split_at(TASK.len() / 2);
    let mut file = fs::File::create(world.repo().join("tasks/inbox/halves.md")).expect("the file can be made");
    file.write_all(first.as_bytes()).expect("the first half");
    file.sync_all().expect("the first half is there");
    // The pause is the subject of this test: a writer that takes a second between two writes.
    std::thread::sleep(std::time::Duration::from_secs(1));
    file.write_all(second.as_bytes()).expect("the second half");
    drop(file);
    let job = until("the job to be proven", || jobs(&world).into_iter().find(|job| job["stage"] == "testing"));
    assert_eq!(jobs(&world).len(), 1, "one file is one job");
    assert_eq!(job["runs"], 1);
    end(runner);
}

#[test]
fn what_lies_beside_the_buckets_is_never_a_job() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    for place in [
        "tasks/loose.md",
        "tasks/archive/old.md",
        "tasks/quarantine/odd.md",
        "tasks/inbox/sub/deep.md",
        "tasks/inbox/.hidden.md",
        "tasks/inbox/notes.txt",
    ] {
        world.write(place, TASK);
    }
    world.run_once();
    assert_eq!(jobs(&world), Vec::<Value>::new());
}

/// Ends a runner gently and waits for it.
fn end(mut runner: std::process::Child) {
    let pid = i32::try_from(runner.id()).expect("a pid fits");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the runner lives");
    assert!(runner.wait().expect("the runner ends").code().is_some());
}
