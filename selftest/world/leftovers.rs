//! Which processes of a world are alive: those whose environment or folder lies in it.

use std::{fs, path::Path};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::until;

/// `pid command line` of every living process whose environment names `place` or whose folder is below it.
pub(crate) fn processes_of(place: &Path) -> Vec<String> {
    let mark = place.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.parse::<u32>().is_err() || name == std::process::id().to_string() {
            continue;
        }
        let read = |file: &str| {
            fs::read(entry.path().join(file))
                .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
                .unwrap_or_default()
        };
        let is_zombie = read("stat").rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
        let works_there = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(place));
        if !is_zombie && (works_there || read("environ").contains(&mark)) {
            found.push(format!("{name} {}", read("cmdline")));
        }
    }
    found
}

/// Kills a process; one that has just ended is no victim.
pub(crate) fn slay(pid: i32) {
    match kill(Pid::from_raw(pid), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("kill {pid}: {error}"),
    }
}

/// Kills every process of `place` until none is left.
pub(crate) fn slay_all(place: &Path) {
    until("every process of the world to be killed", || {
        let pid =
            |line: &String| line.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a line begins with a pid");
        let pids: Vec<i32> = processes_of(place).iter().map(pid).collect();
        pids.iter().for_each(|pid| slay(*pid));
        pids.is_empty().then_some(())
    });
}
