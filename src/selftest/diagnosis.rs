//! What is told of a world in which a check failed: its last calls, its jobs, the runs that are not over, and the last
//! lines of its logs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::world::World;

/// Calls that are quoted.
const CALLS: usize = 6;
/// Jobs that are quoted.
const JOBS: usize = 6;
/// Files of runs that are quoted.
const FILES: usize = 6;
/// Lines of each file that are quoted.
const LINES: usize = 6;

/// Lines for people; asking must not fail, so what cannot be read is said in its place.
pub(super) fn of(world: &World) -> Vec<String> {
    let calls = world.calls();
    let mut told: Vec<String> = calls[calls.len().saturating_sub(CALLS)..].to_vec();
    if world.repo().join(".fleet").exists() {
        told.push(match world.run(&["status", "--json"]) {
            Ok(status) => format!("status: {}{}", status.stdout.trim(), status.stderr.trim()),
            Err(stop) => format!("status: {stop}"),
        });
        told.extend(jobs(world));
        told.extend(logs(&world.repo().join(".fleet")));
    }
    told
}

fn jobs(world: &World) -> Vec<String> {
    let jobs = match world.jobs() {
        Ok(jobs) => jobs,
        Err(stop) => return vec![format!("jobs: {stop}")],
    };
    jobs.iter().rev().take(JOBS).flat_map(|job| std::iter::once(line(world, job)).chain(running(world, job))).collect()
}

/// How the job's run stands, if it is not over.
fn running(world: &World, job: &Value) -> Vec<String> {
    let (Some(id), Some("building")) = (job["id"].as_str(), job["stage"].as_str()) else { return Vec::new() };
    match world.run(&["debug", id, "--lines", &LINES.to_string()]) {
        Ok(debug) => debug.stdout.lines().map(str::to_owned).collect(),
        Err(stop) => vec![format!("debug {id}: {stop}")],
    }
}

fn line(world: &World, job: &Value) -> String {
    let id = job["id"].as_str().unwrap_or("?");
    let history = world.history(id).map_or_else(|stop| stop.to_string(), |history| history.join(" "));
    format!(
        "job {id} `{}`: {} {} runs {} attempts {} message {}; events: {history}",
        job["file"].as_str().unwrap_or("?"),
        job["stage"],
        job["result"],
        job["runs"],
        job["attempts"],
        job["message"],
    )
}

/// The ends of the newest files that runs wrote: their logs, and what lies in their folders while they are not over.
fn logs(state: &Path) -> Vec<String> {
    let logs = entries(&state.join("logs")).into_iter().flat_map(|job| entries(&job));
    let runs = entries(&state.join("runs"))
        .into_iter()
        .flat_map(|job| entries(&job))
        .flat_map(|run| ["worker.log", "stdout", "stderr", "verify.log", "agent/shim.log"].map(|file| run.join(file)));
    let mut files: Vec<PathBuf> = logs.chain(runs).filter(|file| file.is_file()).collect();
    files.sort_by_key(|file| fs::metadata(file).and_then(|found| found.modified()).ok());
    let mut told = Vec::new();
    for file in files.iter().rev().take(FILES) {
        let text = String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let place = file.strip_prefix(state).unwrap_or(file);
        let last = &lines[lines.len().saturating_sub(LINES)..];
        told.extend(last.iter().map(|line| format!("{}: {line}", place.display())));
    }
    told
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
