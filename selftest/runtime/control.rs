//! What an owner can ask of a running shim, and what happens without one.

use std::{fs, io::Write, os::unix::net::UnixStream, process::Command};

use nix::sys::signal::Signal;
use serde_json::json;

use super::bench::{Bench, marked, signal, state, tell, until};

const IDLE: &str = "echo up; exec sleep 1000";

#[test]
fn a_stop_names_the_end_and_the_first_reason_stays() {
    let mut shim = Bench::script("trap '' TERM; echo up; while :; do sleep 0.01; done").start();
    shim.prints("up");
    let answer = shim.tell(json!({"do": "stop", "reason": "cancelled", "grace_ms": 60_000}));
    assert_eq!(answer["status"]["state"], "ending");
    // A later one can only make it quicker.
    shim.tell(json!({"do": "stop", "reason": "drained", "grace_ms": 0}));
    let record = shim.record();
    assert_eq!((&record["reason"], &record["signal"]), (&json!("cancelled"), &json!(9)));
}

#[test]
fn only_the_key_opens_the_socket() {
    let mut shim = Bench::script(IDLE).start();
    shim.prints("up");
    let refusal = json!({"refused": "wrong key"});
    assert_eq!(tell(&shim.dir, "another", json!({"do": "kill"})), refusal);
    // The agent knows the launch token, and is not its own owner.
    let token = shim.token.clone();
    assert_eq!(tell(&shim.dir, &token, json!({"do": "hello"})), refusal);
    assert!(shim.tell(json!({"do": "dance"}))["refused"].is_string());
    assert_eq!(shim.tell(json!({"do": "status"}))["status"]["state"], "working");
    shim.tell(json!({"do": "kill"}));
    assert_eq!(shim.record()["reason"], "stopped");
}

#[test]
fn callers_that_say_nothing_or_too_much_hold_up_nobody() {
    let mut shim = Bench::script(IDLE).start();
    shim.prints("up");
    let connect = || UnixStream::connect(shim.dir.join("control.sock")).expect("it listens");
    let silent: Vec<UnixStream> = (0..10).map(|_| connect()).collect();
    // It may hang up in the middle.
    drop(connect().write_all(&vec![b'x'; 1_000_000]));
    assert_eq!(shim.tell(json!({"do": "status"}))["status"]["state"], "working");
    drop(silent);
    shim.tell(json!({"do": "stop", "reason": "stopped", "grace_ms": null}));
    assert_eq!(shim.record()["reason"], "stopped");
}

#[test]
fn a_pause_stops_the_whole_tree_and_a_resume_wakes_it() {
    let script = "(setsid sh -c 'while :; do :; done' &); sh -c 'while :; do :; done' & echo up; wait";
    let mut shim = Bench::script(script).limit("timeout_ms", 60_000).start();
    shim.prints("up");
    until("the tree has grown", || marked(&shim.token).len() >= 3);
    let stopped = || marked(&shim.token).into_iter().filter(|pid| state(*pid) == Some('T')).count();
    let paused = shim.tell(json!({"do": "pause"}))["status"].clone();
    assert_eq!(paused["state"], "paused");
    let all = marked(&shim.token).len();
    until("all of it is stopped", || stopped() == all);
    let cpu = cpu_ticks(&shim.token);
    // Its working time stands still while time goes on.
    until("time has gone on", || {
        let now = shim.tell(json!({"do": "status"}))["status"].clone();
        assert_eq!(now["worked_ms"], paused["worked_ms"]);
        now["elapsed_ms"].as_u64() > paused["elapsed_ms"].as_u64().map(|ms| ms + 200)
    });
    assert_eq!(cpu_ticks(&shim.token), cpu);
    assert_eq!(shim.tell(json!({"do": "resume"}))["status"]["state"], "working");
    until("it works again", || stopped() == 0 && cpu_ticks(&shim.token) > cpu);
    shim.tell(json!({"do": "kill"}));
    shim.record();
}

#[test]
fn a_paused_run_hears_the_request_to_end() {
    let mut shim = Bench::script("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done").start();
    shim.prints("up");
    shim.tell(json!({"do": "pause"}));
    shim.tell(json!({"do": "stop", "reason": "preempted", "grace_ms": null}));
    let record = shim.record();
    assert_eq!(
        (&record["reason"], &record["exit_code"], &record["forced"]),
        (&json!("preempted"), &json!(3), &json!(0))
    );
    assert!(shim.output().contains("bye"));
}

#[test]
fn a_run_outlives_its_worker_but_not_the_owners_silence() {
    let bench = Bench::script(IDLE).limit("owner_silence_ms", 1_500);
    bench.write_spec();
    let script = format!("{} shim {} & wait", env!("CARGO_BIN_EXE_fleet"), bench.dir.display());
    let worker = Command::new("sh").args(["-c", &script]).spawn().expect("a worker");
    let worker_pid = i32::try_from(worker.id()).expect("a pid");
    let mut shim = bench.started(worker);
    shim.prints("up");
    signal(worker_pid, Signal::SIGKILL);
    until("the worker is dead", || shim.process.try_wait().expect("it can be waited for").is_some());
    // Another one speaks to it for longer than the silence may last.
    until("the owner has been heard", || {
        let status = shim.tell(json!({"do": "hello"}))["status"].clone();
        assert_eq!(status["state"], "working");
        status["elapsed_ms"].as_u64() > Some(2_500)
    });
    let record = shim.record();
    assert_eq!((&record["reason"], &record["signal"]), (&json!("owner_gone"), &json!(15)));
    assert!(record["duration_ms"].as_u64() >= Some(4_000), "{record}");
}

#[test]
fn a_folder_with_a_long_path_can_be_talked_to() {
    let mut bench = Bench::script(IDLE);
    for _ in 0..3 {
        bench.dir.push("x".repeat(70));
    }
    fs::create_dir_all(&bench.dir).expect("a deep folder");
    let mut shim = bench.start();
    shim.prints("up");
    assert_eq!(shim.tell(json!({"do": "stop", "reason": "stalled", "grace_ms": null}))["status"]["state"], "ending");
    assert_eq!(shim.record()["reason"], "stalled");
    assert!(!shim.dir.join("control.sock").exists());
}

/// Processor time of all processes of a run.
fn cpu_ticks(token: &str) -> u64 {
    let ticks = |pid: i32| -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    };
    marked(token).into_iter().filter_map(ticks).sum()
}
