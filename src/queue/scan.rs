//! What lies in the buckets now: one pass over each, links never followed.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, DirEntry, Metadata},
    io,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};

use fleet_protocol::Bucket;
use serde::{Deserialize, Serialize};

use super::{
    error::{AtPath, QueueError},
    folder::{Folder, is_safe, is_task},
    notes,
};

/// A file that the keeper writes before it renames it into place; seen only after a crash.
pub(super) const DRAFT: &str = ".fleet-draft";
/// How often a file that was seen twice, because it was moved meanwhile, makes us look again.
const LOOKS: usize = 4;

/// Everything in the six buckets that could concern a job.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) entries: Vec<Entry>,
    /// The keeper's notes, by the name of the note.
    pub(super) notes: BTreeSet<(Bucket, String)>,
    /// Buckets with a draft that a crash left behind.
    pub(super) drafts: Vec<Bucket>,
}

/// One task-like thing in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bucket: Bucket,
    /// Its name; with replacement characters when it is no UTF-8 (`Kind::OddName`).
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) stamp: Stamp,
    pub(super) inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Link,
    Folder,
    /// A pipe, a socket, a device.
    Special,
    /// A name that is no UTF-8 or has a line break in it.
    OddName,
}

/// How a file looked: when it differs, the file was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Nanoseconds since 1970, by the file system's clock; negative before.
    pub(super) modified: i64,
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        let nanos = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
        Self { size: found.len(), modified: nanos }
    }

    /// How long before `now` the file was last written; none when that lies ahead of `now`.
    pub(super) fn age(self, now: SystemTime) -> Option<Duration> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let modified = Duration::from_nanos(u64::try_from(self.modified).unwrap_or(0));
        now.checked_sub(modified)
    }
}

/// Looks at the six buckets. A file that is moved from one bucket to another meanwhile is not counted twice.
pub(super) fn scan(folder: &Folder) -> Result<Scan, QueueError> {
    let mut seen = look(folder)?;
    for _ in 1..LOOKS {
        if !has_one_file_twice(&seen.entries) {
            break;
        }
        seen = look(folder)?;
    }
    Ok(seen)
}

fn has_one_file_twice(entries: &[Entry]) -> bool {
    let mut inodes = HashSet::with_capacity(entries.len());
    !entries.iter().all(|entry| inodes.insert(entry.inode))
}

fn look(folder: &Folder) -> Result<Scan, QueueError> {
    let mut scan = Scan::default();
    for bucket in Bucket::ALL {
        let path = folder.bucket(*bucket);
        for entry in fs::read_dir(&path).at("list", &path)? {
            let entry = entry.at("list", &path)?;
            match look_at(*bucket, &entry, &mut scan) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).at("look at", entry.path());
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    scan.entries.sort_by(|a, b| (a.bucket, &a.name).cmp(&(b.bucket, &b.name)));
    Ok(scan)
}

fn look_at(bucket: Bucket, entry: &DirEntry, scan: &mut Scan) -> io::Result<()> {
    let os_name = entry.file_name();
    let name = os_name.to_string_lossy().into_owned();
    if name == DRAFT {
        scan.drafts.push(bucket);
    } else if notes::is_note_name(&name) {
        scan.notes.insert((bucket, name));
    } else if is_task(&name) {
        let found = entry.metadata()?;
        let odd = os_name.to_str().is_none() || !is_safe(&name);
        let kind = if odd { Kind::OddName } else { kind(&found) };
        scan.entries.push(Entry { bucket, name, kind, stamp: Stamp::of(&found), inode: found.ino() });
    }
    Ok(())
}

fn kind(found: &Metadata) -> Kind {
    let kind = found.file_type();
    if kind.is_file() {
        Kind::File
    } else if kind.is_symlink() {
        Kind::Link
    } else if kind.is_dir() {
        Kind::Folder
    } else {
        Kind::Special
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_task_like_names_in_buckets_are_seen_and_links_are_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("tasks"), home.path().join(".fleet"));
        folder.create().unwrap();
        for name in ["a.md", ".hidden.md", "b.txt", "a.md~"] {
            fs::write(folder.file(Bucket::Inbox, name), name).unwrap();
        }
        fs::write(folder.file(Bucket::Review, "a.md.note.txt"), "x").unwrap();
        fs::create_dir(folder.file(Bucket::Inbox, "sub.md")).unwrap();
        fs::create_dir(folder.file(Bucket::Inbox, "deep")).unwrap();
        fs::write(folder.file(Bucket::Inbox, "deep/c.md"), "c").unwrap();
        symlink("/etc/passwd", folder.file(Bucket::Inbox, "link.md")).unwrap();
        let scan = scan(&folder).unwrap();
        let seen: Vec<_> = scan.entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
        assert_eq!(seen, [("a.md", Kind::File), ("link.md", Kind::Link), ("sub.md", Kind::Folder)]);
        assert!(scan.notes.into_iter().eq([(Bucket::Review, "a.md.note.txt".to_owned())]));
    }

    #[test]
    fn a_file_from_the_future_has_no_age() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let stamp = |seconds: i64| Stamp { size: 1, modified: seconds * 1_000_000_000 };
        assert_eq!(stamp(98).age(now), Some(Duration::from_secs(2)));
        assert_eq!(stamp(101).age(now), None);
    }
}
