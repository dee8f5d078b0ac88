//! What the worker itself does for a run, line by line, kept beside the agent's output as the stream `worker`.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::mask::Mask;
use crate::runtime::{boot_id, since_boot_ms};

/// A moment that any process of the same boot can measure from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Moment {
    boot_id: String,
    since_boot_ms: u64,
}

impl Moment {
    pub(super) fn now() -> io::Result<Self> {
        Ok(Self { boot_id: boot_id()?, since_boot_ms: since_boot_ms()? })
    }

    /// Milliseconds until now. Of an earlier boot only the time since this one is known.
    fn elapsed_ms(&self) -> u64 {
        let now = since_boot_ms().unwrap_or(self.since_boot_ms);
        let same_boot = boot_id().is_ok_and(|boot| boot == self.boot_id);
        if same_boot { now.saturating_sub(self.since_boot_ms) } else { now }
    }
}

/// A run's own account of itself. Holds steps and findings; never prompts, file contents or secrets.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    begun: Moment,
    mask: Mask,
}

impl Journal {
    /// The file name inside a run's folder.
    pub(super) const NAME: &'static str = "worker.log";

    /// Opens the journal of the run in `folder`, which began at `begun`; what is noted in it goes through `mask`.
    pub(super) fn open(folder: &Path, begun: Moment, mask: &Mask) -> io::Result<Self> {
        let path = folder.join(Self::NAME);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        Ok(Self { file, path, begun, mask: mask.clone() })
    }

    /// Adds one line, with the seconds since the run began.
    pub(super) fn note(&mut self, line: &str) {
        let elapsed = Duration::from_millis(self.elapsed_ms());
        let line = format!("{:>8.3}s  {}\n", elapsed.as_secs_f64(), self.mask.text(line));
        // A journal that cannot be written must not end a run; that it cannot is said where people look.
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            tracing::warn!(path = %self.path.display(), %error, "the run's journal cannot be written");
        }
    }

    /// When the run began.
    pub(super) const fn begun(&self) -> &Moment {
        &self.begun
    }

    /// Since then.
    pub(super) fn elapsed_ms(&self) -> u64 {
        self.begun.elapsed_ms()
    }
}
