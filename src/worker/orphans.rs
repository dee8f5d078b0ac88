//! Takes back jobs whose runner died: ends what is left of the agent, saves the work, and returns the job to the queue.
//!
//! The caller proves that no runner is alive (it holds the queue's lock). What cannot be told dead is left alone.

use std::path::Path;

use fleet_protocol::{
    Action, ErrorCode, Job, JobId, Problem, Stage,
    api::{ActionRequest, JobsQuery, PatchJob},
    job::Checkpoint,
};

use super::{options::Options, save::blocking};
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
}

/// Recovers every job that this factory holds on paper. Doing it again changes nothing.
pub(crate) async fn reclaim(client: &Client, options: &Options) -> Result<Orphaned, Problem> {
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
    tidy(client, options, &mut outcome).await?;
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

/// Clears the workspaces of jobs that nobody holds: a person took them away while their runner was dead.
async fn tidy(client: &Client, options: &Options, outcome: &mut Orphaned) -> Result<(), Problem> {
    let work = options.workspaces();
    let entries = std::fs::read_dir(&work).into_iter().flatten().flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    for id in names.iter().filter_map(|name| name.parse::<JobId>().ok()) {
        let job = match client.job(&id).await {
            Ok(job) => job,
            Err(problem) if problem.code == ErrorCode::NotFound => continue,
            Err(problem) => return Err(problem),
        };
        if job.stage.is_held() {
            continue;
        }
        if let Err(why) = clear(options, &job).await {
            outcome.left.push((job, why));
        }
    }
    Ok(())
}

/// Ends the processes of the job's runs and saves what lies in its workspace.
async fn clear(options: &Options, job: &Job) -> Result<Option<Checkpoint>, String> {
    end_runs(options, &job.id, job.runs).await?;
    let dir = options.workspace(job.id.as_str());
    blocking(move || save(&dir)).await.map_err(|error| error.to_string())
}

/// Ends what is left of the job's first `runs` runs. The caller knows that no worker is at them.
pub(super) async fn end_runs(options: &Options, id: &JobId, runs: u32) -> Result<(), String> {
    for run in 1..=runs {
        let folder = options.run_folder(id.as_str(), run);
        for launch in ["agent", "agent-2", "verify"].map(|launch| folder.join(launch)) {
            if !launch.exists() {
                continue;
            }
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
