//! Which folders work in a workspace touches, for whoever confines it.

use std::path::{Path, PathBuf};

use super::{Workspace, clone::object_folders};

/// Folders of one workspace and of the repository behind it.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// What is worked in, its own `.git` included.
    pub(crate) tree: PathBuf,
    /// Object folders of the user's repository and of its submodules, and what these borrow from: read by git.
    pub(crate) objects: Vec<PathBuf>,
    /// The user's repository, and their files beside it.
    pub(crate) repository: Vec<PathBuf>,
}

impl Workspace {
    /// Told from what was written down when the workspace was made, never from files that an agent can change.
    pub(crate) fn reach(&self) -> Reach {
        let git_dir = &self.record.git_dir;
        let lenders = [git_dir].into_iter().chain(self.record.submodules.iter().map(|module| &module.git_dir));
        let checkout = git_dir.parent().filter(|_| git_dir.ends_with(".git")).map(Path::to_owned);
        Reach {
            tree: self.tree(),
            objects: lenders.flat_map(|lender| object_folders(&lender.join("objects"))).collect(),
            repository: [git_dir.clone()].into_iter().chain(checkout).collect(),
        }
    }
}
