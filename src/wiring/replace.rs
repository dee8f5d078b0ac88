//! Takes the place of the runner that works on a queue: it hands over, its agents go on, the lock becomes ours.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::sleep;

use super::{embedded::place, fault::Fault};
use crate::{
    config::Config,
    queue::{Folder, QueueError, RunLock, living_runner},
};

/// How long the other may take to leave; it ends what it is just doing, not its agents.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Takes the lock, and asks whoever holds it to hand over first.
///
/// # Errors
/// [`Fault::AlreadyRunning`] when it does not leave in time.
pub(super) async fn replace(config: &Config, folder: &Folder, now: Timestamp) -> Result<RunLock, Fault> {
    let state = &place(config)?.state;
    let begun = Instant::now();
    let mut asked = None;
    loop {
        match RunLock::acquire(folder, now) {
            Err(QueueError::AlreadyRunning { .. }) if begun.elapsed() < PATIENCE => {}
            acquired => return Ok(acquired?),
        }
        // Another one may have come in between, so each is asked; but only once, a second signal could mean another thing.
        let holder = living_runner(state).ok().flatten();
        if holder.is_some() && holder != asked {
            asked = holder.filter(|pid| match ask(*pid, || living_runner(state)) {
                Ok(asked) => asked,
                Err(error) => {
                    tracing::warn!(pid, %error, "the runner that works on this queue could not be asked to hand over");
                    false
                }
            });
        }
        sleep(LOOK).await;
    }
}

/// Asks this process to hand over. False when it no longer holds the lock, or would not understand.
fn ask(pid: i32, holder: impl Fn() -> io::Result<Option<i32>>) -> io::Result<bool> {
    let Some(process) = Pid::from_raw(pid) else { return Ok(false) };
    let handle = match pidfd_open(process, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // With the handle open the pid cannot come to mean another process unseen.
    if holder()? != Some(pid) || !understands(&fs::read_to_string(format!("/proc/{pid}/status"))?) {
        return Ok(false);
    }
    match pidfd_send_signal(&handle, Signal::USR1) {
        Ok(()) => {
            tracing::info!(pid, "the runner that works on this queue is asked to hand over");
            Ok(true)
        }
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a process takes the signal over, by its `/proc` status: one that does not would be ended by it. A
/// `fleet recover` holds the lock too, for a moment.
fn understands(status: &str) -> bool {
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    caught & (1 << (Signal::USR1.as_raw() - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_catches_the_signal_is_asked() {
        assert!(understands("Name:\tfleet\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004a03\n"));
        for other in ["SigCgt:\t0000000000004003\n", "SigCgt:\tnothing\n", ""] {
            assert!(!understands(other), "{other}");
        }
    }
}
