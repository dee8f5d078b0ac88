//! The worker's own look at a tree that an agent works in: its own index, settings, ignore rules and objects.
//!
//! The agent's `.git` lends its objects and nothing else, so no setting, attribute file, index flag or lock of the
//! agent's changes what is seen, and looking changes nothing for the agent.

use std::{
    fs::{self, File},
    iter,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use git2::{Config, ConfigLevel, Oid, Repository, RepositoryOpenFlags, Signature};

use super::{
    clone::{alternates_text, bare_bones},
    error::{During, WorkspaceError},
    scan::{self, Scan},
    source::Identity,
};

/// One tree with its view, and the repository that it came from.
pub(super) struct Area {
    /// The files.
    pub(super) tree: PathBuf,
    /// The folder of the view.
    pub(super) view: PathBuf,
    /// Where the agent's own git directory is put after the run.
    pub(super) aside: PathBuf,
    /// The user's repository, or a submodule's inside it.
    pub(super) git_dir: PathBuf,
}

impl Area {
    /// Makes the view of a tree that was just checked out by the program `git`, whose index it takes over.
    pub(super) fn make_view(
        &self,
        borrowed: &[PathBuf],
        exclude: &[u8],
        shallow: Option<&[u8]>,
    ) -> Result<(), WorkspaceError> {
        let git = self.tree.join(".git");
        let folders = [borrowed, &[git.join("objects"), self.aside.join("objects")]].concat();
        bare_bones(&self.view, &folders, exclude, shallow)?;
        self.take_over_index()
    }

    /// Takes the index of the (pristine) clone, so that files just checked out are known to be unchanged.
    pub(super) fn take_over_index(&self) -> Result<(), WorkspaceError> {
        let (from, to) = (self.tree.join(".git/index"), self.view.join("index"));
        fs::copy(&from, &to).during("copy", &from).map(|_| ())
    }

    /// Opens the view.
    pub(super) fn open(&self) -> Result<Repository, WorkspaceError> {
        self.open_with(None)
    }

    /// Opens the view such that a pack made from it is on disk before it is relied on. (The view's own objects need not be:
    /// they are copies of files that are still there.)
    pub(super) fn open_durable(&self) -> Result<Repository, WorkspaceError> {
        self.open_with(Some(&self.durable()?))
    }

    fn open_with(&self, more: Option<&Path>) -> Result<Repository, WorkspaceError> {
        let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
        let repo = Repository::open_ext(&self.view, flags, iter::empty::<&Path>()).during("open", &self.view)?;
        let settings = self.view.join("config");
        let mut config = Config::new().during("read", &settings)?;
        config.add_file(&settings, ConfigLevel::Local, false).during("read", &settings)?;
        if let Some(more) = more {
            config.add_file(more, ConfigLevel::App, false).during("read", more)?;
        }
        repo.set_config(&config).during("read", &settings)?;
        repo.set_workdir(&self.tree, false).during("open", &self.tree)?;
        Ok(repo)
    }

    /// Opens the user's repository such that what is written there is on disk before it is relied on.
    pub(super) fn open_source(&self) -> Result<Repository, WorkspaceError> {
        let repo = super::source::open(&self.git_dir)?;
        let durable = self.durable()?;
        let mut config = repo.config().during("read the settings of", &self.git_dir)?;
        config.add_file(&durable, ConfigLevel::App, true).during("read", &durable)?;
        Ok(repo)
    }

    /// A file with the one setting that makes libgit2 flush.
    fn durable(&self) -> Result<PathBuf, WorkspaceError> {
        let path = self.view.join("durable");
        if !path.exists() {
            fs::write(&path, "[core]\n\tfsyncObjectFiles = true\n").during("write", &path)?;
        }
        Ok(path)
    }

    /// Waits until no other process (or thread) looks at this tree, and keeps others out while the file is held.
    pub(super) fn lock(&self) -> Result<File, WorkspaceError> {
        let path = self.view.join("lock");
        let file = File::create(&path).during("create", &path)?;
        file.lock().during("lock", &path)?;
        // Ours alone now: a lock on the index is one that a killed process left.
        match fs::remove_file(self.view.join("index.lock")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).during("unlock", &self.view),
            _ => Ok(file),
        }
    }

    /// Brings the view's index up to date with the files.
    pub(super) fn scan(&self, view: &Repository) -> Result<Scan, WorkspaceError> {
        let index = self.view.join("index");
        let stamp = fs::metadata(&index).map_or((0, 0), |meta| (meta.mtime(), meta.mtime_nsec()));
        scan::scan(view, &self.tree, stamp)
    }

    /// Makes sure that the agent's `.git` lends us its own objects and those of the user's repository, no others: a line
    /// that an agent adds would let us copy what the agent itself may not read.
    pub(super) fn restore_alternates(&self, borrowed: &[PathBuf]) -> Result<bool, WorkspaceError> {
        let git = self.tree.join(".git");
        let objects = git.join("objects");
        let real = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        let info = objects.join("info");
        if !real(&git) || !real(&objects) || !real(&info) {
            return Ok(false);
        }
        let file = info.join("alternates");
        let expected = alternates_text(borrowed);
        let plain = fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file());
        if !plain || fs::read(&file).during("read", &file)? != expected {
            let new = self.view.join("alternates");
            fs::write(&new, expected).during("write", &new)?;
            fs::rename(&new, &file).during("write", &file)?;
        }
        Ok(true)
    }
}

/// Writes a commit object; no ref moves.
pub(super) fn commit(
    repo: &Repository,
    identity: &Identity,
    message: &str,
    (tree, parents): (Oid, &[Oid]),
) -> Result<Oid, WorkspaceError> {
    let write = || {
        let who = Signature::now(&identity.name, &identity.email)?;
        let tree = repo.find_tree(tree)?;
        let parents = parents.iter().map(|parent| repo.find_commit(*parent)).collect::<Result<Vec<_>, _>>()?;
        repo.commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>())
    };
    write().during("commit in", repo.path())
}
