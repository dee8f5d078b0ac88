//! What a wait that ran into its deadline shows: `fleet debug` of every job of this thread's worlds.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{command::Output, place::prepared};

/// Jobs of one world that are shown at most, the newest ones.
const JOBS: usize = 5;

thread_local! {
    static WORLDS: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// From now on this world is shown.
pub(super) fn begin(world: &Path) {
    WORLDS.with_borrow_mut(|worlds| worlds.push(world.to_owned()));
}

/// No more.
pub(super) fn end(world: &Path) {
    WORLDS.with_borrow_mut(|worlds| worlds.retain(|known| known != world));
}

/// How the runs of all worlds of this thread stand. Never fails: what cannot be asked is said in its place.
pub(super) fn of_worlds() -> String {
    let worlds = WORLDS.with_borrow(Clone::clone);
    worlds.iter().map(|world| of(world)).collect()
}

fn of(world: &Path) -> String {
    let fleet = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        Output::of(prepared(&mut command, world).args(args))
    };
    let jobs = fleet(&["jobs", "--json"]);
    let jobs: Value = serde_json::from_str(&jobs.stdout).unwrap_or_default();
    let ids = jobs["jobs"].as_array().into_iter().flatten().filter_map(|job| job["id"].as_str());
    ids.rev()
        .take(JOBS)
        .map(|id| {
            let debug = fleet(&["debug", id]);
            format!("--- fleet debug {id}\n{}{}", debug.stdout, debug.stderr)
        })
        .collect()
}
