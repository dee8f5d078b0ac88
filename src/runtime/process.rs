//! One process as `/proc` shows it, and signals that cannot hit another one.
//!
//! Linux only. A process is its pid and its start time; a signal goes through a pidfd that was opened before the start
//! time was compared, so a recycled pid is never signalled.

use std::{fs, io, os::fd::OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Token;

/// The variable that marks every process of a launch.
pub(super) const LAUNCH_VARIABLE: &str = "FLEET_LAUNCH";

/// A row of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    /// Clock ticks since boot.
    pub(super) started: u64,
    pub(super) state: ProcessState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessState {
    Live,
    /// Ended, only not waited for yet.
    Ended,
}

impl Process {
    /// Looks one up; none when there is no such process.
    pub(super) fn read(pid: i32) -> io::Result<Option<Self>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(stat) => Self::parse(pid, &String::from_utf8_lossy(&stat)).map(Some),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that runs here, in no particular order.
    pub(super) fn all() -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            found.extend(Self::read(pid)?);
        }
        Ok(found)
    }

    /// Whether it was started with this launch's token in its environment. One that may not be read does not count.
    pub(super) fn carries(&self, token: &Token) -> bool {
        let wanted = format!("{LAUNCH_VARIABLE}={}", token.as_str());
        fs::read(format!("/proc/{}/environ", self.pid))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
    }

    /// A handle on this very process; none when it is gone.
    fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let same = Self::read(self.pid)?.is_some_and(|now| now.started == self.started);
        Ok(same.then_some(handle))
    }

    /// Signals this very process. False when it is gone already.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(handle) = self.open()? else { return Ok(false) };
        match pidfd_send_signal(&handle, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn parse(pid: i32, stat: &str) -> io::Result<Self> {
        // The command stands in parentheses and may hold any character, parentheses too.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        let (Some(state), Some(parent), Some(threads), Some(started)) =
            (fields.first(), number(1), number(17), number(19))
        else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has another form")));
        };
        let state = match *state {
            // The first thread of a living process may have ended before the others.
            "Z" if threads > 1 => ProcessState::Live,
            "Z" | "X" | "x" => ProcessState::Ended,
            _ => ProcessState::Live,
        };
        let parent = i32::try_from(parent).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Self { pid, parent, started, state })
    }
}

/// A process that ends while it is being read gives either error.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(state: char, threads: u32) -> String {
        format!(
            "7 (a) b) (c) {state} 4 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 {threads} 0 987654 1000 10 18446744073709551615"
        )
    }

    #[test]
    fn a_command_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let process = Process::parse(7, &stat('S', 1)).unwrap();
        assert_eq!(process, Process { pid: 7, parent: 4, started: 987_654, state: ProcessState::Live });
    }

    #[test]
    fn a_zombie_is_ended_unless_other_threads_live() {
        assert_eq!(Process::parse(7, &stat('Z', 1)).unwrap().state, ProcessState::Ended);
        assert_eq!(Process::parse(7, &stat('Z', 3)).unwrap().state, ProcessState::Live);
        assert_eq!(Process::parse(7, &stat('T', 1)).unwrap().state, ProcessState::Live, "stopped is not ended");
    }

    #[test]
    fn garbage_is_an_error_not_a_process() {
        for text in ["", "7 (x", "7 (x) S", "7 (x) S a b c"] {
            assert!(Process::parse(7, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_recycled_pid_is_neither_opened_nor_signalled() {
        let me = Process::read(i32::try_from(std::process::id()).unwrap()).unwrap().unwrap();
        let earlier = Process { started: me.started - 1, ..me };
        assert!(me.open().unwrap().is_some());
        assert!(earlier.open().unwrap().is_none());
        assert!(!earlier.signal(Signal::KILL).unwrap());
    }
}
