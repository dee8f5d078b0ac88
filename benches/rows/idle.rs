//! A runner with nothing to do: time, writes, memory, words.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    lab::Lab,
    output::memory,
    report::{Goal, Row},
    rounds::Samples,
    world::{World, until},
};

pub(crate) fn rows(lab: &Lab) -> Vec<Row> {
    let world = World::new(lab, "idle", 1, "");
    let (said, complained) = (world.beside("stdout"), world.beside("stderr"));
    let file = |path| Stdio::from(fs::File::create(path).expect("a file can be made"));
    let mut runner =
        world.fleet(&["run"]).stdout(file(&said)).stderr(file(&complained)).spawn().expect("the program starts");
    let pid = runner.id();
    until("the runner to work", || world.repo().join(".fleet/fleet.db").exists());
    // What it does at its start is not idleness.
    std::thread::park_timeout(Duration::from_secs(3));
    let length = |path| fs::metadata(path).map_or(0, |file| file.len());
    let before = (cpu_seconds(pid), bytes_written(pid), length(&said) + length(&complained));
    let start = Instant::now();
    let window = Duration::from_secs(lab.of(60, 5));
    while let Some(left) = window.checked_sub(start.elapsed()) {
        std::thread::park_timeout(left);
    }
    let seconds = start.elapsed().as_secs_f64();
    let after = (cpu_seconds(pid), bytes_written(pid), length(&said) + length(&complained));
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the runner is there");
    let resident = memory(&status, "VmRSS:").expect("the system tells it");
    kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), Signal::SIGTERM).expect("the runner is ours");
    assert!(runner.wait().expect("it ends").success(), "an idle runner ends well");

    let over = |measured: f64| Samples { measured: vec![measured], denominator: vec![seconds] };
    let row = |name, measured, unit, goal, samples| Row {
        name,
        measured,
        against: "the seconds watched",
        unit,
        goal,
        samples,
    };
    vec![
        row("idle-cpu", "processor time of an idle `fleet run`", "s", Goal::Most(0.001), over(after.0 - before.0)),
        row("idle-writes", "bytes that it has written to disk", "B", Goal::Most(0.0), over(after.1 - before.1)),
        row("idle-words", "bytes that it has printed", "B", Goal::Most(0.0), over((after.2 - before.2) as f64)),
        Row {
            name: "idle-memory",
            measured: "resident memory of it, worker and coordinator in one",
            against: "20 MB of a worker and 40 MB of a coordinator",
            unit: "MiB",
            goal: Goal::Most(1.0),
            samples: Samples { measured: vec![resident], denominator: vec![60.0] },
        },
    ]
}

/// Of all its threads, to the nanosecond. Threads that ended meanwhile are not counted; an idle runner ends none.
fn cpu_seconds(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the runner is there");
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}

fn bytes_written(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).expect("the runner is ours");
    let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("the system tells it");
    bytes.parse().expect("a number")
}
