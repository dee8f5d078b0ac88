//! A run whose shim lives, as a worker holds it.
//!
//! Dropping it changes nothing about the run: it can be found again.

use std::time::Duration;

use rustix::process::Signal;
use tokio::{process::Child, time::sleep};

use super::{
    ExitRecord, RuntimeError, Status, StopReason, Token,
    control::{Order, ask},
    find::{ShimFile, exit_record},
    identity::{Identity, Liveness},
    run_dir::RunDir,
};

/// A handle on a living run.
#[derive(Debug)]
pub(crate) struct Running {
    dir: RunDir,
    key: Token,
    shim: Identity,
    /// Only in the worker that started it, which also has to collect it.
    child: Option<Child>,
}

/// A shim that somebody else started is looked at this often; its own child's end comes to a worker as an event.
const LOOK: Duration = Duration::from_millis(100);
/// How often a worker looks whether its own shim still lives.
const HEALTH: Duration = Duration::from_secs(30);

impl Running {
    pub(super) fn started(dir: RunDir, shim: ShimFile, child: Child) -> Self {
        Self { child: Some(child), ..Self::found(dir, shim) }
    }

    /// Takes hold of a shim that another worker started.
    pub(super) fn found(dir: RunDir, shim: ShimFile) -> Self {
        Self { dir, key: shim.key, shim: shim.identity, child: None }
    }

    /// Waits for the end of the run and gives its record. Can be dropped and called again, also after the end.
    ///
    /// [`RuntimeError::NoRecord`] when the shim itself was killed; processes of the agent may then be left.
    pub(crate) async fn wait(&mut self) -> Result<ExitRecord, RuntimeError> {
        match &mut self.child {
            Some(child) => loop {
                tokio::select! {
                    ended = child.wait() => {
                        ended.map_err(RuntimeError::system("wait for the shim"))?;
                        break;
                    }
                    // Its end is told by a signal; should that get lost, the process table knows.
                    () = sleep(HEALTH) => if self.shim.liveness() == Liveness::Dead { break },
                }
            },
            // What cannot be told is not dead, so it is waited for.
            None => {
                while self.shim.liveness() != Liveness::Dead {
                    sleep(LOOK).await;
                }
            }
        }
        exit_record(&self.dir)?.ok_or_else(|| RuntimeError::NoRecord { path: self.dir.path().to_owned() })
    }

    /// Whether its shim is dead, by the process table.
    pub(super) fn is_over(&self) -> bool {
        self.shim.liveness() == Liveness::Dead
    }

    /// Asks for the end of the whole tree: asked first, forced after the grace (the spec's if none is given). Returns when
    /// the shim has begun; [`wait`](Self::wait) tells when it is done. The first reason that is given stays.
    pub(crate) async fn stop(&self, reason: StopReason, grace: Option<Duration>) -> Result<Status, RuntimeError> {
        let grace_ms = grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
        self.ask(Order::Stop { reason, grace_ms }).await
    }

    /// Ends the whole tree by force, at once.
    #[cfg(test)]
    pub(crate) async fn kill(&self) -> Result<Status, RuntimeError> {
        self.ask(Order::Kill).await
    }

    /// Stops all its processes where they are; the `timeout` stands still meanwhile.
    pub(crate) async fn pause(&self) -> Result<Status, RuntimeError> {
        self.ask(Order::Pause).await
    }

    /// Lets them go on.
    pub(crate) async fn resume(&self) -> Result<Status, RuntimeError> {
        self.ask(Order::Resume).await
    }

    /// Tells the shim that it has an owner. To be repeated within the spec's `owner_silence_ms`, and only while the lease
    /// is held.
    pub(crate) async fn hello(&self) -> Result<Status, RuntimeError> {
        self.ask(Order::Hello).await
    }

    /// How it stands, as its shim says.
    pub(crate) async fn status(&self) -> Result<Status, RuntimeError> {
        self.ask(Order::Status).await
    }

    /// Kills the shim itself, when it does not answer any more. Its tree is then without a supervisor.
    pub(super) fn kill_shim(&self) -> Result<(), RuntimeError> {
        if let Liveness::Alive(process) = self.shim.liveness() {
            process.signal(Signal::KILL).map_err(RuntimeError::system("end the shim"))?;
        }
        Ok(())
    }

    async fn ask(&self, order: Order) -> Result<Status, RuntimeError> {
        ask(&self.dir, &self.key, order).await
    }
}
