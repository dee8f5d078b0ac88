//! An agent that prints without measure costs the runner neither memory nor disk without measure.

use std::{fs, process::Stdio};

use crate::world::{World, until};

/// What every stream of these tests is cut at, bytes.
const KEPT: usize = 1 << 20;

/// The most memory that a process has used so far, KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells its peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Runs a script in a runner that keeps a megabyte of each stream; the job, and the runner's peak of memory in KiB.
fn flooded(world: &World, script: &str) -> (String, u64) {
    let id = world.submit_script("flood", "verify: ./check.sh\n", script);
    let mut runner = world.fleet();
    let runner = runner.args(["run", "--set", "logs.max-stream=1MiB"]);
    let runner = runner.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut runner = runner.spawn().expect("the runner starts");
    until("the job to be over", || (world.stage(&id) == "testing").then_some(()));
    let peak = peak(runner.id());
    runner.kill().expect("it is ours");
    runner.wait().expect("the runner is gone");
    (id, peak)
}

#[test]
fn a_flood_is_kept_to_the_byte_up_to_the_limit_and_counted_beyond_it() {
    let world = World::new();
    let print =
        "run for n in 1 2 3 4; do yes $(printf %063d 7) | head -c 50000000; done; echo done >&2\nwrite done.txt yes";
    let (id, peak) = flooded(&world, print);
    assert!(peak < 200 * 1024, "200 MB went through a runner that used {peak} KiB");
    let log = world.run(&["logs", "--raw", "-n", "0", "--stream", "stdout", &id]).exits(0).stdout;
    let (kept, told) = log.split_at(KEPT);
    let line = format!("{:063}\n", 7);
    let begin = kept.find(&line).expect("the flood");
    let exact = kept.as_bytes()[begin..].chunks(line.len()).all(|piece| line.as_bytes().starts_with(piece));
    assert!(exact, "what is kept is not what was printed");
    let bytes = told.trim().strip_prefix("[fleet: ").and_then(|told| told.split_once(" bytes more, "));
    let (bytes, rest) = bytes.unwrap_or_else(|| panic!("how much was dropped is not told: {told:?}"));
    let dropped: usize = bytes.parse().expect("a number");
    assert!((200_000_000 - KEPT..200_001_000).contains(&dropped), "{told}");
    let lines: usize = rest.split(' ').next().and_then(|lines| lines.parse().ok()).expect("a number");
    assert!((dropped / 64 - 20..=dropped / 64 + 20).contains(&lines), "{told}");
    let quiet = world.run(&["logs", "--raw", "-n", "0", "--stream", "stderr", &id]).exits(0).stdout;
    assert!(quiet.ends_with("done\n"), "nothing of a quiet stream is dropped: {quiet:?}");
}

#[test]
fn a_line_without_end_costs_no_memory_and_is_shown_cut() {
    let world = World::new();
    let print = "run head -c 100000000 /dev/zero | tr '\\000' '\\377'\nrun echo; echo next\nwrite done.txt yes";
    let (id, peak) = flooded(&world, print);
    assert!(peak < 200 * 1024, "a line of 100 MB went through a runner that used {peak} KiB");
    let shown = world.run(&["logs", "-n", "0", "--stream", "stdout", &id]).exits(0).stdout;
    assert!(shown.lines().all(|line| line.len() < 17 * 1024), "a line is not cut");
    assert!(shown.contains("\u{fffd}") && shown.contains(" bytes of this line are cut"), "{:?}", shown.get(..500));
    assert!(shown.contains("[fleet: ") && shown.contains(" were dropped"), "{:?}", shown.get(shown.len() - 500..));
}
