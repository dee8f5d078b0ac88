//! Reads a file that is being written: every byte once, as soon as it is there.
//!
//! The file is the spool between an agent and whoever reads it: a reader that comes back starts at the offset that it
//! had reached. Nothing here waits for the agent to end; who knows that says so with [`Tail::finish`].

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::watch, time::timeout};

use super::RuntimeError;

/// The most that is read at once, bytes.
const CHUNK: usize = 64 * 1024;
/// A file is looked at this often even if nothing is heard of it: not every file system tells of changes.
const POLL: Duration = Duration::from_millis(250);

/// Hears of changes in a run's folder; the tails of its files share one. Without the system's help (its watches are
/// limited) the tails just poll.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    changes: watch::Receiver<()>,
    /// Ends with the last clone.
    _watcher: Option<std::sync::Arc<RecommendedWatcher>>,
}

impl Watch {
    /// Watches a folder that exists.
    pub(crate) fn on(folder: &Path) -> Self {
        let (sender, changes) = watch::channel(());
        let hear = move |event: notify::Result<notify::Event>| {
            // Opening and reading are events too, and would make readers wake each other for ever.
            if event.is_ok_and(|event| matches!(event.kind, EventKind::Modify(_) | EventKind::Create(_))) {
                sender.send_replace(());
            }
        };
        let watcher = notify::recommended_watcher(hear).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(std::sync::Arc::new(watcher))
        });
        if let Err(error) = &watcher {
            tracing::debug!(%error, folder = %folder.display(), "no watch on this folder, polling");
        }
        Self { changes, _watcher: watcher.ok() }
    }

    /// Until something happened in the folder since the last time, or for the time between two looks.
    pub(crate) async fn changed(&mut self) {
        if let Ok(Err(_)) = timeout(POLL, self.changes.changed()).await {
            // The watcher is gone for good.
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Of the first byte.
    pub(crate) offset: u64,
    /// Never empty, 64 KiB at most.
    pub(crate) bytes: Bytes,
}

/// A reader of one growing file.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    watch: Watch,
    file: Option<File>,
    buffer: Vec<u8>,
    offset: u64,
    finished: bool,
}

impl Tail {
    /// Reads `path`, a file of the watched folder that need not exist yet, from `offset` on.
    pub(crate) fn new(path: &Path, watch: &Watch, offset: u64) -> Self {
        Self {
            path: path.to_owned(),
            watch: watch.clone(),
            file: None,
            buffer: vec![0; CHUNK],
            offset,
            finished: false,
        }
    }

    /// Of the next byte that will be read.
    #[cfg(test)]
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Nobody writes any more: what is there now is all. To be called after the run's end, not before.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }

    /// The next bytes; waits for some. None at the end of a finished file. May be dropped at any time without loss.
    ///
    /// [`RuntimeError::Shrunk`] when the file was cut, which whoever opens a standard stream anew does by mistake; the next
    /// call then begins with what was written since.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, RuntimeError> {
        loop {
            // Marked before looking, so that a change after the look is not missed.
            self.watch.changes.mark_unchanged();
            if let Some(chunk) = self.read()? {
                return Ok(Some(chunk));
            }
            if self.finished {
                return Ok(None);
            }
            self.watch.changed().await;
        }
    }

    /// What is there now, if it is anything. These are bytes that were just written, so reading them does not wait for a
    /// disk.
    fn read(&mut self) -> Result<Option<Chunk>, RuntimeError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => match File::open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(RuntimeError::io("open", &self.path)(error)),
            },
        };
        let file = self.file.insert(file);
        let count = loop {
            match file.read_at(&mut self.buffer, self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(RuntimeError::io("read", &self.path))?,
            }
        };
        if count == 0 {
            let length = file.metadata().map_err(RuntimeError::io("read", &self.path))?.len();
            if length >= self.offset {
                return Ok(None);
            }
            let read = std::mem::take(&mut self.offset);
            return Err(RuntimeError::Shrunk { path: self.path.clone(), length, read });
        }
        let chunk = Chunk { offset: self.offset, bytes: Bytes::copy_from_slice(&self.buffer[..count]) };
        self.offset += u64::try_from(count).expect("a length fits in 64 bits");
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::*;

    /// Far more than the time between two looks.
    const DEADLINE: Duration = Duration::from_secs(20);

    async fn next(tail: &mut Tail) -> Option<String> {
        let chunk = timeout(DEADLINE, tail.next()).await.expect("bytes in time").unwrap();
        chunk.map(|chunk| {
            assert_eq!(chunk.offset + chunk.bytes.len() as u64, tail.offset());
            String::from_utf8(chunk.bytes.to_vec()).unwrap()
        })
    }

    fn append(path: &Path, text: &str) {
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_followed_from_before_it_exists_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::new(&path, &Watch::on(folder.path()), 0);
        assert!(timeout(Duration::ZERO, tail.next()).await.is_err(), "nothing yet");
        for text in ["one", "two\n", "three"] {
            append(&path, text);
            assert_eq!(next(&mut tail).await.as_deref(), Some(text));
        }
        append(&path, "last");
        tail.finish();
        assert_eq!(next(&mut tail).await.as_deref(), Some("last"));
        assert_eq!(next(&mut tail).await, None);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_a_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        // Both ways to hear of it: with a watch, and without one (the folder does not exist).
        for watch in [Watch::on(folder.path()), Watch::on(&folder.path().join("none"))] {
            let mut tail = Tail::new(&path, &watch, path.metadata().map_or(0, |file| file.len()));
            let (text, ()) = tokio::join!(next(&mut tail), async {
                tokio::task::yield_now().await;
                append(&path, "x");
            });
            assert_eq!(text.as_deref(), Some("x"));
        }
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_begins_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "0123456789");
        let mut tail = Tail::new(&path, &Watch::on(folder.path()), 7);
        assert_eq!(next(&mut tail).await.as_deref(), Some("789"));
        assert_eq!(tail.offset(), 10);
    }

    #[tokio::test]
    async fn a_file_that_never_came_is_empty_once_the_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = Tail::new(&folder.path().join("log"), &Watch::on(folder.path()), 0);
        tail.finish();
        assert_eq!(next(&mut tail).await, None);
    }

    #[tokio::test]
    async fn a_file_that_was_cut_is_an_error_and_no_silent_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "0123456789");
        let mut tail = Tail::new(&path, &Watch::on(folder.path()), 0);
        next(&mut tail).await;
        File::options().write(true).open(&path).unwrap().set_len(3).unwrap();
        let error = timeout(DEADLINE, tail.next()).await.expect("an answer in time").unwrap_err();
        assert!(matches!(error, RuntimeError::Shrunk { length: 3, read: 10, .. }), "{error}");
        assert_eq!(next(&mut tail).await.as_deref(), Some("012"));
    }
}
