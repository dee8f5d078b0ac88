//! Who works on the queue now, and what was left by somebody who did.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    check::Check,
    installation::no_place,
    program::several,
    subject::{Database, Subject},
};
use crate::{
    queue::living_runner,
    runtime::{Found, find},
};

pub(super) fn runner(subject: &Subject) -> Check {
    const NAME: &str = "runner";
    let Some(place) = &subject.place else { return Check::skip(NAME, no_place()) };
    match living_runner(&place.state) {
        Ok(Some(pid)) => Check::ok(NAME, format!("`fleet run` works on this queue (process {pid})")),
        Ok(None) => Check::ok(NAME, "nobody works on this queue now; `fleet run` does"),
        Err(error) => Check::skip(NAME, format!("it cannot be told whether one lives: {error}")),
    }
}

pub(super) fn orphaned(subject: &Subject) -> Check {
    const NAME: &str = "orphaned runs";
    let Some(place) = &subject.place else { return Check::skip(NAME, no_place()) };
    match living_runner(&place.state) {
        Ok(None) => {}
        Ok(Some(_)) => return Check::ok(NAME, "what runs belongs to the runner that works on this queue"),
        Err(error) => return Check::skip(NAME, format!("it cannot be told whether a runner lives: {error}")),
    }
    match living_launches(&place.state.join("runs")) {
        Ok(living) if !living.is_empty() => {
            let found = format!("agents work without a runner: {}", several(&living, ", "));
            let remedy = "`fleet run` goes on with them; if none comes within a lease's length they are ended";
            return Check::warn(NAME, found, remedy);
        }
        Ok(_) => {}
        Err(error) => return Check::skip(NAME, format!("the run folders cannot be read: {error}")),
    }
    let held = match &subject.database {
        Database::Works { held, .. } => held.as_slice(),
        _ => &[],
    };
    if held.is_empty() {
        return Check::ok(NAME, "no run is without its runner");
    }
    let remedy = "`fleet recover` takes them back now, the next `fleet run` does it by itself; their work is kept";
    let held: Vec<String> = held.iter().map(|held| format!("{} (run {})", held.job, held.run)).collect();
    Check::warn(NAME, format!("their runner is gone: {}", several(&held, ", ")), remedy)
}

/// `JOB (run N)` of every launch whose shim lives.
fn living_launches(runs: &Path) -> io::Result<Vec<String>> {
    let mut living = Vec::new();
    for job in folders(runs)? {
        for run in folders(&job)? {
            for launch in folders(&run)? {
                if is_alive(&launch) {
                    living.push(format!("{} (run {})", name(&job), name(&run)));
                }
            }
        }
    }
    living.sort();
    living.dedup();
    Ok(living)
}

fn is_alive(launch: &Path) -> bool {
    // Without a shim's file, looking would withdraw a launch that a worker is about to make.
    launch.join("shim.json").exists()
        && match find(launch) {
            Ok(Found::Alive(_) | Found::Unknown(_)) => true,
            Ok(Found::Finished(_) | Found::Gone) => false,
            Err(error) => {
                tracing::debug!(launch = %launch.display(), %error, "a run's folder cannot be read");
                false
            }
        }
}

/// The folders in a folder; none in one that is not there.
fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
