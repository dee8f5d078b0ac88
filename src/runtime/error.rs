//! What can go wrong between a worker and a run.
//!
//! That an agent failed is no error: its exit record says so.

use std::{io, path::PathBuf, time::Duration};

/// A run could not be started, spoken to, found or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    /// A file operation, for example `cannot read /runs/1/exit.json`.
    #[error("cannot {verb} {}", path.display())]
    Io { verb: &'static str, path: PathBuf, source: io::Error },
    /// A file of the run's folder that is not what it should be.
    #[error("{} is not readable as {what}", path.display())]
    Garbled { path: PathBuf, what: &'static str, source: serde_json::Error },
    /// The system call named by `verb` failed.
    #[error("cannot {verb}")]
    System { verb: &'static str, source: io::Error },
    #[error("the system gives no randomness")]
    NoRandomness(#[source] getrandom::Error),
    /// A folder serves one launch.
    #[error("{} has been used by another launch", path.display())]
    Used { path: PathBuf },
    /// The shim ended before it had said who it is. `said` is the end of its own log.
    #[error("the shim in {} ended before the start: {said}", path.display())]
    ShimDied { path: PathBuf, said: String },
    /// The agent was not running in time. `seen` is what was seen last, `said` the end of the shim's own log.
    #[error("the agent was not running after {waited:?}: {seen}{}", last_lines(said))]
    NotRunning { path: PathBuf, waited: Duration, seen: &'static str, said: String },
    /// The shim is gone and nobody wrote down how the agent ended: it was killed, or the machine went down.
    #[error("the shim in {} left no exit record", path.display())]
    NoRecord { path: PathBuf },
    /// Whether it lives cannot be told now; it must not be taken for dead.
    #[error("whether the run in {} lives cannot be told: {why}", path.display())]
    Unknown { path: PathBuf, why: String },
    /// Most likely the run has just ended.
    #[error("no shim listens in {}", path.display())]
    NotListening { path: PathBuf, source: io::Error },
    #[error("the shim in {} does not answer within {waited:?}", path.display())]
    NoAnswer { path: PathBuf, waited: Duration },
    /// The shim understood the request and says no.
    #[error("the shim in {} refuses: {why}", path.display())]
    Refused { path: PathBuf, why: String },
    /// A log file became shorter than what has been read of it.
    #[error("{} was cut to {length} bytes after {read} had been read", path.display())]
    Shrunk { path: PathBuf, length: u64, read: u64 },
}

impl RuntimeError {
    /// For `map_err`: an I/O error with its verb and path.
    pub(super) fn io(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { verb, path, source }
    }

    /// For `map_err`: a failed system call.
    pub(super) fn system<E: Into<io::Error>>(verb: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { verb, source: source.into() }
    }
}

/// What a shim said last, for the end of a sentence.
fn last_lines(said: &str) -> String {
    if said.is_empty() { "; it said nothing".to_owned() } else { format!("; its last lines: {said}") }
}
