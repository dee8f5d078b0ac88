//! Finds processes of a world, by the pids that their run folders name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::world::processes_of;

/// The folders of all launches: `.fleet/runs/JOB/RUN/LAUNCH`.
pub(super) fn launches(state: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        found.retain(|path| path.is_dir());
        found.sort();
        found
    };
    let runs = below(&state.join("runs")).iter().flat_map(|job| below(job)).collect::<Vec<_>>();
    runs.iter().flat_map(|run| below(run)).collect()
}

/// The pids that the files of this name hold, of launches that have not ended.
pub(super) fn living(state: &Path, file: &str) -> Vec<i32> {
    let of = |launch: PathBuf| {
        let text = fs::read_to_string(launch.join(file)).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        let identity = value.get("identity").unwrap_or(&value);
        (!launch.join("exit.json").exists()).then(|| i32::try_from(identity["pid"].as_i64()?).ok()).flatten()
    };
    launches(state).into_iter().filter_map(of).filter(|pid| belongs(*pid, state)).collect()
}

/// Whether the process is of this world: its pid may have been given to another one.
fn belongs(pid: i32, state: &Path) -> bool {
    let world = state.parent().and_then(Path::parent).expect("the state lies in the world's repository");
    processes_of(world).iter().any(|line| line.split(' ').next() == Some(&pid.to_string()))
}
