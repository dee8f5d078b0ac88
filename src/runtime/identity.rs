//! Who a process is, so that another worker can tell later whether it still lives.

use std::{fs, io};

use nix::{
    sys::time::TimeValLike,
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

use super::{
    Token,
    process::{Process, ProcessState},
};

/// A process of one launch: a pid alone says nothing after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) boot_id: String,
    pub(super) pid: i32,
    /// Clock ticks since boot.
    pub(super) started: u64,
    pub(super) token: Token,
}

/// Whether a process lives. `Unknown` must never be treated as dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Liveness {
    Alive(Process),
    Dead,
    Unknown(String),
}

impl Identity {
    /// Of a process that runs now; none when it is gone.
    pub(super) fn of(pid: i32, token: Token) -> io::Result<Option<Self>> {
        let boot_id = boot_id()?;
        Ok(Process::read(pid)?.map(|process| Self { boot_id, pid, started: process.started, token }))
    }

    /// Looks now.
    pub(super) fn liveness(&self) -> Liveness {
        self.judge(boot_id(), Process::read(self.pid))
    }

    fn judge(&self, boot: io::Result<String>, process: io::Result<Option<Process>>) -> Liveness {
        match (boot, process) {
            (Ok(boot), _) if boot != self.boot_id => Liveness::Dead,
            (Err(error), _) => Liveness::Unknown(format!("the boot id cannot be read: {error}")),
            (_, Err(error)) => Liveness::Unknown(format!("process {} cannot be read: {error}", self.pid)),
            (_, Ok(Some(process))) if process.started == self.started && process.state != ProcessState::Ended => {
                Liveness::Alive(process)
            }
            (_, Ok(_)) => Liveness::Dead,
        }
    }
}

/// Milliseconds since boot, time asleep included: comparable between processes of one boot, and never set back.
pub(crate) fn since_boot_ms() -> io::Result<u64> {
    Ok(u64::try_from(clock_gettime(ClockId::CLOCK_BOOTTIME)?.num_milliseconds()).unwrap_or_default())
}

/// Names the time between two starts of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> (Identity, Process) {
        let identity = Identity { boot_id: "b1".to_owned(), pid: 9, started: 100, token: Token::random().unwrap() };
        (identity, Process { pid: 9, parent: 1, started: 100, state: ProcessState::Live })
    }

    fn judged(boot: io::Result<&str>, process: io::Result<Option<Process>>) -> Liveness {
        ours().0.judge(boot.map(str::to_owned), process)
    }

    #[test]
    fn the_same_boot_pid_and_start_time_is_alive() {
        let (_, process) = ours();
        assert_eq!(judged(Ok("b1"), Ok(Some(process))), Liveness::Alive(process));
    }

    #[test]
    fn a_recycled_pid_a_zombie_and_an_absent_process_are_dead() {
        let (_, process) = ours();
        let recycled = Process { started: 101, ..process };
        let zombie = Process { state: ProcessState::Ended, ..process };
        for now in [Some(recycled), Some(zombie), None] {
            assert_eq!(judged(Ok("b1"), Ok(now)), Liveness::Dead, "{now:?}");
        }
    }

    #[test]
    fn another_boot_is_dead_whatever_runs_under_that_pid() {
        let (_, process) = ours();
        assert_eq!(judged(Ok("b2"), Ok(Some(process))), Liveness::Dead);
        assert_eq!(judged(Ok("b2"), Err(io::ErrorKind::PermissionDenied.into())), Liveness::Dead);
    }

    #[test]
    fn what_cannot_be_read_is_unknown_not_dead() {
        let (_, process) = ours();
        assert!(matches!(judged(Ok("b1"), Err(io::ErrorKind::PermissionDenied.into())), Liveness::Unknown(_)));
        assert!(matches!(judged(Err(io::ErrorKind::Other.into()), Ok(Some(process))), Liveness::Unknown(_)));
    }
}
