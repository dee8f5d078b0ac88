//! Who works on a queue now.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use super::lock::RUN_LOCK;

/// The process that holds the queue's lock. Taking it to find out would be in the way of a runner that starts just now,
/// so the kernel's list is read.
pub(crate) fn living_runner(state: &Path) -> io::Result<Option<i32>> {
    let lock = match fs::metadata(state.join(RUN_LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(holder(&fs::read_to_string("/proc/locks")?, lock.ino()))
}

/// Who holds an exclusive lock on this file, by `/proc/locks`. Device numbers are not compared: layered and copying file
/// systems show another one there than `stat` does.
fn holder(locks: &str, inode: u64) -> Option<i32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = fields.as_slice() else { return None };
        (file.rsplit(':').next()?.parse() == Ok(inode)).then(|| pid.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_an_exclusive_lock_is_found_by_the_file() {
        let locks = "1: FLOCK  ADVISORY  WRITE 15775 fe:00:5898427 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 99 fe:00:5898427 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 42 fe:00:7 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 43 fe:00:8 0 EOF\n";
        assert_eq!(holder(locks, 5_898_427), Some(15775));
        assert_eq!(holder(locks, 7), None, "another kind of lock");
        assert_eq!(holder(locks, 8), None, "a shared lock");
        assert_eq!(holder("", 1), None);
    }
}
