//! Changing the folder: every change is a rename or a write into a hidden draft that is then renamed, so a reader (and
//! a crash) sees the old state or the new one. Nothing is ever overwritten but the keeper's own notes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use fleet_protocol::Bucket;
use nix::fcntl::OFlag;

use super::{
    error::{AtPath, QueueError},
    folder::{Folder, numbered},
    notes,
    scan::{DRAFT, Stamp},
};

/// Largest task file that is taken in, in bytes.
pub(super) const MAX_TASK: u64 = 4 << 20;
/// Names that are tried before giving up on finding a free one.
const MAX_NUMBER: u32 = 10_000;

/// What reading a file of a bucket gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(String, Stamp),
    NotUtf8,
    TooLarge,
    /// It was moved, replaced by something that is no file, or written to while it was read.
    Changed,
}

/// Reads a task file; a link or a pipe in its place is not followed nor waited for.
pub(super) fn read(path: &Path) -> Result<Content, QueueError> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if has_changed(&error) => return Ok(Content::Changed),
        Err(error) => return Err(error).at("open", path),
    };
    let before = file.metadata().at("look at", path)?;
    if !before.is_file() {
        return Ok(Content::Changed);
    }
    let mut bytes = Vec::new();
    let read = Read::by_ref(&mut file).take(MAX_TASK + 1).read_to_end(&mut bytes).at("read", path)?;
    let stamp = Stamp::of(&file.metadata().at("look at", path)?);
    if read as u64 > MAX_TASK {
        return Ok(Content::TooLarge);
    }
    if stamp != Stamp::of(&before) || stamp.size != read as u64 {
        return Ok(Content::Changed);
    }
    Ok(String::from_utf8(bytes).map_or(Content::NotUtf8, |text| Content::Text(text, stamp)))
}

fn has_changed(error: &io::Error) -> bool {
    // ELOOP: a link took the file's place. ENXIO: a pipe or socket did.
    error.kind() == io::ErrorKind::NotFound
        || [nix::errno::Errno::ELOOP, nix::errno::Errno::ENXIO]
            .iter()
            .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

/// What became of a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renamed {
    Done,
    /// Somebody moved the file meanwhile.
    Gone,
    /// Something lies where it should go.
    Taken,
}

/// Puts a file into a bucket, if its place there is free.
pub(super) fn place(folder: &Folder, from: &Path, bucket: Bucket, name: &str) -> Result<Renamed, QueueError> {
    match rename(from, &folder.file(bucket, name)) {
        Ok(()) => Ok(Renamed::Done),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Renamed::Gone),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Renamed::Taken),
        Err(error) => Err(error).at("rename", from),
    }
}

/// Puts a file into a bucket under a name that only its job has: what lies there is nobody's and makes room. In the
/// inbox it gets another name, elsewhere it is set aside.
pub(super) fn place_at_last(folder: &Folder, from: &Path, bucket: Bucket, name: &str) -> Result<Renamed, QueueError> {
    let placed = place(folder, from, bucket, name)?;
    if placed != Renamed::Taken {
        return Ok(placed);
    }
    let occupant = folder.file(bucket, name);
    if bucket == Bucket::Inbox {
        rename_to_free_name(&occupant, &folder.bucket(bucket), name)?;
    } else {
        set_aside(folder, &occupant, name, &notes::in_the_way(bucket))?;
    }
    place(folder, from, bucket, name)
}

/// Writes a job's file from the store; gives its stamp, or none when its place is taken.
pub(super) fn draw(folder: &Folder, bucket: Bucket, name: &str, text: &str) -> Result<Option<Stamp>, QueueError> {
    let dir = folder.bucket(bucket);
    let draft = write_draft(&dir, text)?;
    let stamp = fs::metadata(&draft).map(|found| Stamp::of(&found)).at("look at", &draft)?;
    match place(folder, &draft, bucket, name)? {
        Renamed::Done => Ok(Some(stamp)),
        Renamed::Gone | Renamed::Taken => remove_draft(&dir).map(|()| None),
    }
}

/// Moves a file to the quarantine, under a free name, with a note beside it.
pub(super) fn set_aside(folder: &Folder, path: &Path, name: &str, note: &str) -> Result<Renamed, QueueError> {
    let quarantine = folder.quarantine()?;
    match rename_to_free_name(path, &quarantine, name)? {
        Some(kept) => explain(&quarantine, &kept, note).map(|()| Renamed::Done),
        None => Ok(Renamed::Gone),
    }
}

/// Moves a file that could not be submitted to `failed`, under a free name, with a note beside it.
pub(super) fn fail(folder: &Folder, path: &Path, name: &str, note: &str) -> Result<Renamed, QueueError> {
    let failed = folder.bucket(Bucket::Failed);
    match rename_to_free_name(path, &failed, name)? {
        Some(kept) => explain(&failed, &kept, note).map(|()| Renamed::Done),
        None => Ok(Renamed::Gone),
    }
}

/// Lays a note beside a file. Told again, a note stays as it is; told something else, it grows.
pub(super) fn explain(dir: &Path, name: &str, note: &str) -> Result<(), QueueError> {
    let path = dir.join(notes::note_name(name));
    let told = match fs::read_to_string(&path) {
        Ok(told) if !told.starts_with(notes::MARK) => {
            tracing::warn!(path = %path.display(), note, "a file of the user's has the name of a note; it stays as it is");
            return Ok(());
        }
        Ok(told) if told.contains(note) => return Ok(()),
        Ok(told) => told,
        Err(error) if error.kind() == io::ErrorKind::NotFound => notes::heading(name),
        Err(error) => return Err(error).at("read", path),
    };
    let draft = write_draft(dir, &format!("{told}\n{note}"))?;
    fs::rename(&draft, &path).at("rename a note to", path)
}

/// Removes a note, if it is one of ours. Says whether it did.
pub(super) fn remove_note(dir: &Path, note: &str) -> Result<bool, QueueError> {
    let path = dir.join(note);
    let mut start = vec![0; notes::MARK.len()];
    let ours = File::open(&path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    if !ours || start != notes::MARK.as_bytes() {
        return Ok(false);
    }
    fs::remove_file(&path).at("remove", path)?;
    Ok(true)
}

/// Removes a draft that a crash left behind.
pub(super) fn remove_draft(dir: &Path) -> Result<(), QueueError> {
    let path = dir.join(DRAFT);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write_draft(dir: &Path, text: &str) -> Result<PathBuf, QueueError> {
    remove_draft(dir)?;
    let path = dir.join(DRAFT);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).at("create", &path)?;
    if let Err(error) = file.write_all(text.as_bytes()) {
        // A half-written draft is worth nothing; on a full disk its room is.
        remove_draft(dir)?;
        return Err(error).at("write", path);
    }
    Ok(path)
}

fn rename_to_free_name(from: &Path, dir: &Path, name: &str) -> Result<Option<String>, QueueError> {
    let names = std::iter::once(name.to_owned()).chain((2..MAX_NUMBER).map(|number| numbered(name, number)));
    for name in names {
        match rename(from, &dir.join(&name)) {
            Ok(()) => return Ok(Some(name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at("rename", from),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists)).at("find a free name for", from)
}

/// Renames without ever overwriting.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::{
            errno::Errno,
            fcntl::{AT_FDCWD, RenameFlags, renameat2},
        };
        match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
            // Some file systems do not know the flag.
            Err(Errno::EINVAL | Errno::ENOSYS) => {}
            done => return done.map_err(io::Error::from),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("tasks"), home.path().join(".fleet"));
        folder.create().unwrap();
        (home, folder)
    }

    #[test]
    fn what_is_no_plain_utf8_file_of_a_sane_size_is_not_read() {
        let (_home, folder) = folder();
        let path = |name: &str| folder.file(Bucket::Inbox, name);
        fs::write(path("latin.md"), b"gr\xfc\xdfe").unwrap();
        assert_eq!(read(&path("latin.md")).unwrap(), Content::NotUtf8);
        File::create(path("big.md")).unwrap().set_len(MAX_TASK + 1).unwrap();
        assert_eq!(read(&path("big.md")).unwrap(), Content::TooLarge);
        symlink("latin.md", path("link.md")).unwrap();
        assert_eq!(read(&path("link.md")).unwrap(), Content::Changed);
        nix::unistd::mkfifo(&path("pipe.md"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&path("pipe.md")).unwrap(), Content::Changed);
        assert_eq!(read(&path("none.md")).unwrap(), Content::Changed);
        fs::write(path("crlf.md"), "---\r\n---\r\n\u{feff}é").unwrap();
        assert!(matches!(read(&path("crlf.md")).unwrap(), Content::Text(text, _) if text == "---\r\n---\r\n\u{feff}é"));
    }

    #[test]
    fn nothing_is_overwritten_when_a_file_is_placed() {
        let (home, folder) = folder();
        fs::write(folder.file(Bucket::Inbox, "a.md"), "job").unwrap();
        fs::write(folder.file(Bucket::Review, "a.md"), "somebody's").unwrap();
        place_at_last(&folder, &folder.file(Bucket::Inbox, "a.md"), Bucket::Review, "a.md").unwrap();
        assert_eq!(fs::read_to_string(folder.file(Bucket::Review, "a.md")).unwrap(), "job");
        assert_eq!(fs::read_to_string(home.path().join("tasks/quarantine/a.md")).unwrap(), "somebody's");
        assert!(home.path().join("tasks/quarantine/a.md.note.txt").exists());
    }

    #[test]
    fn a_task_in_the_way_in_the_inbox_stays_a_task() {
        let (_home, folder) = folder();
        fs::write(folder.file(Bucket::Failed, "a.md"), "job").unwrap();
        fs::write(folder.file(Bucket::Inbox, "a.md"), "other task").unwrap();
        place_at_last(&folder, &folder.file(Bucket::Failed, "a.md"), Bucket::Inbox, "a.md").unwrap();
        assert_eq!(fs::read_to_string(folder.file(Bucket::Inbox, "a.md")).unwrap(), "job");
        assert_eq!(fs::read_to_string(folder.file(Bucket::Inbox, "a-2.md")).unwrap(), "other task");
    }

    #[test]
    fn a_note_is_told_once_and_a_users_file_of_that_name_is_left_alone() {
        let (_home, folder) = folder();
        let inbox = folder.bucket(Bucket::Inbox);
        explain(&inbox, "a.md", "Because.\n").unwrap();
        explain(&inbox, "a.md", "Because.\n").unwrap();
        explain(&inbox, "a.md", "And more.\n").unwrap();
        let told = fs::read_to_string(inbox.join("a.md.note.txt")).unwrap();
        assert_eq!(told, "fleet: a note about a.md\n\nBecause.\n\nAnd more.\n");
        assert!(remove_note(&inbox, "a.md.note.txt").unwrap());
        fs::write(inbox.join("b.md.note.txt"), "mine").unwrap();
        explain(&inbox, "b.md", "Because.\n").unwrap();
        assert!(!remove_note(&inbox, "b.md.note.txt").unwrap());
        assert_eq!(fs::read_to_string(inbox.join("b.md.note.txt")).unwrap(), "mine");
    }

    #[test]
    fn a_draft_through_a_planted_link_is_not_written() {
        let (home, folder) = folder();
        let target = home.path().join("target");
        fs::write(&target, "untouched").unwrap();
        symlink(&target, folder.file(Bucket::Inbox, DRAFT)).unwrap();
        draw(&folder, Bucket::Inbox, "a.md", "text").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(folder.file(Bucket::Inbox, "a.md")).unwrap(), "text");
    }
}
