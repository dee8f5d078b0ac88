//! What can go wrong between the folder and the store.

use std::{error::Error, io, path::PathBuf, time::Duration};

use fleet_protocol::{ExitCode, JobId, Problem};
use jiff::Timestamp;

/// A failure of the folder keeper. A refused move or a malformed task is none: it is answered on disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("cannot {verb} {}", path.display())]
    Disk { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("{} must be a folder of its own, not a link or a file", path.display())]
    NotAFolder { path: PathBuf },
    #[error("another process has been redrawing the queue folder for more than {} s", waited.as_secs())]
    Busy { waited: Duration },
    #[error("{}", already_running(*pid, *since))]
    AlreadyRunning { pid: Option<u32>, since: Option<Timestamp> },
    #[error("job {job} has the file name {file:?}, which cannot stand in the queue folder")]
    UnsafeName { job: JobId, file: String },
    #[error(transparent)]
    Store(#[from] Problem),
}

impl QueueError {
    /// It and what led to it, in one line.
    pub(crate) fn with_cause(&self) -> String {
        self.source().map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }

    /// The exit code of a command that ends with it.
    pub(crate) const fn exit(&self) -> ExitCode {
        match self {
            Self::Disk { .. } | Self::UnsafeName { .. } => ExitCode::Failed,
            Self::NotAFolder { .. } => ExitCode::Usage,
            Self::Busy { .. } | Self::AlreadyRunning { .. } => ExitCode::AlreadyRunning,
            Self::Store(problem) => problem.code.exit(),
        }
    }
}

fn already_running(pid: Option<u32>, since: Option<Timestamp>) -> String {
    let mut text = "`fleet run` is already working on this queue".to_owned();
    if let Some(pid) = pid {
        text.push_str(&format!(" (process {pid}"));
        if let Some(since) = since {
            text.push_str(&format!(", since {since:.0}"));
        }
        text.push(')');
    }
    text
}

/// Adds the verb and the path to an I/O error.
pub(super) trait AtPath<T> {
    fn at(self, verb: &'static str, path: impl Into<PathBuf>) -> Result<T, QueueError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, verb: &'static str, path: impl Into<PathBuf>) -> Result<T, QueueError> {
        self.map_err(|source| QueueError::Disk { verb, path: path.into(), source })
    }
}
