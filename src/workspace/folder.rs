//! The folder of a workspace while it is being made: claimed, marked, and given up.
//!
//! A folder with the mark and without `workspace.json` was left half made: no agent has ever worked in it. The mark names
//! the repository, so that what was written there for its sake can be found.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use super::{
    cleanup::move_away,
    error::{During, WorkspaceError},
};

/// The mark.
const MAKING: &str = "making";
/// What is there once it is made.
const MADE: &str = "workspace.json";

/// Makes the folder, private. True: it was not there before.
pub(super) fn claim(dir: &Path) -> Result<bool, WorkspaceError> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let reason = match fs::read_dir(dir).during("read", dir)?.next() {
                None => return Ok(false),
                Some(_) if is_half_made(dir) => {
                    give_up(dir)?;
                    return claim(dir);
                }
                Some(_) if is_made(dir) => "an earlier run's work lies in it",
                Some(_) => "there are files in it that are not a workspace",
            };
            Err(WorkspaceError::DirtyWorkspace { path: dir.to_owned(), reason: reason.to_owned() })
        }
        Err(error) => Err(error).during("create", dir),
    }
}

/// Marks the folder, before anything is written elsewhere for its sake.
pub(super) fn begin(dir: &Path, git_dir: &Path) -> Result<(), WorkspaceError> {
    let mark = dir.join(MAKING);
    fs::write(&mark, git_dir.as_os_str().as_bytes()).during("write", &mark)
}

/// Whether a workspace was made here.
pub(super) fn is_made(dir: &Path) -> bool {
    dir.join(MADE).exists()
}

/// Whether a process died while it made a workspace here.
pub(super) fn is_half_made(dir: &Path) -> bool {
    dir.join(MAKING).exists() && !is_made(dir)
}

/// The repository that the mark names.
pub(super) fn repository_of(dir: &Path) -> Result<PathBuf, WorkspaceError> {
    let mark = dir.join(MAKING);
    let name = fs::read(&mark).during("read", &mark)?;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(&name)))
}

/// Takes a half-made workspace out of the way. A `git` that outlived its worker may still write to it.
fn give_up(dir: &Path) -> Result<(), WorkspaceError> {
    if let Err(error) = move_away(dir)?.delete() {
        tracing::warn!(%error, "a half-made workspace is out of the way, but not deleted yet");
    }
    Ok(())
}

/// Takes away what a failed preparation left.
pub(super) fn discard(dir: &Path, fresh: bool) {
    let parts = fs::read_dir(dir).into_iter().flatten().flatten().map(|part| part.path());
    let gone = parts.map(|part| if part.is_dir() { fs::remove_dir_all(part) } else { fs::remove_file(part) });
    let gone = gone.collect::<Result<(), _>>().and_then(|()| if fresh { fs::remove_dir(dir) } else { Ok(()) });
    if let Err(error) = gone {
        tracing::warn!(dir = %dir.display(), %error, "a workspace that failed to be made could not be taken away");
    }
}
