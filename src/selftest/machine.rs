//! What this machine has: programs on its path, processes of a place, and an end to those.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::call::LOOK;

/// A living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) pid: i32,
    pub(super) command: String,
}

/// Whether this machine can tell.
pub(super) fn can_tell() -> bool {
    Path::new("/proc/self/environ").exists()
}

/// Whether a program of this name can be called.
pub(super) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| {
        let found = fs::metadata(folder.join(program));
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// Every living process whose environment names the place or that works in it.
pub(super) fn processes_of(place: &Path) -> Vec<Found> {
    let mark = place.to_string_lossy().into_owned();
    let this = std::process::id().to_string();
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in listed {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.parse().ok().filter(|_| name != this) else { continue };
        let read = |file: &str| {
            // A process may end while it is looked at; then it says nothing.
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let works_here = fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder.starts_with(place));
        if (works_here || read("environ").contains(&mark)) && !is_zombie(&read("stat")) {
            found.push(Found { pid, command: read("cmdline").trim().to_owned() });
        }
    }
    found
}

/// Whether this process lives.
pub(super) fn is_alive(pid: i32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !is_zombie(&stat),
        Err(_) => !can_tell() && kill(Pid::from_raw(pid), None).is_ok(),
    }
}

fn is_zombie(stat: &str) -> bool {
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// Waits until no process of the place is left; after `patience` those that are, ended by force.
pub(super) fn settle(place: &Path, patience: Duration) -> Vec<Found> {
    let begun = Instant::now();
    loop {
        let found = processes_of(place);
        if found.is_empty() {
            return found;
        }
        if begun.elapsed() >= patience {
            end(place);
            return found;
        }
        thread::sleep(LOOK);
    }
}

/// Ends what belongs to the place, and what that starts meanwhile.
pub(super) fn end(place: &Path) {
    const ROUNDS: u32 = 50;
    for _ in 0..ROUNDS {
        let found = processes_of(place);
        if found.is_empty() {
            return;
        }
        for process in found {
            // It may be gone already.
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        thread::sleep(LOOK);
    }
}
