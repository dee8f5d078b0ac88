//! Takes back jobs whose runner died: ends what is left of the agent, saves the work, and returns the job to the queue.
//!
//! The caller proves that no runner is alive (it holds the queue's lock). What cannot be told dead is left alone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use fleet_protocol::{
    Action, ErrorCode, Job, JobId, Problem, Stage,
    api::{ActionRequest, JobsQuery, PatchJob},
    job::Checkpoint,
};

use super::{
    options::Options,
    reap::{Mode, Reach, Reaped, Reaper},
    save::blocking,
};
use crate::{
    client::Client,
    runtime::end_orphan,
    workspace::{Workspace, WorkspaceError, checkpoint, remove},
};

/// What became of the jobs that were found.
#[derive(Debug, Default)]
pub(crate) struct Orphaned {
    /// Back in the queue.
    pub(crate) recovered: Vec<Job>,
    /// Left as they are, with the reason.
    pub(crate) left: Vec<(Job, String)>,
    /// What else lay about.
    pub(crate) cleared: Vec<Reaped>,
}

/// Recovers every job that this factory holds on paper. Doing it again changes nothing.
pub(crate) async fn reclaim(client: &Client, options: &Arc<Options>) -> Result<Orphaned, Problem> {
    let mut outcome = Orphaned::default();
    for stage in [Stage::Assigned, Stage::Building] {
        let query = JobsQuery { stage: Some(stage), ..JobsQuery::default() };
        for job in client.all_jobs(&query).await? {
            if job.factory.as_deref() != Some(&options.factory) {
                continue;
            }
            match clear(options, &job).await {
                Ok(saved) => match give_back(client, &job, saved).await {
                    Ok(job) => outcome.recovered.push(job),
                    // A person was faster: it is not held any more.
                    Err(problem) if matches!(problem.code, ErrorCode::Fenced | ErrorCode::InvalidTransition) => {}
                    Err(problem) => return Err(problem),
                },
                Err(why) => outcome.left.push((job, why)),
            }
        }
    }
    // A person may have taken jobs away while their runner was dead.
    let reaper = Reaper::new(Arc::clone(options), client.clone(), Reach::Everything);
    match reaper.workspaces(Mode::Remove).await {
        Ok(cleared) => outcome.cleared = cleared,
        // Whoever needs a workspace is told what is in the way.
        Err(problem) => tracing::warn!(error = %problem, "what runs left behind cannot be looked at"),
    }
    Ok(outcome)
}

async fn give_back(client: &Client, job: &Job, saved: Option<Checkpoint>) -> Result<Job, Problem> {
    if saved.is_some() {
        let patch = PatchJob { lease_epoch: job.lease_epoch, checkpoint: saved, ..PatchJob::default() };
        client.patch(&job.id, &patch).await?;
    }
    let reason = Some("its runner was gone".to_owned());
    client.act(&job.id, Action::Recover, &ActionRequest { reason, ..ActionRequest::default() }).await
}

/// Ends the processes of the job's runs and saves what lies in its workspace.
async fn clear(options: &Options, job: &Job) -> Result<Option<Checkpoint>, String> {
    end_runs(options, &job.id, job.runs).await?;
    let dir = options.workspace(job.id.as_str());
    blocking(move || save(&dir)).await.map_err(|error| error.to_string())
}

/// What was started in a run's folder.
pub(super) fn launches(run: &Path) -> Vec<PathBuf> {
    ["agent", "agent-2", "verify"].map(|launch| run.join(launch)).into_iter().filter(|launch| launch.exists()).collect()
}

/// Ends what is left of the job's first `runs` runs. The caller knows that no worker is at them.
pub(super) async fn end_runs(options: &Options, id: &JobId, runs: u32) -> Result<(), String> {
    for run in 1..=runs {
        let folder = options.run_folder(id.as_str(), run);
        for launch in launches(&folder) {
            let ended = end_orphan(&launch, options.grace).await.map_err(|error| error.to_string())?;
            tracing::debug!(job.id = %id, run, reason = ?ended.record.map(|record| record.reason), "a run is over");
            if ended.survivors > 0 {
                return Err(format!("{} processes of its run {run} could not be ended", ended.survivors));
            }
        }
    }
    Ok(())
}

fn save(dir: &Path) -> Result<Option<Checkpoint>, WorkspaceError> {
    if !dir.join("workspace.json").exists() {
        return Ok(None);
    }
    let workspace = Workspace::open(dir)?;
    let saved = checkpoint(&workspace, "after its runner died")?;
    remove(workspace)?.delete()?;
    Ok(saved)
}
