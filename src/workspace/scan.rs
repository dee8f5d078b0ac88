//! Brings an index up to date with the files of a tree: everything tracked, and everything untracked that is not ignored.
//!
//! libgit2's own scan takes a nested repository for a submodule (and loses its files), ends at 100 folders' depth and
//! fails as a whole when one file cannot be read. This one keeps what can be kept and says what could not.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use git2::{Index, IndexEntry, IndexTime, Oid, Repository};

use super::{
    content::{Root, Trouble},
    error::{During, WorkspaceError},
};

/// What a scan found.
pub(super) struct Scan {
    /// The tree of all that counts.
    pub(super) tree: Oid,
    /// What is not in it, or not as it lies there.
    pub(super) notes: Vec<String>,
    /// Whether nothing that counts is missing from `tree`.
    pub(super) whole: bool,
}

const REGULAR: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const GITLINK: u32 = 0o160_000;

/// Scans `tree` into the index of `view`. `stamp` is when that index was last written: a file changed in that very tick
/// is read again.
pub(super) fn scan(view: &Repository, tree: &Path, stamp: (i64, i64)) -> Result<Scan, WorkspaceError> {
    let mut index = view.index().during("read the index of", view.path())?;
    index.read(true).during("read the index of", view.path())?;
    let known: Vec<IndexEntry> = index.iter().filter(|entry| entry.flags & 0x3000 == 0).collect();
    let seen = vec![false; known.len()];
    let config = view.config().during("read the settings of", view.path())?;
    let trust_mode = config.get_bool("core.filemode").unwrap_or(true);
    let (changed, notes) = (Vec::new(), Vec::new());
    let mut walk = Walk { view, tree, stamp, trust_mode, known, seen, changed, notes, whole: true };
    walk.folders()?;
    let (notes, whole) = walk.store(&mut index)?;
    let tree = index.write_tree().during("write the tree of", tree)?;
    Ok(Scan { tree, notes, whole })
}

struct Walk<'a> {
    view: &'a Repository,
    tree: &'a Path,
    stamp: (i64, i64),
    /// Whether the file system keeps the executable bit.
    trust_mode: bool,
    /// Entries of the index, in its order, which is that of the paths' bytes.
    known: Vec<IndexEntry>,
    seen: Vec<bool>,
    /// New or different files.
    changed: Vec<PathBuf>,
    notes: Vec<String>,
    whole: bool,
}

impl Walk<'_> {
    fn folders(&mut self) -> Result<(), WorkspaceError> {
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            let path = self.tree.join(&folder);
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if folder.as_os_str().is_empty() => return Err(error).during("read", &path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.miss(&folder, &error);
                    self.keep_below(&folder);
                    continue;
                }
            };
            for entry in entries {
                let name = entry.during("read", &path)?.file_name();
                self.entry(&folder, &name, &mut waiting)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Path, name: &OsStr, waiting: &mut Vec<PathBuf>) -> Result<(), WorkspaceError> {
        if name == ".git" {
            if !folder.as_os_str().is_empty() {
                let folder = folder.display();
                self.notes
                    .push(format!("`{folder}` is a repository of its own; its files are kept, its history is not"));
            }
            return Ok(());
        }
        let path = folder.join(name);
        let meta = match fs::symlink_metadata(self.tree.join(&path)) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.miss(&path, &error);
                return Ok(());
            }
        };
        if meta.is_dir() {
            self.folder(path, waiting)
        } else if meta.is_file() || meta.is_symlink() {
            self.file(path, &meta)
        } else {
            // Pipes and sockets have no content; git does not know them either.
            Ok(())
        }
    }

    fn folder(&mut self, path: PathBuf, waiting: &mut Vec<PathBuf>) -> Result<(), WorkspaceError> {
        if let Ok(at) = self.find(&path) {
            if self.known[at].mode == GITLINK {
                // A submodule is an area of its own, or was never populated.
                self.seen[at] = true;
                return Ok(());
            }
        } else if !self.holds_known(&path) && self.is_ignored(&path)? {
            return Ok(());
        }
        waiting.push(path);
        Ok(())
    }

    fn file(&mut self, path: PathBuf, meta: &Metadata) -> Result<(), WorkspaceError> {
        match self.find(&path) {
            Ok(at) => {
                self.seen[at] = true;
                if self.is_same(&self.known[at], meta) {
                    return Ok(());
                }
            }
            Err(_) if self.is_ignored(&path)? => return Ok(()),
            Err(_) => {}
        }
        self.changed.push(path);
        Ok(())
    }

    fn find(&self, path: &Path) -> Result<usize, usize> {
        let path = path.as_os_str().as_bytes();
        self.known.binary_search_by(|entry| entry.path.as_slice().cmp(path))
    }

    /// Whether a tracked file lies below this folder.
    fn holds_known(&self, folder: &Path) -> bool {
        let prefix = prefix(folder);
        let first = self.known.partition_point(|entry| entry.path.as_slice() < prefix.as_slice());
        self.known.get(first).is_some_and(|entry| entry.path.starts_with(&prefix))
    }

    /// A folder that cannot be read says nothing about its files.
    fn keep_below(&mut self, folder: &Path) {
        let prefix = prefix(folder);
        for (entry, seen) in self.known.iter().zip(&mut self.seen) {
            *seen |= entry.path.starts_with(&prefix);
        }
    }

    fn is_ignored(&self, path: &Path) -> Result<bool, WorkspaceError> {
        self.view.is_path_ignored(path).during("judge", &self.tree.join(path))
    }

    /// Whether the file is as it was when the index was written, going by what the file system says of it.
    fn is_same(&self, entry: &IndexEntry, meta: &Metadata) -> bool {
        let same = |time: IndexTime, seconds: i64, nanoseconds: i64| {
            time.seconds() == truncate(seconds)
                && (time.nanoseconds() == 0 || i64::from(time.nanoseconds()) == nanoseconds)
        };
        let racy = if entry.mtime.nanoseconds() == 0 {
            meta.mtime() >= self.stamp.0
        } else {
            (meta.mtime(), meta.mtime_nsec()) >= self.stamp
        };
        !racy
            && entry.mode == self.mode(&entry.path, meta)
            && u64::from(entry.file_size) == meta.size() & u64::from(u32::MAX)
            && u64::from(entry.ino) == meta.ino() & u64::from(u32::MAX)
            && same(entry.mtime, meta.mtime(), meta.mtime_nsec())
            && same(entry.ctime, meta.ctime(), meta.ctime_nsec())
    }

    /// Puts what was found into the index.
    fn store(mut self, index: &mut Index) -> Result<(Vec<String>, bool), WorkspaceError> {
        let gone = self.known.iter().zip(&self.seen).filter(|(_, seen)| !**seen);
        let gone: Vec<_> = gone.map(|(entry, _)| PathBuf::from(OsStr::from_bytes(&entry.path))).collect();
        if gone.is_empty() && self.changed.is_empty() {
            return Ok((self.notes, self.whole));
        }
        for path in &gone {
            take_out(index, path)?;
        }
        let root = Root::open(self.view, self.tree)?;
        for path in std::mem::take(&mut self.changed) {
            match root.store(&path) {
                Ok(Some((id, meta))) => {
                    if let Err(error) = index.add(&self.entry_of(&path, &meta, id)) {
                        self.miss(&path, &error);
                    }
                }
                Ok(None) => take_out(index, &path)?,
                Err(Trouble::File(error)) => self.miss(&path, &error),
                Err(Trouble::Store(error)) => return Err(error),
            }
        }
        index.write().during("write the index of", self.view.path())?;
        Ok((self.notes, self.whole))
    }

    fn mode(&self, path: &[u8], meta: &Metadata) -> u32 {
        if meta.is_symlink() {
            return LINK;
        }
        if !self.trust_mode {
            let known = self.find(Path::new(OsStr::from_bytes(path))).map(|at| self.known[at].mode);
            return known.ok().filter(|mode| *mode == EXECUTABLE).unwrap_or(REGULAR);
        }
        if meta.permissions().mode() & 0o100 == 0 { REGULAR } else { EXECUTABLE }
    }

    fn entry_of(&self, path: &Path, meta: &Metadata, id: Oid) -> IndexEntry {
        let time = |seconds: i64, nanoseconds: i64| {
            IndexTime::new(truncate(seconds), u32::try_from(nanoseconds).unwrap_or_default())
        };
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).expect("masked to 32 bits");
        let path = path.as_os_str().as_bytes().to_vec();
        IndexEntry {
            ctime: time(meta.ctime(), meta.ctime_nsec()),
            mtime: time(meta.mtime(), meta.mtime_nsec()),
            dev: low(meta.dev()),
            ino: low(meta.ino()),
            mode: self.mode(&path, meta),
            uid: meta.uid(),
            gid: meta.gid(),
            file_size: low(meta.size()),
            id,
            flags: 0,
            flags_extended: 0,
            path,
        }
    }

    fn miss(&mut self, path: &Path, why: &dyn std::error::Error) {
        self.whole = false;
        self.notes.push(format!("`{}` could not be saved: {why}", path.display()));
    }
}

/// Takes a file out of the index, where it may or may not be.
fn take_out(index: &mut Index, path: &Path) -> Result<(), WorkspaceError> {
    match index.remove(path, 0) {
        Err(error) if error.code() != git2::ErrorCode::NotFound => Err(error).during("take out of the index", path),
        _ => Ok(()),
    }
}

fn prefix(folder: &Path) -> Vec<u8> {
    [folder.as_os_str().as_bytes(), b"/"].concat()
}

/// The index keeps the low 32 bits of a time.
fn truncate(seconds: i64) -> i32 {
    u32::try_from(seconds & i64::from(u32::MAX)).expect("masked to 32 bits").cast_signed()
}
