//! How runs end, and that nothing outlives them.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::bench::{Bench, marked, signal, until};

#[test]
fn an_exit_code_is_recorded() {
    let record = Bench::script("exit 7").record();
    assert_eq!(record["reason"], "exited");
    assert_eq!((&record["exit_code"], &record["signal"]), (&json!(7), &Value::Null));
    assert_eq!(record["leftovers"], 0);
    assert!(record["peak_memory"].as_u64().is_some_and(|bytes| bytes > 0));
}

#[test]
fn the_signal_that_ended_an_agent_is_recorded() {
    let record = Bench::script("kill -KILL $$").record();
    assert_eq!(record["reason"], "exited");
    assert_eq!((&record["exit_code"], &record["signal"]), (&Value::Null, &json!(9)));
}

#[test]
fn a_timeout_ends_children_grandchildren_and_daemons() {
    let script = "sh -c 'sleep 1000 & sleep 1000 & wait' & \
                  (setsid sleep 1000 &); (env -i PATH=/usr/bin:/bin setsid sh -c 'sleep 1000; : MARK' &) ; wait";
    let mut shim = Bench::script(script).limit("timeout_ms", 1_000).start();
    // The agent, a shell, its two sleeps, two daemons; the shell that dropped its environment has a sleep of its own.
    until("the tree has grown", || marked(&shim.token).len() >= 6);
    let start = Instant::now();
    let record = shim.record();
    assert_eq!(record["reason"], "timeout");
    assert_eq!(record["signal"], 15);
    assert_eq!(record["forced"], 0);
    assert!(start.elapsed() < Duration::from_secs(5), "all of it ends when asked: {:?}", start.elapsed());
}

#[test]
fn a_tree_that_ignores_the_request_is_killed_after_the_grace() {
    let script = "trap '' TERM; (setsid sh -c 'sleep 1000; sleep 1000' &); sleep 1000; sleep 1000";
    let bench = Bench::script(script).limit("timeout_ms", 300).limit("grace_ms", 400);
    let record = bench.record();
    assert_eq!(record["reason"], "timeout");
    assert_eq!(record["signal"], 9);
    assert!(record["forced"].as_u64() >= Some(4), "{record}");
    assert!(record["duration_ms"].as_u64() >= Some(700), "{record}");
    assert_eq!(record["survivors"], 0);
}

#[test]
fn the_limit_that_is_reached_first_names_the_end() {
    const SOON: u64 = 100;
    const LATE: u64 = 60_000;
    let cases = [
        (None, None, "exited"),
        (Some(SOON), None, "timeout"),
        (None, Some(SOON), "budget"),
        (Some(SOON), Some(LATE), "timeout"),
        (Some(LATE), Some(SOON), "budget"),
    ];
    for (timeout, wall, reason) in cases {
        let mut bench = Bench::script(if reason == "exited" { ":" } else { "exec sleep 1000" });
        for (name, limit) in [("timeout_ms", timeout), ("wall_ms", wall)] {
            bench = limit.into_iter().fold(bench, |bench, millis| bench.limit(name, millis));
        }
        assert_eq!(bench.record()["reason"], reason, "{timeout:?} {wall:?}");
    }
}

#[test]
fn what_an_agent_leaves_behind_is_ended_and_counted() {
    let record = Bench::script("(setsid sleep 1000 &); (sleep 1000 &) ; exit 0").record();
    assert_eq!((&record["reason"], &record["exit_code"]), (&json!("exited"), &json!(0)));
    assert_eq!(record["leftovers"], 2);
    assert_eq!(record["forced"], 0);
}

#[test]
fn a_stubborn_daemon_does_not_outlive_the_agent() {
    let script = "(trap '' TERM; setsid sh -c 'while :; do sleep 1; done' &) ; exit 0";
    let record = Bench::script(script).record();
    assert_eq!(record["exit_code"], 0);
    assert!(record["forced"].as_u64() >= Some(1), "{record}");
    assert!(record["duration_ms"].as_u64() < Some(10_000), "leftovers get a short grace: {record}");
}

#[test]
fn processes_that_keep_forking_are_ended() {
    // Each generation starts the next one in a new session and ends, so that no pid stays the same for long.
    let script = "cat > loop <<'X'\ntrap '' TERM\nsetsid sh ./loop &\nX\nsh ./loop; echo forking; exec sleep 1000";
    let bench = Bench::script(script).limit("grace_ms", 100);
    let cwd = bench.dir.display().to_string();
    let mut shim = bench.with("cwd", cwd.into()).start();
    shim.prints("forking");
    signal(shim.pid(), Signal::SIGTERM);
    assert_eq!(shim.record()["survivors"], 0);
}

#[test]
fn a_plain_sigterm_to_the_shim_stops_the_run_and_a_hangup_does_not() {
    let mut shim = Bench::script("echo up; exec sleep 1000").start();
    shim.prints("up");
    signal(shim.pid(), Signal::SIGHUP);
    assert_eq!(shim.tell(json!({"do": "status"}))["status"]["state"], "working");
    signal(shim.pid(), Signal::SIGTERM);
    let record = shim.record();
    assert_eq!((&record["reason"], &record["signal"]), (&json!("stopped"), &json!(15)));
}
