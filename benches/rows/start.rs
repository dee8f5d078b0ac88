//! From the claim to the agent's first instruction, against a checkout of the same repository alone.

use std::fs;

use jiff::Timestamp;

use super::{
    desk::task,
    lab::{Lab, settle},
    report::{Goal, Row},
    rounds::against,
    world::{World, done, timed},
};

pub(crate) fn rows(lab: &Lab) -> Vec<Row> {
    let started = lab.folder("start").join("shared/started");
    let world = World::new(lab, "start", lab.of(10_000, 2_000), &clock_engine(&started.to_string_lossy(), ""));
    let (mut number, mut trees) = (0, 0);
    let samples = against(
        lab.rounds(),
        &mut || {
            number += 1;
            let job = world.submit(&task(number, ""));
            settle();
            done(&mut world.fleet(&["run", "--once"]));
            (agents_clock(&started) - claimed_at(&world, &job)) * 1_000.0
        },
        &mut || {
            // None is removed before the end: what was deleted just now makes creating slow on some file systems, and a
            // run deletes its workspace once for both.
            trees += 1;
            let tree = world.beside(&format!("tree-{trees}"));
            let tree = tree.to_str().expect("a UTF-8 path");
            settle();
            timed(|| world.git(&["worktree", "add", "-q", "--detach", tree])) * 1_000.0
        },
    );
    vec![Row {
        name: "claim-to-agent",
        measured: "from the `claimed` event to the agent's own clock, 10,000 files (smoke: 2,000)",
        against: "`git worktree add` of the same repository",
        unit: "ms",
        goal: Goal::Most(1.3),
        samples,
    }]
}

/// Settings with an engine that notes the time as its first act, in nanoseconds, and goes on with `then`. Its confined runs
/// reach the folder of `started`, which is made.
pub(crate) fn clock_engine(started: &str, then: &str) -> String {
    let shared = std::path::Path::new(started).parent().expect("a file has a folder");
    fs::create_dir_all(shared).expect("a folder can be made");
    let script = format!("date +%s%N > '{started}'; {then}");
    format!(
        "[defaults]\nengine = \"clock\"\n\n[engines.clock]\ncommand = [\"sh\", \"-c\", {script:?}]\n\n[confinement]\nwrite = [{:?}]\n",
        shared.display().to_string()
    )
}

/// What the engine noted, in seconds.
pub(crate) fn agents_clock(started: &std::path::Path) -> f64 {
    let text = fs::read_to_string(started).expect("the agent has noted its start");
    text.trim().parse::<f64>().expect("a number") / 1e9
}

/// When the job was claimed, by the coordinator's clock, in seconds. It is asked for before the claim is committed.
fn claimed_at(world: &World, job: &str) -> f64 {
    let events = world.json(&["events", job]);
    let events = events["events"].as_array().expect("a list of events");
    let claimed = events.iter().find(|event| event["type"] == "claimed").expect("it was claimed");
    let at: Timestamp = claimed["at"].as_str().expect("a time").parse().expect("a time");
    at.as_millisecond() as f64 / 1e3
}
