//! The shim's life from start to exit record.
//!
//! The steps stand in an order that lets a worker which finds the folder at any moment tell what happened: `shim.json`
//! comes before the spec is taken, the spec is taken before anything is started.

use std::{env, io, path::Path, process::ExitCode};

use nix::{
    sys::{prctl, signal::SigSet},
    unistd,
};

use super::{
    agent::{self, Agent},
    listen::Listener,
    meter::Meter,
    supervise::{Outcome, Signals, Supervisor},
};
use crate::runtime::{
    Environment, ExitRecord, OwnedBy, RuntimeError, Spec, StartFailure, StartFailureKind,
    cgroup::Group,
    find::ShimFile,
    identity::{Identity, boot_id, since_boot_ms},
    run_dir::{AGENT, CONTROL, EXIT, RunDir, SHIM, SPEC, TAKEN},
};

/// Runs the shim of this folder to its end. Success means that the exit record is written; what goes wrong before that
/// is said on standard error, which the worker keeps as `shim.log`.
pub(crate) fn main(run_dir: &Path) -> ExitCode {
    match prepare(run_dir).and_then(|()| run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says an error and its causes on standard error.
pub(super) fn complain(error: &dyn std::error::Error) {
    let mut text = format!("fleet shim: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    eprintln!("{text}");
}

/// Becomes a process that belongs to nobody: a session of its own, the parent of all orphans below it, in the run's folder.
fn prepare(run_dir: &Path) -> Result<(), RuntimeError> {
    match unistd::setsid() {
        Ok(_) => {}
        // Refused to the leader of a group; one that already leads its session has what it needs.
        Err(_) if unistd::getsid(None).is_ok_and(|session| session == unistd::getpid()) => {}
        Err(error) => return Err(RuntimeError::system("start a session")(error)),
    }
    prctl::set_child_subreaper(true).map_err(RuntimeError::system("become a subreaper"))?;
    // A mask set by whoever started the worker would be passed on to the agent, which then could not be asked to end.
    SigSet::empty().thread_set_mask().map_err(RuntimeError::system("unblock signals"))?;
    env::set_current_dir(run_dir).map_err(RuntimeError::io("enter", run_dir))
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), RuntimeError> {
    let dir = RunDir::at(Path::new("."));
    let signals = Signals::catch()?;
    let mut spec: Spec = dir.read(SPEC, "a spec")?.ok_or_else(|| missing(&dir, SPEC))?;
    let identity = Identity::of(unistd::getpid().as_raw(), spec.token.clone())
        .map_err(RuntimeError::system("read who this process is"))?
        .expect("this process runs");
    let listener = Listener::bind(&dir, spec.key.clone())?;
    let mut group = Group::make(spec.grouping, &spec.token, &spec.ceilings);
    let made =
        ShimFile { identity: identity.clone(), key: spec.key.clone(), label: spec.label.clone(), group: group.clone() };
    let taken = dir.write(SHIM, &made).and_then(|()| take(&dir, &mut spec));
    let env = match taken {
        Ok(env) => env,
        Err(error) => {
            remove(group.as_ref());
            return Err(error);
        }
    };

    let mut calls = listener.serve();
    let started_ms = since_boot_ms().map_err(RuntimeError::system("read the clock"))?;
    let outcome = match started(&dir, &spec, env, group.as_mut()) {
        Ok(agent) => {
            introduce(&dir, &spec, &agent);
            let meter = Meter::new(&dir, &spec, group.clone());
            Supervisor::new(spec.clone(), agent, &identity, meter).run(signals, &mut calls).await
        }
        Err(failure) => Outcome::not_started(failure),
    };
    let owned_by = group.as_ref().map_or(OwnedBy::ProcessTable, Group::owned_by);
    let record = record(&spec, outcome, owned_by, started_ms)?;
    // What is left of a tree that could not be ended must not lose its mark.
    if record.survivors == 0 {
        remove(group.as_ref());
    }
    dir.write_durably(EXIT, &record)?;
    dir.remove(CONTROL)?;
    calls.close().await;
    Ok(())
}

/// Starts the agent inside the run's group, if it has one.
fn started(dir: &RunDir, spec: &Spec, env: Environment, group: Option<&mut Group>) -> Result<Agent, StartFailure> {
    let Some(group) = group else { return agent::start(dir, spec, env) };
    let refused = |error: io::Error| StartFailure {
        kind: StartFailureKind::Other,
        path: String::new(),
        message: format!("the run's control group cannot be entered: {error}"),
    };
    group.inside(|| agent::start(dir, spec, env)).map_err(refused)?
}

/// A group that stays is litter and no danger: nothing is in it.
fn remove(group: Option<&Group>) {
    if let Some(Err(error)) = group.map(Group::remove) {
        complain(&error);
    }
}

/// Makes the spec this shim's own, and takes the secrets from the disk. It fails if a worker withdrew the spec in the
/// meantime; then nothing may be started.
fn take(dir: &RunDir, spec: &mut Spec) -> Result<Environment, RuntimeError> {
    dir.rename(SPEC, TAKEN)?;
    let env = std::mem::take(&mut spec.env);
    dir.write(TAKEN, spec)?;
    Ok(env)
}

/// Writes down who the agent is. Failing to is no reason to leave an agent without its supervisor.
fn introduce(dir: &RunDir, spec: &Spec, agent: &Agent) {
    let written = Identity::of(agent.pid(), spec.token.clone())
        .map_err(RuntimeError::system("read who the agent is"))
        .and_then(|identity| identity.map_or(Ok(()), |identity| dir.write(AGENT, &identity)));
    if let Err(error) = written {
        complain(&error);
    }
}

fn record(spec: &Spec, outcome: Outcome, owned_by: OwnedBy, started_ms: u64) -> Result<ExitRecord, RuntimeError> {
    let now_ms = since_boot_ms().map_err(RuntimeError::system("read the clock"))?;
    let usage = outcome.usage;
    Ok(ExitRecord {
        token: spec.token.clone(),
        reason: outcome.reason,
        failure: outcome.failure,
        exit_code: outcome.exit_code,
        signal: outcome.signal,
        boot_id: boot_id().map_err(RuntimeError::system("read the boot id"))?,
        started_ms,
        duration_ms: now_ms.saturating_sub(started_ms),
        leftovers: outcome.leftovers,
        forced: outcome.forced,
        survivors: outcome.survivors,
        owned_by,
        exceeded: outcome.exceeded,
        peak_memory: usage.map(|usage| usage.peak_memory),
        cpu_ms: usage.map(|usage| usage.cpu_ms),
        read_bytes: usage.map(|usage| usage.read_bytes),
        written_bytes: usage.map(|usage| usage.written_bytes),
    })
}

fn missing(dir: &RunDir, name: &str) -> RuntimeError {
    RuntimeError::io("read", dir.file(name))(io::ErrorKind::NotFound.into())
}
