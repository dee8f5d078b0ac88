//! What the worker itself does for a run, line by line, kept beside the agent's output as the stream `worker`.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use super::mask::Mask;

/// A run's own account of itself. Holds steps and findings; never prompts, file contents or secrets.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    start: Instant,
    mask: Mask,
}

impl Journal {
    /// The file name inside a run's folder.
    pub(super) const NAME: &'static str = "worker.log";

    /// Opens the journal of the run in `folder`; what is noted in it goes through `mask`.
    pub(super) fn open(folder: &Path, mask: &Mask) -> std::io::Result<Self> {
        let path = folder.join(Self::NAME);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        Ok(Self { file, path, start: Instant::now(), mask: mask.clone() })
    }

    /// Adds one line, with the seconds since the run began.
    pub(super) fn note(&mut self, line: &str) {
        let line = format!("{:>8.3}s  {}\n", self.start.elapsed().as_secs_f64(), self.mask.text(line));
        // A journal that cannot be written must not end a run; that it cannot is said where people look.
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            tracing::warn!(path = %self.path.display(), %error, "the run's journal cannot be written");
        }
    }

    /// Since the run began.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
