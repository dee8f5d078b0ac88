//! Reading and writing the small files of a group.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const LOOK: Duration = Duration::from_millis(2);

/// Writes one value. Never makes the file: a group has it or has not.
pub(super) fn put(folder: &Path, file: &str, value: &str) -> io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().write(true).open(folder.join(file))?.write_all(value.as_bytes())
}

/// A file that holds one number.
pub(super) fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// One number of a file with a `name number` per line.
pub(super) fn entry(folder: &Path, file: &str, name: &str) -> Option<u64> {
    named(&fs::read_to_string(folder.join(file)).ok()?, name)
}

pub(super) fn named(text: &str, name: &str) -> Option<u64> {
    let fields = text.lines().filter_map(|line| line.split_once(' '));
    fields.into_iter().find(|(field, _)| *field == name)?.1.trim().parse().ok()
}

/// The group and all groups that were made inside it, the innermost first.
pub(super) fn nested(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(nested(&entry.path()));
        }
    }
    found.push(folder.to_owned());
    found
}

/// Waits for a level that the kernel reaches by itself, and not for long.
pub(super) fn soon(patience: Duration, level: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if level() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK);
    }
}
