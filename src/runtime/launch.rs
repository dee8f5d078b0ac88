//! Starts a shim and waits until it stands on its own feet.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

use super::{
    Running, RuntimeError, Spec,
    find::ShimFile,
    orphan::end_orphan,
    run_dir::{AGENT, EXIT, LOG, RunDir, SHIM, SPEC, TAKEN},
};

const FIRST_LOOK: Duration = Duration::from_millis(1);
const SLOWEST_LOOK: Duration = Duration::from_millis(20);
/// So much of the end of a dead shim's log goes into the error.
const LOG_TAIL: usize = 2_000;

/// An agent to be started, and the folder that its run is kept in.
#[derive(Debug)]
pub(crate) struct Launch {
    /// Absolute. Made if it is missing; it may hold the caller's files, not another launch.
    pub(crate) run_dir: PathBuf,
    pub(crate) spec: Spec,
    /// How long it may take until the agent runs; on a busy machine that is more than a moment.
    pub(crate) limit: Duration,
}

/// Starts `exe shim RUN_DIR`. When this returns the shim no longer depends on this process, and the agent runs or could
/// not be started; that is told by [`Running::wait`]. What has not come so far within the limit is ended.
pub(crate) async fn start(exe: &Path, launch: Launch) -> Result<Running, RuntimeError> {
    let mut command = Command::new(exe);
    command.arg("shim").arg(&launch.run_dir);
    // The agent can read its parent's environment, and the worker's is none of its business.
    command.env_clear();
    start_with(command, launch).await
}

pub(super) async fn start_with(mut command: Command, launch: Launch) -> Result<Running, RuntimeError> {
    let dir = RunDir::create(&launch.run_dir)?;
    for name in [SPEC, TAKEN, SHIM, EXIT] {
        if fs::exists(dir.file(name)).map_err(RuntimeError::io("look for", dir.file(name)))? {
            return Err(RuntimeError::Used { path: launch.run_dir });
        }
    }
    dir.write(SPEC, &launch.spec)?;
    let limit = Limit { at: Instant::now() + launch.limit, waited: launch.limit };
    let started = match spawn(&mut command, &dir) {
        Ok(child) => come_up(child, &dir, limit).await,
        Err(error) => Err(error),
    };
    if started.is_err() {
        // The secrets must not stay, and a shim that comes too late must find nothing to start.
        dir.remove(SPEC)?;
    }
    let (child, file) = started?;
    let mut running = Running::started(dir.clone(), file, child);
    if let Err(late) = agent_runs(&dir, &running, limit).await {
        // What the shim may have started by now must not run on.
        running.kill_shim()?;
        drop(running.wait().await);
        end_orphan(dir.path(), Duration::ZERO).await?;
        return Err(late);
    }
    Ok(running)
}

/// Until when the agent has to run.
#[derive(Clone, Copy)]
struct Limit {
    at: Instant,
    waited: Duration,
}

impl Limit {
    /// An error that says what was seen last, once the time is over.
    fn check(self, dir: &RunDir, seen: &'static str) -> Result<(), RuntimeError> {
        if Instant::now() < self.at {
            return Ok(());
        }
        Err(RuntimeError::NotRunning { path: dir.path().to_owned(), waited: self.waited, seen, said: said(dir) })
    }
}

/// Waits until the agent runs, or its run is over.
async fn agent_runs(dir: &RunDir, running: &Running, limit: Limit) -> Result<(), RuntimeError> {
    let mut pause = FIRST_LOOK;
    while !(dir.file(AGENT).exists() || dir.file(EXIT).exists() || running.is_over()) {
        limit.check(dir, "its shim was up, and had not got the agent to run")?;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SLOWEST_LOOK);
    }
    Ok(())
}

/// Standard output and input lead nowhere, and the shim makes a session of its own, which it could not if it were made
/// the leader of a process group here.
fn spawn(command: &mut Command, dir: &RunDir) -> Result<Child, RuntimeError> {
    let log = dir.append(LOG)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).current_dir("/").kill_on_drop(false);
    command.spawn().map_err(RuntimeError::io("start", PathBuf::from(command.as_std().get_program())))
}

/// Waits until the shim has written down who it is. One that does not in time is killed; it has not started anything,
/// or it would have written that.
async fn come_up(mut child: Child, dir: &RunDir, limit: Limit) -> Result<(Child, ShimFile), RuntimeError> {
    let mut pause = FIRST_LOOK;
    loop {
        // Asked first: what a shim wrote before it ended is then seen.
        let ended = child.try_wait().map_err(RuntimeError::system("wait for the shim"))?.is_some();
        if let Some(file) = dir.read(SHIM, "a shim's identity")? {
            return Ok((child, file));
        }
        if ended {
            return Err(RuntimeError::ShimDied { path: dir.path().to_owned(), said: said(dir) });
        }
        if let Err(late) = limit.check(dir, "its shim was started, and had not said who it is") {
            child.kill().await.map_err(RuntimeError::system("end the shim"))?;
            return Err(late);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(SLOWEST_LOOK);
    }
}

/// The end of the shim's own log.
fn said(dir: &RunDir) -> String {
    let text = fs::read(dir.file(LOG)).unwrap_or_default();
    let tail = &text[text.len().saturating_sub(LOG_TAIL)..];
    String::from_utf8_lossy(tail).trim().to_owned()
}
