//! What is left of jobs that were over long ago: run folders, archived logs, and refs whose work has landed.
//!
//! The coordinator decides when: once it has let go of a job's logs, the rest goes by that. There is one rule, in one place.

use std::{collections::BTreeSet, fs, io, path::Path};

use fleet_protocol::{
    Job, JobId, Problem,
    api::{LogStream, LogsQuery},
};
use git2::Oid;

use super::reaper::{Mode, Reaped, Reaper};
use crate::{
    worker::save::blocking,
    workspace::{Retire, Source, WorkspaceError, retire},
};

/// Folders with one folder for each job, and what that one holds.
const FOLDERS: [(&str, &str); 3] =
    [("runs", "run folders"), ("archive/runs", "archived run folders"), ("archive/logs", "archived logs")];

impl Reaper {
    /// Takes away what is left of jobs whose logs the coordinator has let go of.
    pub(crate) async fn finished(&self, mode: Mode) -> Result<Vec<Reaped>, Problem> {
        let state = self.options.state.clone();
        let mut reaped = Vec::new();
        for id in blocking(move || jobs_in(&state)).await {
            if !self.goes_on() {
                break;
            }
            if let Some(job) = self.long_over(&id).await?
                && let Some(_turn) = self.turns.take_if_free(&id)
            {
                reaped.extend(self.clear_finished(job, mode).await?);
            }
        }
        Ok(reaped)
    }

    async fn clear_finished(&self, job: Job, mode: Mode) -> Result<Vec<Reaped>, Problem> {
        let mut reaped = Vec::new();
        if self.is_still_over(&job).await? {
            let job = job.clone();
            reaped.extend(blocking(move || refs(&job, mode)).await);
        }
        for (folder, what) in FOLDERS {
            let path = self.options.state.join(folder).join(job.id.as_str());
            if path.is_dir() && self.is_still_over(&job).await? {
                let why = "the job was over long ago, and its logs have expired";
                let removed = if mode == Mode::DryRun { Ok(()) } else { blocking(move || remove(&path)).await };
                reaped.push(line(&job, what.to_owned(), removed.map(|()| why.to_owned())));
            }
        }
        Ok(reaped)
    }

    /// Whether nobody touched the job since it was found to be over. To be asked right before anything of it goes: another
    /// process may work on the queue, and may have begun with the job anew.
    pub(crate) async fn is_still_over(&self, job: &Job) -> Result<bool, Problem> {
        let now = self.job(&job.id).await?;
        Ok(now.is_some_and(|now| now.stage.is_terminal() && now.rev == job.rev))
    }

    /// The job, if it is over and its logs were let go.
    async fn long_over(&self, id: &JobId) -> Result<Option<Job>, Problem> {
        let Some(job) = self.job(id).await?.filter(|job| job.stage.is_terminal() && job.runs > 0) else {
            return Ok(None);
        };
        let query = LogsQuery { run: Some(job.runs), stream: Some(LogStream::Worker), offset: Some(0), limit: Some(1) };
        let log = self.client.logs(id, &query).await?;
        Ok(log.expired_at.map(|_| job))
    }
}

/// Every job that has a folder somewhere.
fn jobs_in(state: &Path) -> BTreeSet<JobId> {
    let folders = FOLDERS.iter().map(|(folder, _)| fs::read_dir(state.join(folder)));
    let entries = folders.flat_map(|entries| entries.into_iter().flatten().flatten());
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot delete {}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The job's refs, as far as their work has landed.
fn refs(job: &Job, mode: Mode) -> Vec<Reaped> {
    let (Some(base), Some(commit), Some(site)) = (&job.base, base_commit(job), job.site()) else { return Vec::new() };
    let mode = if mode == Mode::DryRun { Retire::DryRun } else { Retire::Delete };
    let retired = Source::open(&site, Some(base))
        .and_then(|source| retire(&source.git_dir, &job.id, (base, commit), mode))
        .map_err(|error: WorkspaceError| error.to_string());
    match retired {
        Ok(branches) => {
            let gone = branches.deleted.into_iter().map(|(name, proof)| line(job, name, Ok(proof)));
            gone.chain(branches.kept.into_iter().map(|(name, why)| line(job, name, Err(why)))).collect()
        }
        Err(why) => vec![line(job, "its refs".to_owned(), Err(why))],
    }
}

fn base_commit(job: &Job) -> Option<Oid> {
    Oid::from_str(job.base_commit.as_deref()?).ok()
}

fn line(job: &Job, what: String, fate: Result<String, String>) -> Reaped {
    let goes = fate.is_ok();
    Reaped { job: Some(job.id.clone()), what, goes, why: fate.unwrap_or_else(|why| why) }
}
