//! When a file in the inbox is whole: nobody has written to it for a while, and nobody has it open for writing.
//!
//! Ages are measured with the file system's clock; a file whose time lies ahead of it (another machine's clock, a
//! copied time) is judged by how long we have seen it unchanged.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use fleet_protocol::Bucket;

use super::scan::{Entry, Kind, Stamp};

/// What the keeper has seen of the files in the inbox.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// Those that have no usable time, and since when they are as they are.
    seen: HashMap<String, (Stamp, Instant)>,
    /// Those that have been left alone for long enough.
    settled: HashMap<String, Stamp>,
}

impl Settling {
    /// Whether all files of the inbox are as they were when they had settled: then there is nothing to wait for, and
    /// the file system need not be asked for the time, which takes a write.
    pub(super) fn nothing_new(&self, entries: &[Entry]) -> bool {
        in_inbox(entries).all(|entry| self.settled.get(&entry.name) == Some(&entry.stamp))
    }

    /// How much longer each file of the inbox that was written a moment ago has to stay as it is.
    pub(super) fn waits(
        &mut self,
        entries: &[Entry],
        file_time: SystemTime,
        quiet: Duration,
    ) -> HashMap<String, Duration> {
        let mut still = HashMap::new();
        let mut waits = HashMap::new();
        self.settled.clear();
        for entry in in_inbox(entries) {
            let unchanged_for = entry.stamp.age(file_time).unwrap_or_else(|| {
                let since = match self.seen.get(&entry.name) {
                    Some((stamp, since)) if *stamp == entry.stamp => *since,
                    _ => Instant::now(),
                };
                still.insert(entry.name.clone(), (entry.stamp, since));
                since.elapsed()
            });
            match quiet.checked_sub(unchanged_for).filter(|left| !left.is_zero()) {
                Some(left) => drop(waits.insert(entry.name.clone(), left)),
                None => drop(self.settled.insert(entry.name.clone(), entry.stamp)),
            }
        }
        self.seen = still;
        waits
    }
}

fn in_inbox(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|entry| entry.bucket == Bucket::Inbox && entry.kind == Kind::File)
}

/// The files under `folder` that some process of ours has open for writing. Empty where the system cannot tell.
pub(super) fn open_for_writing(folder: &Path) -> HashSet<PathBuf> {
    // Processes come and go while we look, and those of other users are closed to us: whatever cannot be read is
    // passed over, the age of the file still protects it.
    let Ok(folder) = folder.canonicalize() else { return HashSet::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numeric = processes.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
    let mut found = HashSet::new();
    for process in numeric {
        for descriptor in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(path) = fs::read_link(descriptor.path()) else { continue };
            let info = process.path().join("fdinfo").join(descriptor.file_name());
            if path.starts_with(&folder) && fs::read_to_string(info).is_ok_and(|info| is_writing(&info)) {
                found.insert(path);
            }
        }
    }
    found
}

/// Reads the `flags:` line (octal) of a `/proc/PID/fdinfo/FD`: the lowest two bits are the access mode.
fn is_writing(fdinfo: &str) -> bool {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
        .is_some_and(|flags| flags & 0b11 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(1500);

    fn entry(modified_ms: i64) -> Entry {
        let stamp = Stamp { size: 3, modified: modified_ms * 1_000_000 };
        Entry { bucket: Bucket::Inbox, name: "a.md".to_owned(), kind: Kind::File, stamp, inode: 1 }
    }

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn a_file_written_a_second_ago_waits_and_an_old_one_does_not() {
        let mut settling = Settling::default();
        let waits = settling.waits(&[entry(9_000)], at(10_000), QUIET);
        assert_eq!(waits["a.md"], Duration::from_millis(500));
        assert!(settling.waits(&[entry(9_000)], at(10_500), QUIET).is_empty());
        assert!(settling.waits(&[entry(1)], at(10_000), QUIET).is_empty());
    }

    #[test]
    fn only_a_file_that_is_new_or_changed_asks_for_the_time() {
        let mut settling = Settling::default();
        assert!(settling.nothing_new(&[]));
        assert!(!settling.nothing_new(&[entry(9_000)]));
        settling.waits(&[entry(9_000)], at(10_000), QUIET);
        assert!(!settling.nothing_new(&[entry(9_000)]), "it has not settled yet");
        settling.waits(&[entry(9_000)], at(10_500), QUIET);
        assert!(settling.nothing_new(&[entry(9_000)]));
        assert!(!settling.nothing_new(&[entry(9_001)]));
    }

    #[test]
    fn the_second_half_starts_the_wait_anew() {
        let mut settling = Settling::default();
        assert!(!settling.waits(&[entry(9_000)], at(9_100), QUIET).is_empty());
        assert!(!settling.waits(&[entry(10_000)], at(10_600), QUIET).is_empty());
        assert!(settling.waits(&[entry(10_000)], at(11_500), QUIET).is_empty());
    }

    #[test]
    fn a_file_from_the_future_is_judged_by_what_we_saw() {
        let mut settling = Settling::default();
        let future = [entry(99_000)];
        assert!(!settling.waits(&future, at(10_000), QUIET).is_empty());
        let long_ago = Instant::now().checked_sub(QUIET).unwrap();
        settling.seen.get_mut("a.md").unwrap().1 = long_ago;
        assert!(settling.waits(&future, at(10_000), QUIET).is_empty());
        assert!(!settling.waits(&[entry(99_001)], at(10_000), QUIET).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_open_for_writing_is_found_and_one_being_read_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap().join("a.md");
        let writer = fs::File::create(&path).unwrap();
        assert!(open_for_writing(home.path()).contains(&path));
        drop(writer);
        let _reader = fs::File::open(&path).unwrap();
        assert!(!open_for_writing(home.path()).contains(&path));
    }
}
