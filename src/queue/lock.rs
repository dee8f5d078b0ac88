//! Two locks of the operating system, which vanish with the process that holds them: one for the run loop of a queue,
//! one for whoever redraws the folder just now.
//!
//! What the lock files say is for people; nothing is decided by it, so a stale file never blocks anyone.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    error::{AtPath, QueueError},
    folder::Folder,
};

/// The file of the lock, in the state folder.
pub(super) const RUN_LOCK: &str = "run.lock";

/// Held by the one `fleet run` of a queue for as long as it lives.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

/// Who holds the run lock, as written into its file.
#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    since: Timestamp,
}

impl RunLock {
    /// Takes the lock, or tells at once who has it. `now` is what the next starter is told as "since". The state folder
    /// must be there (`Folder::create`).
    pub(crate) fn acquire(folder: &Folder, now: Timestamp) -> Result<Self, QueueError> {
        let path = folder.state_file(RUN_LOCK);
        let mut file = open(&path)?;
        if !try_lock(&file, &path)? {
            let holder = read_holder(&mut file);
            let (pid, since) = holder.map_or((None, None), |holder| (Some(holder.pid), Some(holder.since)));
            return Err(QueueError::AlreadyRunning { pid, since });
        }
        let holder = Holder { pid: std::process::id(), since: now };
        write_over(&mut file, &serde_json::to_string(&holder).expect("a process id and an instant can be written"))
            .at("write", &path)?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    // The holder may be between taking the lock and writing its name: then nobody is named.
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Held while the folder is compared with the store and put right.
#[derive(Debug)]
pub(super) struct RedrawLock {
    file: File,
    path: PathBuf,
}

impl RedrawLock {
    /// Waits for the lock, at most `patience`.
    pub(super) async fn acquire(folder: &Folder, patience: Duration) -> Result<Self, QueueError> {
        let path = folder.state_file("queue.lock");
        let file = open(&path)?;
        let started = Instant::now();
        let mut pause = Duration::from_millis(2);
        while !try_lock(&file, &path)? {
            if started.elapsed() >= patience {
                return Err(QueueError::Busy { waited: patience });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Ok(Self { file, path })
    }

    /// The time by the file system's own clock, which is the one that the files' times can be compared with.
    pub(super) fn file_time(&mut self) -> Result<SystemTime, QueueError> {
        // Always as long, so that a full disk has room for it.
        let text = format!("{:>10}\n", std::process::id());
        self.file.rewind().and_then(|()| self.file.write_all(text.as_bytes())).at("write", &self.path)?;
        self.file.metadata().and_then(|found| found.modified()).at("look at", &self.path)
    }
}

fn open(path: &Path) -> Result<File, QueueError> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).at("open", path)
}

fn try_lock(file: &File, path: &Path) -> Result<bool, QueueError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).at("lock", path),
    }
}

fn write_over(file: &mut File, text: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("tasks"), home.path().join(".fleet"));
        folder.create().unwrap();
        (home, folder)
    }

    #[test]
    fn a_second_run_is_told_who_runs_since_when() {
        let (_home, folder) = folder();
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let held = RunLock::acquire(&folder, now).unwrap();
        let refusal = RunLock::acquire(&folder, now).unwrap_err();
        assert!(matches!(refusal, QueueError::AlreadyRunning { pid: Some(pid), since: Some(since) }
            if pid == std::process::id() && since == now));
        assert_eq!(refusal.exit(), fleet_protocol::ExitCode::AlreadyRunning);
        drop(held);
        assert!(RunLock::acquire(&folder, now).is_ok());
    }

    #[test]
    fn the_file_of_a_dead_run_does_not_block() {
        let (_home, folder) = folder();
        std::fs::write(folder.state_file("run.lock"), "{\"pid\":1,\"since\":\"2026-01-01T00:00:00Z\"}").unwrap();
        assert!(RunLock::acquire(&folder, Timestamp::UNIX_EPOCH).is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_too_long_for_the_redraw_lock_says_so() {
        let (_home, folder) = folder();
        let _held = RedrawLock::acquire(&folder, Duration::ZERO).await.unwrap();
        let refusal = RedrawLock::acquire(&folder, Duration::from_millis(5)).await.unwrap_err();
        assert!(matches!(refusal, QueueError::Busy { .. }));
    }
}
