//! Where the queue folder and the state folder lie, and making them.
//!
//! Only the six buckets hold jobs. Hidden files, sub-folders, notes and everything else beside them never do.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use fleet_protocol::Bucket;

use super::error::{AtPath, QueueError};

/// The area beside the buckets for files that were set aside; never read.
const QUARANTINE: &str = "quarantine";
/// Longest file name that file systems take, in bytes.
pub(super) const NAME_MAX: usize = 255;

/// The queue folder (`tasks/`) and the state folder (`.fleet/`) that belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    queue: PathBuf,
    state: PathBuf,
}

impl Folder {
    pub(crate) fn new(queue: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        Self { queue: queue.into(), state: state.into() }
    }

    /// Makes what is missing: the six buckets, the state folder (mode 0700) and, inside it, a `.gitignore` that keeps
    /// it out of git. Says what it made; nothing when all was there.
    pub(crate) fn create(&self) -> Result<Vec<PathBuf>, QueueError> {
        let mut made = Vec::new();
        if !self.state.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.state).at("create", &self.state)?;
            made.push(self.state.clone());
        }
        let ignore = self.state.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&ignore) {
            Ok(mut file) => file.write_all(b"*\n").at("write", &ignore)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at("create", ignore),
        }
        made.extend(self.create_buckets()?);
        Ok(made)
    }

    /// Makes the buckets that are missing and says which.
    pub(super) fn create_buckets(&self) -> Result<Vec<PathBuf>, QueueError> {
        let mut made = Vec::new();
        for bucket in Bucket::ALL {
            let path = self.bucket(*bucket);
            if make_folder(&path)? {
                made.push(path);
            }
        }
        Ok(made)
    }

    /// The folder of a bucket.
    pub(crate) fn bucket(&self, bucket: Bucket) -> PathBuf {
        self.queue.join(bucket.as_str())
    }

    /// A file of a bucket. The name must be safe.
    pub(crate) fn file(&self, bucket: Bucket, name: &str) -> PathBuf {
        self.bucket(bucket).join(name)
    }

    /// The area for files that were set aside; made when first needed.
    pub(super) fn quarantine(&self) -> Result<PathBuf, QueueError> {
        let path = self.queue.join(QUARANTINE);
        make_folder(&path)?;
        Ok(path)
    }

    /// A file of the keeper's own, in the state folder.
    pub(super) fn state_file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }
}

/// Makes a folder unless it is there. A link in its place is refused: renames across it would not be atomic, and it
/// could lead anywhere.
fn make_folder(path: &Path) -> Result<bool, QueueError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(false),
        Ok(_) => Err(QueueError::NotAFolder { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path).at("create", path)?;
            Ok(true)
        }
        Err(error) => Err(error).at("look at", path),
    }
}

/// Whether a name stays inside its folder, can be seen there, and is taken by file systems.
pub(super) fn is_safe(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.') && !name.contains(['/', '\0', '\n'])
}

/// Whether a file of this name is a task: markdown, not hidden.
pub(super) fn is_task(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    !name.starts_with('.') && (extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown"))
}

/// The same name with a number before its extension, for example `add-2.md`.
pub(super) fn numbered(name: &str, number: u32) -> String {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!("-{number}.{extension}")),
        _ => (name, format!("-{number}")),
    };
    format!("{}{extension}", cut(stem, NAME_MAX - extension.len()))
}

/// At most `max` bytes of a text, never half a character.
pub(super) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("tasks"), home.path().join(".fleet"));
        (home, folder)
    }

    #[test]
    fn creating_twice_makes_nothing_the_second_time() {
        let (_home, folder) = folder();
        assert_eq!(folder.create().unwrap().len(), 7);
        assert_eq!(folder.create().unwrap(), Vec::<PathBuf>::new());
        assert!(Bucket::ALL.iter().all(|bucket| folder.bucket(*bucket).is_dir()));
    }

    #[test]
    fn the_state_folder_is_private_and_ignored_by_git() {
        let (home, folder) = folder();
        folder.create().unwrap();
        let state = home.path().join(".fleet");
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_to_string(state.join(".gitignore")).unwrap(), "*\n");
        assert!(!home.path().join(".gitignore").exists());
    }

    #[test]
    fn a_bucket_that_is_a_link_is_refused() {
        let (home, folder) = folder();
        fs::create_dir_all(home.path().join("tasks")).unwrap();
        symlink("/tmp", home.path().join("tasks/review")).unwrap();
        assert!(matches!(folder.create(), Err(QueueError::NotAFolder { path }) if path.ends_with("review")));
    }

    #[test]
    fn names_that_leave_their_folder_are_not_safe() {
        for name in ["", ".", "..", "../up.md", "a/b.md", "/etc/passwd", ".hidden.md", "nul\0.md", "two\nlines.md"] {
            assert!(!is_safe(name), "{name:?}");
        }
        assert!(!is_safe(&"x".repeat(256)));
        for name in ["add.md", "add the thing.md", "größe-日本.md", "..md.md".trim_start_matches('.')] {
            assert!(is_safe(name), "{name:?}");
        }
    }

    #[test]
    fn only_markdown_is_a_task() {
        for name in ["a.md", "A.MD", "b.markdown", "a b.md"] {
            assert!(is_task(name), "{name}");
        }
        for name in ["a.txt", "a.md.note.txt", "a.md~", ".a.md", ".md", "md", "a.md.swp"] {
            assert!(!is_task(name), "{name}");
        }
    }

    #[test]
    fn a_numbered_name_keeps_its_extension_and_fits() {
        assert_eq!(numbered("add.md", 2), "add-2.md");
        assert_eq!(numbered("plain", 3), "plain-3");
        let long = format!("{}.md", "ä".repeat(126));
        assert!(numbered(&long, 12).len() <= NAME_MAX && numbered(&long, 12).ends_with("-12.md"));
    }
}
