//! A copy of the database while it is in use, by SQLite's own means: of one moment, whole, and complete in one file.
//!
//! The copy is made beside its name and given it at the end, so that a file of that name is a whole one.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{error::OpenError, place::open_to_look, schema};

/// How often a copy is begun anew that found the database locked: 100 × 50 ms.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database itself cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing is overwritten.
    #[error("{} exists already", path.display())]
    Exists { path: PathBuf },
    #[error("cannot {verb} {}", path.display())]
    Io { verb: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot copy the database to {}", path.display())]
    Copy { path: PathBuf, source: rusqlite::Error },
    /// Another process kept it to itself all the time.
    #[error("the database is locked")]
    Locked,
}

/// Copies the database in `from` to the file `to`, which must not exist; readable for this user only. Gives its size in
/// bytes. Others may read and write meanwhile.
///
/// # Errors
///
/// See [`BackupError`]. Nothing of the copy is left then.
pub fn backup(from: &Path, to: &Path) -> Result<u64, BackupError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let source = open_to_look(from).map_err(|source| OpenError::Database { path: from.to_owned(), source })?;
    schema::inspect(&source, from)?;
    let part = private_file_beside(to)?;
    let copied = copy(&source, &part).and_then(|()| finish(&part, to));
    if copied.is_err() {
        // It may not have come so far.
        let _ = fs::remove_file(&part);
    }
    copied
}

fn copy(source: &Connection, part: &Path) -> Result<(), BackupError> {
    let copying = |source| BackupError::Copy { path: part.to_owned(), source };
    let mut target = Connection::open(part).map_err(copying)?;
    {
        let backup = Backup::new(source, &mut target).map_err(copying)?;
        let mut tries = 0;
        // All pages in one step: they are of one moment, however much is written meanwhile.
        loop {
            match backup.step(-1).map_err(copying)? {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked if tries == TRIES => return Err(BackupError::Locked),
                _ => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }
    target.close().map_err(|(_, source)| copying(source))
}

/// Puts the copy on the disk and gives it its name, unless somebody else was given it meanwhile.
fn finish(part: &Path, to: &Path) -> Result<u64, BackupError> {
    let file = File::open(part).map_err(io("open", part))?;
    file.sync_all().map_err(io("write", part))?;
    let size = file.metadata().map_err(io("measure", part))?.len();
    match fs::hard_link(part, to) {
        Ok(()) => fs::remove_file(part).map_err(io("remove", part))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists { path: to.to_owned() });
        }
        // Not every file system has links.
        Err(_) => fs::rename(part, to).map_err(io("name", to))?,
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("write", folder))?;
    Ok(size)
}

/// Makes an empty file for this user only, of a name that nobody else makes or has left a copy under.
fn private_file_beside(to: &Path) -> Result<PathBuf, BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut nth = 0;
    loop {
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".part{nth}"));
        let part = PathBuf::from(name);
        match options.open(&part) {
            Ok(_) => return Ok(part),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && nth < TRIES => nth += 1,
            Err(error) => return Err(io("create", &part)(error)),
        }
    }
}

fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { verb, path, source }
}
