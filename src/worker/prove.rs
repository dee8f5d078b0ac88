//! Proof of done: what the run really changed, and the verify command run by us.
//!
//! Nothing in here asks the agent. The evidence is what the worker saw.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use fleet_protocol::{JobResult, lease::Directive, manifest::CommandLine, run::VerifyEvidence};

use super::{
    Bounds,
    bounds::millis,
    judge::{Failing, exceeded, is_its_own_end},
    leases::{Lease, Standing},
    record::{launch_name, launches_of},
};
use crate::{
    confinement::Policy,
    runtime::{
        Ceilings, Environment, ExitRecord, Found, Launch, Limits, Reason, Running, RuntimeError, Spec,
        StartFailureKind, Stdin, StopReason, Token, end_orphan, find, reattach, start,
    },
    shutdown::{Phase, Shutdown},
};

/// Names the folders of its launches.
const KIND: &str = "verify";

/// A verify command and where it runs.
pub(super) struct Check<'a> {
    pub(super) command: &'a CommandLine,
    /// The agent's environment without the job's secrets: the command is the repository's, not the engine's.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) folder: &'a Path,
    /// The run's folder; the command's output goes into its `verify.log`.
    pub(super) run_folder: &'a Path,
    /// What is left of the run's time.
    pub(super) left: Duration,
    pub(super) grace: Duration,
    pub(super) ttl: Duration,
    pub(super) bounds: Bounds,
    pub(super) ceilings: Ceilings,
    pub(super) exe: &'a Path,
    pub(super) label: String,
    pub(super) confinement: Option<Policy>,
}

/// What came of a verify command.
pub(super) enum Checked {
    Passed(VerifyEvidence),
    Failed(Failing, Option<VerifyEvidence>),
    /// We or the lease ended it; it says nothing about the work.
    Interrupted(StopReason),
    /// It runs on for the next runner.
    HandedOver,
}

/// Runs it under a shim of its own, so that it ends as a tree and by the run's time; or goes on with the one that another
/// runner started.
pub(super) async fn check(check: &Check<'_>, lease: &Lease, shutdown: &Shutdown) -> Result<Checked, RuntimeError> {
    match started_before(check).await? {
        Some((_, Started::Over(record))) => return Ok(judged(check, &record)),
        Some((folder, Started::Runs(running))) => match watch(&folder, running, check, lease, shutdown).await? {
            // It most likely went down with its runner, and says nothing about the work.
            Watched::Ended(record) if !record.as_deref().is_some_and(is_its_own_end) => {}
            watched => return Ok(checked(check, watched)),
        },
        None => {}
    }
    let nth = launches_of(check.run_folder, KIND).len() + 1;
    let folder = check.run_folder.join(launch_name(KIND, nth));
    let launch = Launch { run_dir: folder.clone(), spec: spec(check)?, limit: check.bounds.start };
    let running = start(check.exe, launch).await?;
    Ok(checked(check, watch(&folder, running, check, lease, shutdown).await?))
}

/// What watching it brought.
enum Watched {
    /// By itself as far as we are concerned; without a record when its shim was killed.
    Ended(Option<Box<ExitRecord>>),
    Stopped(StopReason),
    HandedOver,
}

async fn watch(
    folder: &Path,
    running: Running,
    check: &Check<'_>,
    lease: &Lease,
    shutdown: &Shutdown,
) -> Result<Watched, RuntimeError> {
    let Some((ended, stopped)) = wait(running, check, lease, shutdown).await else { return Ok(Watched::HandedOver) };
    let record = match ended {
        Ok(record) => Some(record),
        Err(error) => {
            // Whatever went wrong with its shim, nothing of it may run on.
            end_orphan(folder, check.grace).await?;
            if !matches!(error, RuntimeError::NoRecord { .. }) {
                return Err(error);
            }
            None
        }
    };
    Ok(stopped.map_or(Watched::Ended(record.map(Box::new)), Watched::Stopped))
}

fn checked(check: &Check<'_>, watched: Watched) -> Checked {
    match watched {
        Watched::HandedOver => Checked::HandedOver,
        Watched::Stopped(reason) => Checked::Interrupted(reason),
        Watched::Ended(Some(record)) => judged(check, &record),
        Watched::Ended(None) => {
            let message = format!("the process that watched over `{}` was killed", check.command);
            Checked::Failed(Failing { result: JobResult::VerifyFailed, class: None, message }, None)
        }
    }
}

/// A verify command of another runner.
enum Started {
    Runs(Running),
    Over(ExitRecord),
}

/// The last verify command that this run started, if it says something about the work or still may. One that was ended
/// from outside says nothing: it is done again.
async fn started_before(check: &Check<'_>) -> Result<Option<(PathBuf, Started)>, RuntimeError> {
    let Some(folder) = launches_of(check.run_folder, KIND).pop() else { return Ok(None) };
    let started = match find(&folder)? {
        Found::Finished(record) if is_its_own_end(&record) => Started::Over(record),
        Found::Finished(_) => return Ok(None),
        Found::Alive(running) => Started::Runs(running),
        // Not dead as far as can be told, so it is waited for.
        Found::Unknown(_) => Started::Runs(reattach(&folder)?),
        Found::Gone => {
            end_orphan(&folder, check.grace).await?;
            return Ok(None);
        }
    };
    Ok(Some((folder, started)))
}

fn spec(check: &Check<'_>) -> Result<Spec, RuntimeError> {
    // One file for both streams: a test's error belongs beside the test that printed it.
    let log = PathBuf::from("..").join("verify.log");
    let log = log.to_string_lossy().into_owned();
    Ok(Spec {
        label: check.label.clone(),
        argv: check.command.argv(),
        env: Environment(check.environment.clone()),
        cwd: check.folder.to_owned(),
        stdin: Stdin::Null,
        stdout: log.clone(),
        stderr: log,
        limits: Limits {
            timeout_ms: Some(millis(check.left)),
            wall_ms: None,
            owner_silence_ms: Some(millis(check.ttl)),
            // Tests may be quiet for as long as they like.
            silence_ms: None,
            health_ms: millis(check.bounds.health),
            grace_ms: millis(check.grace),
        },
        confinement: check.confinement.clone(),
        ceilings: check.ceilings,
        grouping: check.bounds.grouping,
        token: Token::random()?,
        key: Token::random()?,
    })
}

/// How it ended, and for what reason we ended it. None when it is left to the next runner.
async fn wait(
    mut running: Running,
    check: &Check<'_>,
    lease: &Lease,
    shutdown: &Shutdown,
) -> Option<(Result<ExitRecord, RuntimeError>, Option<StopReason>)> {
    let mut standing = lease.standing();
    // What was asked while nobody watched is done now.
    standing.mark_changed();
    let mut hello = tokio::time::interval(check.ttl / 3);
    let mut stopped = None;
    loop {
        let reason = tokio::select! {
            ended = running.wait() => return Some((ended, stopped)),
            Ok(()) = standing.changed(), if stopped.is_none() => {
                let now = standing.borrow_and_update().clone();
                if let Standing::Held(directive) = now {
                    obey(&running, directive).await;
                    continue;
                }
                StopReason::LeaseLost
            }
            () = shutdown.at_least(Phase::HandOver) => return None,
            // Both are true after a hand-over.
            () = shutdown.at_least(Phase::Drain), if stopped.is_none() => {
                if shutdown.phase() >= Phase::HandOver {
                    return None;
                }
                StopReason::Drained
            }
            _ = hello.tick() => {
                if let Err(error) = running.hello().await {
                    tracing::debug!(%error, "the shim of a verify command did not hear us");
                }
                continue;
            }
        };
        stopped = Some(reason);
        if let Err(error) = running.stop(reason, Some(check.grace)).await {
            tracing::warn!(%error, "a verify command could not be asked to end");
        }
    }
}

/// A verify command stands still while its job is paused, as the agent does.
async fn obey(running: &Running, directive: Directive) {
    let asked = match directive {
        Directive::Pause => running.pause().await,
        Directive::Resume => running.resume().await,
        Directive::Continue | Directive::Cancel | Directive::Preempted | Directive::Drain => return,
    };
    if let Err(error) = asked {
        tracing::warn!(%error, "a verify command could not be paused or resumed");
    }
}

fn judged(check: &Check<'_>, record: &ExitRecord) -> Checked {
    let command = check.command.to_string();
    let failed =
        |result, message: String, evidence| Checked::Failed(Failing { result, class: None, message }, evidence);
    let evidence =
        VerifyEvidence { command: command.clone(), exit_code: record.exit_code, duration_ms: record.duration_ms };
    match record.reason {
        Reason::Timeout | Reason::Budget => {
            failed(JobResult::Timeout, format!("the run's time was up while `{command}` ran"), Some(evidence))
        }
        Reason::FailedToStart => {
            let missing = record.failure.as_ref().is_some_and(|failure| failure.kind == StartFailureKind::NotFound);
            let why = record.failure.as_ref().map_or("", |failure| failure.message.as_str());
            let hint = if missing { " (is it in the repository, and executable?)" } else { "" };
            failed(JobResult::VerifyFailed, format!("`{command}` could not be started: {why}{hint}"), Some(evidence))
        }
        Reason::Exited if record.exit_code == Some(0) => Checked::Passed(evidence),
        Reason::Exited => {
            let how = match (record.exit_code, record.signal) {
                (Some(code), _) => format!("ended with {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => "did not end by itself".to_owned(),
            };
            failed(JobResult::VerifyFailed, format!("`{command}` {how}"), Some(evidence))
        }
        Reason::ResourceExceeded => {
            let message = format!("`{command}` was ended: {}", exceeded(record));
            failed(JobResult::ResourceExceeded, message, Some(evidence))
        }
        // It was told to end, so the code with which it did is no verdict on the work.
        Reason::OwnerGone => Checked::Interrupted(StopReason::Stopped),
        _ => failed(JobResult::VerifyFailed, format!("`{command}` was stopped from outside"), None),
    }
}
