//! The folder of one run: which files it has, and how they are written.
//!
//! Every JSON file is replaced by rename, so that a reader sees a whole one or none. Files are readable by their owner
//! only, and so is the folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::RuntimeError;

/// What to run, secrets included; gone once the shim has taken it.
pub(super) const SPEC: &str = "spec.json";
/// The same without the environment.
pub(super) const TAKEN: &str = "taken.json";
/// Who the shim is, and how to talk to it.
pub(super) const SHIM: &str = "shim.json";
/// Who the agent is.
pub(super) const AGENT: &str = "agent.json";
/// How it ended.
pub(super) const EXIT: &str = "exit.json";
/// Where the shim listens.
pub(super) const CONTROL: &str = "control.sock";
/// What the run has used so far.
pub(super) const USAGE: &str = "usage.json";
/// What the shim itself has to say.
pub(super) const LOG: &str = "shim.log";

/// A run's folder.
#[derive(Debug, Clone)]
pub(crate) struct RunDir(PathBuf);

impl RunDir {
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the folder for its owner only; one that exists is taken as it is.
    pub(super) fn create(path: &Path) -> Result<Self, RuntimeError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(RuntimeError::io("create", path))?;
        Ok(Self::at(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Reads a JSON file; none when there is no such file.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str, what: &'static str) -> Result<Option<T>, RuntimeError> {
        let path = self.file(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RuntimeError::io("read", path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| RuntimeError::Garbled { path, what, source })
    }

    /// Puts a JSON file in place, whole.
    pub(crate) fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RuntimeError> {
        let (temporary, _) = self.write_aside(name, value)?;
        self.rename(&temporary, name)
    }

    /// As [`write`](Self::write), and it survives a power cut.
    pub(super) fn write_durably<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RuntimeError> {
        let (temporary, file) = self.write_aside(name, value)?;
        file.sync_all().map_err(RuntimeError::io("sync", self.file(&temporary)))?;
        self.rename(&temporary, name)?;
        File::open(&self.0).and_then(|dir| dir.sync_all()).map_err(RuntimeError::io("sync", &self.0))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), RuntimeError> {
        let from = self.file(from);
        fs::rename(&from, self.file(to)).map_err(RuntimeError::io("rename", from))
    }

    /// Removes a file that may be there, and what a writer that was killed left of it. True when it was.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, RuntimeError> {
        self.remove_one(&aside(name))?;
        self.remove_one(name)
    }

    fn remove_one(&self, name: &str) -> Result<bool, RuntimeError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(RuntimeError::io("remove", path)(error)),
        }
    }

    /// Opens a log for appending.
    pub(super) fn append(&self, name: &str) -> Result<File, RuntimeError> {
        let path = self.file(name);
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(RuntimeError::io("open", path))
    }

    fn write_aside<T: Serialize>(&self, name: &str, value: &T) -> Result<(String, File), RuntimeError> {
        let temporary = aside(name);
        let path = self.file(&temporary);
        let text = serde_json::to_vec_pretty(value).map_err(|error| RuntimeError::io("write", &path)(error.into()))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(RuntimeError::io("create", &path))?;
        file.write_all(&text).map_err(RuntimeError::io("write", &path))?;
        Ok((temporary, file))
    }
}

/// The name of a file until it is whole.
fn aside(name: &str) -> String {
    format!(".{name}.tmp")
}
