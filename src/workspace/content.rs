//! Reads files of a tree that an agent may be changing at this very moment, and stores their content.
//!
//! No symbolic link is ever followed, in no part of a path: a link put in place between looking and reading would let us
//! save, and so hand out, a file that the agent itself may not read.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use git2::{Oid, Repository};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use super::error::{During, WorkspaceError};

/// The top of a tree, and where its content goes.
pub(super) struct Root<'a> {
    view: &'a Repository,
    tree: &'a Path,
    top: File,
}

/// What went wrong with one file: with reading it (the others still count), or with our own store (nothing does).
pub(super) enum Trouble {
    File(io::Error),
    Store(WorkspaceError),
}

impl<'a> Root<'a> {
    pub(super) fn open(view: &'a Repository, tree: &'a Path) -> Result<Self, WorkspaceError> {
        Ok(Self { view, tree, top: File::open(tree).during("read", tree)? })
    }

    /// Stores the content of a file or link, line endings as the repository's attributes want them. None when it is
    /// neither, or no longer there. The metadata is no newer than the content.
    pub(super) fn store(&self, path: &Path) -> Result<Option<(Oid, Metadata)>, Trouble> {
        match self.store_file(path) {
            Err(Trouble::File(error)) if is_link(&error) => self.store_link(path),
            Err(Trouble::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            done => done,
        }
    }

    fn store_file(&self, path: &Path) -> Result<Option<(Oid, Metadata)>, Trouble> {
        let mut file = self.open_file(path).map_err(Trouble::File)?;
        let meta = file.metadata().map_err(Trouble::File)?;
        if !meta.is_file() {
            return Ok(None);
        }
        let stored = |error| Trouble::Store(error);
        let mut blob = self.view.blob_writer(Some(path)).during("store", path).map_err(stored)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer).map_err(Trouble::File)? {
                0 => break,
                count => blob.write_all(&buffer[..count]).during("store", path).map_err(stored)?,
            }
        }
        Ok(Some((blob.commit().during("store", path).map_err(stored)?, meta)))
    }

    fn store_link(&self, path: &Path) -> Result<Option<(Oid, Metadata)>, Trouble> {
        let full = self.tree.join(path);
        let meta = fs::symlink_metadata(&full).map_err(Trouble::File)?;
        if !meta.is_symlink() {
            return Ok(None);
        }
        let to = fs::read_link(&full).map_err(Trouble::File)?;
        let id = self.view.blob(to.as_os_str().as_bytes()).during("store", path).map_err(Trouble::Store)?;
        Ok(Some((id, meta)))
    }

    /// Opens a file below the top without following links. Never waits, not even for a pipe.
    fn open_file(&self, path: &Path) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        #[cfg(target_os = "linux")]
        {
            use nix::fcntl::{OpenHow, ResolveFlag, openat2};
            let how = OpenHow::new().flags(flags);
            let how = how.resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
            match openat2(&self.top, path, how) {
                // A kernel before 5.6, or a filter that does not know the call.
                Err(Errno::ENOSYS | Errno::EPERM) => {}
                opened => return Ok(File::from(opened?)),
            }
        }
        Ok(File::from(openat(&self.top, path, flags, Mode::empty())?))
    }
}

/// What opening a link without following it says.
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ELOOP as i32)
}
