//! The output of runs, as files: `<state>/logs/<job>/<run>.<stream>`. Append only; an offset is a length in bytes.
//!
//! Nothing of a run is held in memory beyond the piece that is being written or read. Appends of one stream take turns
//! by a lock on the file, across processes. A file's modification time is the coordinator's time of its last growth.
//!
//! Whatever has the shape of a credential is masked on its way in, byte for byte, also when it arrives in pieces: what was
//! stored of it before is then masked where it lies. A sender that masks its output itself never sees that happen.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use fleet_protocol::{JobId, api::LogStream, secret::Mask};
use jiff::Timestamp;

/// How far back a secret is looked for that began in an earlier piece; longer ones are private keys, whose first line stays.
const BACK: u64 = 8 * 1024;

/// Most bytes of one read.
pub(crate) const PIECE: u64 = 1024 * 1024;

/// Where the output of runs lies.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    folder: PathBuf,
}

/// One stream of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamName {
    pub(crate) job: JobId,
    pub(crate) run: u32,
    pub(crate) stream: LogStream,
}

/// A log file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The bytes do not follow what is there.
    #[error("the log ends at byte {expected}; send from there")]
    Gap { expected: u64 },
    #[error("cannot {verb} the log {}", path.display())]
    Io { verb: &'static str, path: PathBuf, source: std::io::Error },
}

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// Length of the stream.
    pub(crate) size: u64,
}

impl Logs {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, name: &StreamName) -> PathBuf {
        self.folder.join(name.job.as_str()).join(format!("{}.{}", name.run, name.stream))
    }

    /// Whether there is a file for it already.
    pub(crate) fn is_there(&self, name: &StreamName) -> bool {
        self.path(name).exists()
    }

    /// Puts `bytes` at `offset`; what is there already is not written again. `allowed` is asked once the file is ours,
    /// so that whoever waited for it is judged by what holds then. Gives the new length.
    pub(crate) fn append<E: From<LogError>>(
        &self,
        name: &StreamName,
        (offset, bytes): (u64, &[u8]),
        now: Timestamp,
        allowed: impl FnOnce() -> Result<(), E>,
    ) -> Result<u64, E> {
        let path = self.path(name);
        let io = |verb| failed(verb, &path);
        let mut file = open_to_append(&path).map_err(io("open"))?;
        file.lock().map_err(io("lock"))?;
        allowed()?;
        let size = file.metadata().map_err(io("measure"))?.len();
        if offset > size {
            return Err(LogError::Gap { expected: size }.into());
        }
        let known = usize::try_from(size - offset).unwrap_or(usize::MAX);
        let new = bytes.get(known..).unwrap_or_default();
        if new.is_empty() {
            return Ok(size);
        }
        let (at, masked) = with_the_end(&mut file, size, new).map_err(io("read the end of"))?;
        file.seek(SeekFrom::Start(at)).map_err(io("seek in"))?;
        file.write_all(&masked).map_err(io("append to"))?;
        file.set_modified(SystemTime::from(now)).map_err(io("date"))?;
        Ok(size + u64::try_from(new.len()).expect("a length fits 64 bits"))
    }

    /// Up to `limit` bytes from `offset`; nothing where there is no log yet.
    pub(crate) fn read(&self, name: &StreamName, offset: u64, limit: u64) -> Result<Piece, LogError> {
        let path = self.path(name);
        let io = |verb| failed(verb, &path);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Piece { bytes: Vec::new(), size: 0 }),
            Err(error) => return Err(io("open")(error)),
        };
        let size = file.metadata().map_err(io("measure"))?.len();
        let length = size.saturating_sub(offset).min(limit).min(PIECE);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.seek(SeekFrom::Start(offset)).map_err(io("seek in"))?;
        file.take(length).read_to_end(&mut bytes).map_err(io("read"))?;
        Ok(Piece { bytes, size })
    }

    /// Deletes the output of a job's runs up to `runs`; what is not there is gone already. A later run's stays.
    pub(crate) fn delete(&self, job: &JobId, runs: u32) -> Result<(), LogError> {
        let folder = self.folder.join(job.as_str());
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("list", &folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed("list", &folder))?.path();
            let run = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
            if run.is_some_and(|run| run <= runs) {
                gone(std::fs::remove_file(&path)).map_err(failed("delete", &path))?;
            }
        }
        match std::fs::remove_dir(&folder) {
            // A later run has output here.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => gone(removed).map_err(failed("delete", &folder)),
        }
    }

    /// When any stream of a run grew last; none when it has said nothing.
    pub(crate) fn last_growth(&self, job: &JobId, run: u32) -> Result<Option<Timestamp>, LogError> {
        let mut last = None;
        // What the worker notes is not said by the agent, or by what it is checked with.
        for stream in LogStream::ALL.iter().filter(|stream| **stream != LogStream::Worker) {
            let path = self.path(&StreamName { job: job.clone(), run, stream: *stream });
            let grown = match path.metadata().and_then(|file| file.modified()) {
                Ok(time) => Timestamp::try_from(time).ok(),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(failed("look at", &path)(error)),
            };
            last = last.max(grown);
        }
        Ok(last)
    }
}

/// What to write, and where: `new` without secrets, and before it what was stored since a secret began there.
fn with_the_end(file: &mut File, size: u64, new: &[u8]) -> std::io::Result<(u64, Vec<u8>)> {
    let from = size.saturating_sub(BACK);
    file.seek(SeekFrom::Start(from))?;
    let mut stored = Vec::new();
    file.take(size - from).read_to_end(&mut stored)?;
    // The first line may be cut, and its rest would be mistaken for a beginning.
    let cut = if from == 0 { 0 } else { stored.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1) };
    stored.drain(..cut);
    let mut bytes = [stored.as_slice(), new].concat();
    Mask::default().bytes(&mut bytes);
    let same = stored.iter().zip(&bytes).take_while(|(stored, masked)| stored == masked).count();
    let kept = u64::try_from(cut + same).expect("a length fits 64 bits");
    Ok((from + kept, bytes.split_off(same)))
}

fn open_to_append(path: &Path) -> std::io::Result<File> {
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    open().or_else(|error| {
        if error.kind() != ErrorKind::NotFound {
            return Err(error);
        }
        path.parent().map_or(Ok(()), |folder| DirBuilder::new().recursive(true).mode(0o700).create(folder))?;
        open()
    })
}

/// Another process may be deleting the same.
fn gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn failed(verb: &'static str, path: &Path) -> impl Fn(std::io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io { verb, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> (tempfile::TempDir, Logs, StreamName) {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path().join("logs"));
        (folder, logs, StreamName { job: JobId::from_random(7), run: 1, stream: LogStream::Stdout })
    }

    fn put(logs: &Logs, name: &StreamName, offset: u64, text: &str) -> Result<u64, LogError> {
        logs.append(name, (offset, text.as_bytes()), Timestamp::UNIX_EPOCH, || Ok(()))
    }

    #[test]
    fn what_overlaps_is_stored_once() {
        let (_folder, logs, name) = setup();
        assert_eq!(put(&logs, &name, 0, "hello").unwrap(), 5);
        assert_eq!(put(&logs, &name, 0, "hello").unwrap(), 5);
        assert_eq!(put(&logs, &name, 3, "lo world").unwrap(), 11);
        assert_eq!(logs.read(&name, 0, PIECE).unwrap(), Piece { bytes: b"hello world".to_vec(), size: 11 });
    }

    #[test]
    fn a_token_is_masked_however_it_arrives_and_the_length_stays() {
        let token = format!("gh{}_{}", "p", "0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO");
        let text = format!("é first line\nthe token is {token} and that is it\n");
        for step in [1, 3, 16, 17, 40, text.len()] {
            let (_folder, logs, name) = setup();
            let mut offset = 0;
            for piece in text.as_bytes().chunks(step) {
                offset = logs.append::<LogError>(&name, (offset, piece), Timestamp::UNIX_EPOCH, || Ok(())).unwrap();
            }
            let stored = String::from_utf8(logs.read(&name, 0, PIECE).unwrap().bytes).unwrap();
            assert_eq!(stored.len(), text.len());
            assert!(
                stored.contains("the token is ghp_************************************ and that"),
                "{step}: {stored}"
            );
        }
    }

    #[test]
    fn a_private_key_is_masked_line_by_line() {
        let (_folder, logs, name) = setup();
        let key = format!("-----BEGIN {} KEY-----\n{}-----END {0} KEY-----\n", "PRIVATE", "0aZ9+".repeat(13) + "\n");
        let mut offset = 0;
        for line in key.replace("0aZ9+\n", &format!("0aZ9+\n{}\n", "bY8/".repeat(16))).repeat(3).split_inclusive('\n') {
            offset =
                logs.append::<LogError>(&name, (offset, line.as_bytes()), Timestamp::UNIX_EPOCH, || Ok(())).unwrap();
        }
        let stored = String::from_utf8(logs.read(&name, 0, PIECE).unwrap().bytes).unwrap();
        assert!(!stored.contains("aZ9") && !stored.contains("bY8"), "{stored}");
        assert_eq!(stored.matches("PRIVATE KEY").count(), 6, "{stored}");
    }

    #[test]
    fn a_gap_is_refused_with_the_place_to_go_on_from() {
        let (_folder, logs, name) = setup();
        put(&logs, &name, 0, "abc").unwrap();
        assert!(matches!(put(&logs, &name, 4, "e"), Err(LogError::Gap { expected: 3 })));
        assert_eq!(logs.read(&name, 1, 1).unwrap(), Piece { bytes: b"b".to_vec(), size: 3 });
        assert_eq!(logs.read(&name, 9, 1).unwrap(), Piece { bytes: Vec::new(), size: 3 });
    }

    #[test]
    fn a_refused_append_writes_nothing() {
        let (_folder, logs, name) = setup();
        let outcome: Result<u64, LogError> =
            logs.append(&name, (0, b"x"), Timestamp::UNIX_EPOCH, || Err(LogError::Gap { expected: 77 }));
        assert!(outcome.is_err());
        assert_eq!(logs.read(&name, 0, PIECE).unwrap().size, 0);
    }

    #[test]
    fn output_up_to_a_run_is_deleted_and_doing_it_again_changes_nothing() {
        let (folder, logs, first) = setup();
        let later = StreamName { run: 12, ..first.clone() };
        for name in [&first, &later] {
            put(&logs, name, 0, "abc").unwrap();
        }
        for _ in 0..2 {
            logs.delete(&first.job, 2).unwrap();
            assert_eq!((logs.read(&first, 0, PIECE).unwrap().size, logs.read(&later, 0, PIECE).unwrap().size), (0, 3));
        }
        logs.delete(&first.job, 12).unwrap();
        assert!(!folder.path().join("logs").join(first.job.as_str()).exists());
    }

    #[test]
    fn growth_is_dated_by_the_coordinator_s_clock() {
        let (_folder, logs, name) = setup();
        assert_eq!(logs.last_growth(&name.job, 1).unwrap(), None);
        put(&logs, &name, 0, "abc").unwrap();
        assert_eq!(logs.last_growth(&name.job, 1).unwrap(), Some(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn many_appenders_of_the_same_bytes_leave_one_copy() {
        let (_folder, logs, name) = setup();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for line in 0..50 {
                        put(&logs, &name, line * 8, &format!("line {line:02}\n")).unwrap();
                    }
                });
            }
        });
        let text = String::from_utf8(logs.read(&name, 0, PIECE).unwrap().bytes).unwrap();
        assert_eq!(text, (0..50).map(|line| format!("line {line:02}\n")).collect::<String>());
    }
}
