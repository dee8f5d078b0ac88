//! What a runner that died or left has left behind, sorted: runs to go on with, and jobs to take back.
//!
//! The caller proves that no runner is alive (it holds the queue's lock). What cannot be told dead is never treated as
//! dead. Doing it again changes nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use fleet_protocol::{
    Action, ErrorCode, Job, JobId, Problem, Stage,
    api::{ActionRequest, JobsQuery, LogStream, PatchJob},
    job::Checkpoint,
};
use futures_util::future::join_all;

use super::{
    equip::Place,
    judge::is_its_own_end,
    mask::Mask,
    options::Options,
    pump::{From, Target},
    pumps::{Carried, Pumps},
    reap::{Mode, Reach, Reaped, Reaper},
    record::{Record, Values, launches},
    save::blocking,
    secret::to_mask,
    turns::Turns,
};
use crate::{
    client::Client,
    runtime::{ExitRecord, Found, Reason, RuntimeError, State, end_orphan, find},
    workspace::{Workspace, WorkspaceError, checkpoint, remove},
};

/// What became of the jobs that were found.
#[derive(Debug, Default)]
pub(crate) struct Orphaned {
    /// Their runs go on.
    pub(crate) taken_up: Vec<Job>,
    /// Back in the queue.
    pub(crate) recovered: Vec<Job>,
    /// Left as they are, with the reason.
    pub(crate) left: Vec<(Job, String)>,
    /// What else lay about.
    pub(crate) cleared: Vec<Reaped>,
}

/// A run whose runner is gone, and that can be gone on with.
pub(super) struct Orphan {
    pub(super) job: Job,
    pub(super) record: Box<Record>,
    agent: Agent,
}

/// How the agent of such a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    Works,
    /// It ended, and what came of it is to be found out.
    Ended,
    /// Cannot be told, and so it is not dead.
    Unknown,
    /// Nothing of it is left to go on with.
    Gone,
}

/// The jobs that this factory holds on paper.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) alive: Vec<Orphan>,
    /// Nothing is left of their agents that could be gone on with.
    pub(super) dead: Vec<Job>,
    /// What was written down of them cannot be read now, and so neither can what lives.
    pub(super) unknown: Vec<(Job, String)>,
}

/// Sorts every job that this factory holds.
pub(super) async fn sort(client: &Client, options: &Options) -> Result<Sorted, Problem> {
    let mut held = Vec::new();
    for stage in [Stage::Assigned, Stage::Building] {
        let query = JobsQuery { stage: Some(stage), ..JobsQuery::default() };
        let jobs = client.all_jobs(&query).await?.into_iter();
        held.extend(jobs.filter(|job| job.factory.as_deref() == Some(&options.factory)));
    }
    let mut sorted = Sorted::default();
    for (job, looked) in join_all(held.into_iter().map(|job| look(options, job))).await {
        match looked {
            Ok(Some((record, agent))) => sorted.alive.push(Orphan { job, record: Box::new(record), agent }),
            Ok(None) => sorted.dead.push(job),
            Err(error) => sorted.unknown.push((job, error.to_string())),
        }
    }
    Ok(sorted)
}

/// Without a runner to go on with anything: takes back the jobs of which nothing lives and nothing is to be concluded.
pub(crate) async fn reclaim(client: &Client, options: &Arc<Options>) -> Result<Orphaned, Problem> {
    let Sorted { alive, dead, unknown } = sort(client, options).await?;
    let mut outcome = Orphaned { left: unknown, ..Orphaned::default() };
    for Orphan { job, agent, .. } in alive {
        let why = match agent {
            Agent::Works => "its agent works on; `fleet run` goes on with it",
            Agent::Ended => "its agent has ended; `fleet run` finds out what came of it",
            Agent::Unknown | Agent::Gone => "whether its agent lives cannot be told; `fleet run` waits until it can",
        };
        outcome.left.push((job, why.to_owned()));
    }
    take_back(client, options, &Turns::default(), dead, &mut outcome).await?;
    let reaper = Reaper::new(Arc::clone(options), client.clone(), Reach::Everything);
    outcome.cleared = cleared(&reaper).await;
    Ok(outcome)
}

/// Clears half-made workspaces, and those of jobs that a person took away while no runner was there.
pub(super) async fn cleared(reaper: &Reaper) -> Vec<Reaped> {
    reaper.workspaces(Mode::Remove).await.unwrap_or_else(|problem| {
        // Whoever needs a workspace is told what is in the way.
        tracing::warn!(error = %problem, "what runs left behind cannot be looked at");
        Vec::new()
    })
}

/// Takes back jobs whose run cannot be gone on with, and clears away what is left of runs that nobody holds.
pub(super) async fn take_back(
    client: &Client,
    options: &Options,
    turns: &Turns,
    dead: Vec<Job>,
    outcome: &mut Orphaned,
) -> Result<(), Problem> {
    // Side by side: each may have to wait for processes to end, and runs that go on wait for their worker.
    for (job, taken) in join_all(dead.into_iter().map(|job| take_one(client, options, job))).await {
        match taken {
            Ok(Some(job)) => outcome.recovered.push(job),
            Ok(None) => {}
            Err(Stuck::Here(why)) => outcome.left.push((job, why)),
            Err(Stuck::There(problem)) => return Err(problem),
        }
    }
    clear_unheld(client, options, turns, outcome).await
}

/// Why a job could not be taken back.
enum Stuck {
    Here(String),
    There(Problem),
}

/// The job once it is queued again; none when a person was faster.
async fn take_one(client: &Client, options: &Options, job: Job) -> (Job, Result<Option<Job>, Stuck>) {
    let taken = async {
        let saved = clear(options, &job).await.map_err(Stuck::Here)?;
        carry_rest(client, options, &job).await;
        match give_back(client, &job, saved).await {
            Ok(job) => Ok(Some(job)),
            Err(problem) if matches!(problem.code, ErrorCode::Fenced | ErrorCode::InvalidTransition) => Ok(None),
            Err(problem) => Err(Stuck::There(problem)),
        }
    };
    let taken = taken.await;
    if taken.is_ok() {
        forget(options, &job.id, job.runs).await;
    }
    (job, taken)
}

async fn give_back(client: &Client, job: &Job, saved: Option<Checkpoint>) -> Result<Job, Problem> {
    if saved.is_some() {
        let patch = PatchJob { lease_epoch: job.lease_epoch, checkpoint: saved, ..PatchJob::default() };
        client.patch(&job.id, &patch).await?;
    }
    let reason = Some("its runner was gone".to_owned());
    client.act(&job.id, Action::Recover, &ActionRequest { reason, ..ActionRequest::default() }).await
}

/// Clears away what is left of runs whose job nobody holds: it was taken away while no runner was there, or its end was
/// told by a runner that was killed right after. A run that goes on leaves nothing behind: that is its seat's to clear.
async fn clear_unheld(
    client: &Client,
    options: &Options,
    turns: &Turns,
    outcome: &mut Orphaned,
) -> Result<(), Problem> {
    for id in left_behind(options) {
        if outcome.taken_up.iter().any(|job| job.id == id) {
            continue;
        }
        let Some(_turn) = turns.take_if_free(&id) else { continue };
        let job = match client.job(&id).await {
            Ok(job) => job,
            Err(problem) if problem.code == ErrorCode::NotFound => continue,
            Err(problem) => return Err(problem),
        };
        if job.stage.is_held() {
            continue;
        }
        match clear(options, &job).await {
            Ok(_) => {
                for run in 1..=job.runs {
                    forget(options, &job.id, run).await;
                }
            }
            Err(why) => outcome.left.push((job, why)),
        }
    }
    Ok(())
}

/// Jobs with a workspace, or with a run that was not concluded.
fn left_behind(options: &Options) -> Vec<JobId> {
    let unconcluded = |job: &Path| entries(job).iter().any(|run| Record::is_in(run));
    let runs = entries(&options.runs()).into_iter().filter(|job| unconcluded(job));
    let mut names: Vec<String> = entries(&options.workspaces())
        .into_iter()
        .chain(runs)
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// What lies in a folder; nothing where there is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

type Looked = Result<Option<(Record, Agent)>, RuntimeError>;

/// The run's record, if the run is one to go on with.
async fn look(options: &Options, job: Job) -> (Job, Looked) {
    let looked = going_on(options, &job).await;
    (job, looked)
}

async fn going_on(options: &Options, job: &Job) -> Looked {
    let folder = options.run_folder(job.id.as_str(), job.runs);
    let record = match Record::read(&folder) {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(None),
        // That of another version: its run cannot be gone on with.
        Err(error @ RuntimeError::Garbled { .. }) => {
            tracing::warn!(job.id = %job.id, %error, "a run cannot be gone on with");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if record.claimed.run.number != job.runs || record.claimed.lease.epoch != job.lease_epoch {
        return Ok(None);
    }
    if record.last_word.is_some() {
        return Ok(Some((record, Agent::Ended)));
    }
    if Values::read(&folder)?.is_none() || !options.workspace(job.id.as_str()).join("workspace.json").exists() {
        return Ok(None);
    }
    let agent = agent(options, &record.launch_in(&folder)).await;
    Ok((agent != Agent::Gone).then_some((record, agent)))
}

async fn agent(options: &Options, launch: &Path) -> Agent {
    let ended = |record: &ExitRecord| if is_worth_going_on(record) { Agent::Ended } else { Agent::Gone };
    let mut running = match find(launch) {
        Ok(Found::Alive(running)) => running,
        Ok(Found::Finished(record)) => return ended(&record),
        Ok(Found::Gone) => return Agent::Gone,
        Ok(Found::Unknown(_)) | Err(_) => return Agent::Unknown,
    };
    match running.status().await {
        Ok(status) if status.state != State::Ending => Agent::Works,
        Err(RuntimeError::NoAnswer { .. }) => Agent::Unknown,
        // What is left of it ends within the grace, or has ended just now; how is written down after that.
        _ => match tokio::time::timeout(options.grace * 2, running.wait()).await {
            Ok(Ok(record)) => ended(&record),
            Ok(Err(RuntimeError::NoRecord { .. })) => Agent::Gone,
            Ok(Err(_)) | Err(_) => Agent::Unknown,
        },
    }
}

/// Whether an agent that ended without a runner has a run to conclude: it ended by itself, or was asked to by the runner.
pub(super) fn is_worth_going_on(record: &ExitRecord) -> bool {
    is_its_own_end(record) || matches!(record.reason, Reason::Stopped | Reason::Drained | Reason::Preempted)
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
        for launch in launches(&options.run_folder(id.as_str(), run)) {
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

/// Sends what the run printed and its runner did not get to send, while the job is still held on paper.
async fn carry_rest(client: &Client, options: &Options, job: &Job) {
    let folder = options.run_folder(job.id.as_str(), job.runs);
    let values = match Values::read(&folder) {
        Ok(Some(values)) => values,
        Ok(None) if launches(&folder).is_empty() => Values::default(),
        // Without the values to mask nothing may be shown.
        Ok(None) | Err(_) => return,
    };
    let mask = Mask::default();
    mask.set(&to_mask(&values.masked, options));
    let (lease_epoch, run, most) = (job.lease_epoch, job.runs, options.max_stream);
    let target = Target { job: job.id.clone(), lease_epoch, run, stream: LogStream::Stdout, most, mask };
    let carried = Pumps::start(client, &target, &folder, From::WhatArrived).finish().await;
    Place::at(options, job.id.as_str(), job.runs).tidy(carried, options).await;
}

/// Takes away what only a run under way needs. What it printed and nobody took stays, masked.
async fn forget(options: &Options, job: &JobId, run: u32) {
    let place = Place::at(options, job.as_str(), run);
    if !Record::is_in(&place.folder) && !Values::are_in(&place.folder) {
        return;
    }
    place.tidy(Carried::Part, options).await;
    if let Err(error) = Record::remove(&place.folder) {
        tracing::warn!(job.id = %job, %error, "a run's record could not be removed");
    }
}
