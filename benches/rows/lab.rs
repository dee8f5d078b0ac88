//! Where everything is measured: a folder on the disk that is built on, a runtime of two threads, and how much is done.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tokio::runtime::{Builder, Runtime};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Figures to be quoted.
    Full,
    /// Enough to see that every row still can be measured.
    Smoke,
}

/// The place of work.
pub(crate) struct Lab {
    pub(crate) size: Size,
    pub(crate) runtime: Runtime,
    folder: tempfile::TempDir,
}

impl Lab {
    /// Under the build's own folder: the temporary one of a system may be memory, where nothing is durable.
    pub(crate) fn new(size: Size) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("rows-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("the build's folder can be written");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
        Self { size, runtime, folder }
    }

    /// `full` or `smoke`, whichever is asked for.
    pub(crate) fn of<T>(&self, full: T, smoke: T) -> T {
        match self.size {
            Size::Full => full,
            Size::Smoke => smoke,
        }
    }

    /// Rounds that count.
    pub(crate) fn rounds(&self) -> usize {
        self.of(7, 2)
    }

    /// A new folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).expect("a folder can be made");
        path
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
}

/// Writes out what others have left in memory, so that it is not written in the middle of a measurement.
pub(crate) fn settle() {
    drop(Command::new("sync").status());
}
