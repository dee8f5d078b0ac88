//! Where a fleet lies on disk: its root, its queue folder and its state.

use std::path::{Path, PathBuf};

/// The folders of one fleet, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The folder of `fleet.toml`, or the root of the repository.
    pub(crate) root: PathBuf,
    /// The queue folder.
    pub(crate) queue: PathBuf,
    /// Database, run folders, clones.
    pub(crate) state: PathBuf,
}

/// The root of the git repository around `start`.
pub(crate) fn git_root(start: &Path) -> Option<&Path> {
    start.ancestors().find(|folder| folder.join(".git").exists())
}
