//! Ends a run that nobody wants to take over, whether its shim lives or was killed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    ExitRecord, Found, Running, RuntimeError, Spec, StopReason,
    find::{ShimFile, find},
    identity::{Identity, boot_id},
    run_dir::{AGENT, RunDir, SHIM, SPEC, TAKEN},
    tree::Tree,
};

/// What a shim gets beyond the grace to force its tree and write its record, before it is taken for stuck.
const SHIM_MARGIN: Duration = Duration::from_secs(40);
/// After this long by force, what is left counts as a survivor.
const FORCE_LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// What became of a run that was ended from outside.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The shim's, if it lived to write one.
    pub(crate) record: Option<ExitRecord>,
    /// Processes that could not be ended even by force.
    pub(crate) survivors: u32,
}

/// Ends all that is left of a run. Does nothing to one that is over; refuses with [`RuntimeError::Unknown`] when it cannot
/// be told what lives.
pub(crate) async fn end_orphan(run_dir: &Path, grace: Duration) -> Result<Ended, RuntimeError> {
    let ended = end(run_dir, grace).await?;
    strip(&RunDir::at(run_dir))?;
    Ok(ended)
}

/// Takes the environment from a folder in which a kill left it: of the worker or of the shim, between two of their files.
/// No shim takes anything there any more.
fn strip(dir: &RunDir) -> Result<(), RuntimeError> {
    dir.remove(SPEC)?;
    match dir.read::<Spec>(TAKEN, "a spec") {
        Ok(Some(spec)) if spec.env.0.is_empty() => {}
        Ok(None) => {}
        // Of another version: it is only there for people.
        Ok(Some(_)) | Err(RuntimeError::Garbled { .. }) => drop(dir.remove(TAKEN)?),
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn end(run_dir: &Path, grace: Duration) -> Result<Ended, RuntimeError> {
    match find(run_dir)? {
        Found::Finished(record) => return Ok(Ended { survivors: record.survivors, record: Some(record) }),
        Found::Unknown(why) => return Err(RuntimeError::Unknown { path: run_dir.to_owned(), why }),
        Found::Alive(running) => {
            if let Some(record) = end_by_shim(running, grace).await? {
                return Ok(Ended { survivors: record.survivors, record: Some(record) });
            }
        }
        Found::Gone => {}
    }
    sweep(&RunDir::at(run_dir), grace).await
}

/// Lets the shim do it. None when it cannot: then it is dead.
async fn end_by_shim(mut running: Running, grace: Duration) -> Result<Option<ExitRecord>, RuntimeError> {
    let patience = match running.stop(StopReason::Stopped, Some(grace)).await {
        Ok(_) => grace + SHIM_MARGIN,
        // Ending right now, or stuck: either shows soon.
        Err(error) => {
            tracing::warn!(%error, "a shim cannot be asked to end its run");
            Duration::from_secs(1)
        }
    };
    match timeout(patience, running.wait()).await {
        Ok(Ok(record)) => return Ok(Some(record)),
        Ok(Err(RuntimeError::NoRecord { .. })) => return Ok(None),
        Ok(Err(error)) => return Err(error),
        Err(_) => running.kill_shim()?,
    }
    // It may have written the record just before it was killed.
    match running.wait().await {
        Ok(record) => Ok(Some(record)),
        Err(RuntimeError::NoRecord { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends what a dead shim left behind. Orphans have gone to a parent that knows nothing of them, so only looking helps.
async fn sweep(dir: &RunDir, grace: Duration) -> Result<Ended, RuntimeError> {
    let over = Ended { record: None, survivors: 0 };
    let Some(ShimFile { identity: shim, group, .. }) = dir.read(SHIM, "a shim's identity")? else { return Ok(over) };
    if boot_id().map_err(RuntimeError::system("read the boot id"))? != shim.boot_id {
        return Ok(over);
    }
    let agent: Option<Identity> = dir.read(AGENT, "an agent's identity")?;
    let mut tree = Tree::orphaned(&shim, agent, group);

    tree.ask_to_end().map_err(RuntimeError::system("signal a process"))?;
    let kill_at = Instant::now() + grace;
    // A snapshot can miss what forks while it is made; two in a row without anything do not.
    let mut empty = 0;
    loop {
        let left = tree.members().map_err(RuntimeError::system("read the process table"))?;
        empty = if left.is_empty() { empty + 1 } else { 0 };
        let now = Instant::now();
        if empty == 2 || now >= kill_at + FORCE_LIMIT {
            let survivors = u32::try_from(left.len()).unwrap_or(u32::MAX);
            if let (0, Some(group)) = (survivors, tree.group())
                && let Err(error) = group.remove()
            {
                tracing::warn!(%error, "the control group of a run could not be removed");
            }
            return Ok(Ended { survivors, ..over });
        }
        if now >= kill_at {
            tree.kill().map_err(RuntimeError::system("signal a process"))?;
        }
        sleep(LOOK).await;
    }
}
