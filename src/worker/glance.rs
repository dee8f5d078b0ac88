//! A look at a run whose runner is gone, from outside and without a hand on it.

use std::path::Path;

use super::{
    options::runs_of,
    orphans::is_worth_going_on,
    record::{Record, launches},
};
use crate::runtime::{Found, find};

/// How such a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unwatched {
    /// Its agent, or its verify command, works on.
    Works,
    /// Its agent has ended, and the next runner finds out what came of it.
    Ended,
    /// Nothing of it is left that could be gone on with.
    Gone,
    /// Cannot be told.
    Unknown,
}

/// Looks at a run of a job in a fleet's state folder.
pub(crate) fn glance(state: &Path, job: &str, run: u32) -> Unwatched {
    let folder = runs_of(state).join(job).join(run.to_string());
    let mut seen = match Record::read(&folder) {
        Ok(Some(record)) if record.last_word.is_some() => Unwatched::Ended,
        _ => Unwatched::Gone,
    };
    for launch in launches(&folder) {
        // Without a shim's file, looking would withdraw a launch that a runner is just about to make.
        if !launch.join("shim.json").exists() {
            continue;
        }
        match find(&launch) {
            Ok(Found::Alive(_)) => return Unwatched::Works,
            Ok(Found::Unknown(_)) | Err(_) => return Unwatched::Unknown,
            Ok(Found::Finished(record)) if is_worth_going_on(&record) => seen = Unwatched::Ended,
            Ok(Found::Finished(_) | Found::Gone) => {}
        }
    }
    seen
}
