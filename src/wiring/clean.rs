//! `fleet clean`: what finished jobs left behind, taken away where nothing is lost by it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::Arc,
};

use fleet_protocol::{Job, JobId, api::JobsQuery};
use git2::Oid;
use serde::Serialize;

use super::{
    embedded::{Embedded, clock, has_state, place},
    fault::Fault,
    folder::folder,
    runner::is_worked_on,
    work::source,
    worker::options,
};
use crate::{
    config::Config,
    queue::{QueueError, RunLock},
    worker::{Mode, Reach, Reaped, Reaper},
    workspace::{Retire, let_go_of_base, retire},
};

/// What `fleet clean` may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CleanMode {
    Remove,
    /// Only say what would be removed.
    DryRun,
}

/// Something that was, would be, or deliberately was not removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cleaned {
    /// None where it is not known whose it is.
    pub(crate) job: Option<JobId>,
    /// For example `logs`, `branch fleet/…`.
    pub(crate) what: String,
    /// Why it stays; none when it goes.
    pub(crate) kept: Option<String>,
    /// Why it goes or stays.
    pub(crate) why: String,
}

/// Clears what runs left behind, removes branches whose work has landed, and archives what finished jobs beyond the newest
/// `keep` left. Jobs that are worked on, and the tasks themselves, are not touched.
pub(crate) async fn clean(
    config: &Config,
    embedded: &Embedded,
    keep: usize,
    mode: CleanMode,
) -> Result<Vec<Cleaned>, Fault> {
    let state = &place(config)?.state;
    let (reach, _lock) = reach(config, mode)?;
    let reaper = Reaper::new(Arc::new(options(config)?), embedded.client.clone(), reach);
    let how = if mode == CleanMode::DryRun { Mode::DryRun } else { Mode::Remove };
    let mut cleaned: Vec<Cleaned> = reaper.workspaces(how).await?.into_iter().map(Cleaned::from).collect();
    let mut finished: Vec<Job> = embedded.client.all_jobs(&JobsQuery::default()).await?;
    finished.retain(|job| job.stage.is_terminal());
    finished.sort_by_key(|job| std::cmp::Reverse(job.updated_at));
    for job in &finished {
        cleaned.extend(branches(state, job, mode));
    }
    // Refs were looked at just now, of every finished job.
    let others = reaper.finished(how).await?.into_iter().map(Cleaned::from);
    let others: Vec<Cleaned> = others.filter(|it| !cleaned.iter().any(|known| known.is_about(it))).collect();
    cleaned.extend(others);
    for job in finished.iter().skip(keep) {
        cleaned.extend(archive(state, job, keep, mode));
    }
    Ok(cleaned)
}

/// Whether this process may clear workspaces: only with the lock that a runner has.
fn reach(config: &Config, mode: CleanMode) -> Result<(Reach, Option<RunLock>), Fault> {
    let folder = folder(config)?;
    if mode == CleanMode::DryRun || !has_state(config)? {
        let reach = if is_worked_on(config)? { Reach::Finished } else { Reach::Everything };
        return Ok((reach, None));
    }
    match RunLock::acquire(&folder, clock(config)?.now()) {
        Ok(lock) => Ok((Reach::Everything, Some(lock))),
        Err(QueueError::AlreadyRunning { .. }) => Ok((Reach::Finished, None)),
        Err(error) => Err(error.into()),
    }
}

impl From<Reaped> for Cleaned {
    fn from(reaped: Reaped) -> Self {
        Self::line(reaped.job, short(&reaped.what), if reaped.goes { Ok(reaped.why) } else { Err(reaped.why) })
    }
}

impl Cleaned {
    /// What goes with the reason why it may, or stays with the reason why it must.
    fn line(job: Option<JobId>, what: String, fate: Result<String, String>) -> Self {
        match fate {
            Ok(why) => Self { job, what, kept: None, why },
            Err(why) => Self { job, what, kept: Some(why.clone()), why },
        }
    }

    fn is_about(&self, other: &Self) -> bool {
        (&self.job, &self.what) == (&other.job, &other.what)
    }
}

/// The job's refs: those whose work is in the base go, the others stay with the reason.
fn branches(state: &Path, job: &Job, mode: CleanMode) -> Vec<Cleaned> {
    let line = |what: String, fate| Cleaned::line(Some(job.id.clone()), what, fate);
    let (Some(base), Some(commit)) = (&job.base, job.base_commit.as_deref().and_then(|hex| Oid::from_str(hex).ok()))
    else {
        return Vec::new();
    };
    let mode = if mode == CleanMode::DryRun { Retire::DryRun } else { Retire::Delete };
    let borrowed = state.join("work").join(job.id.as_str()).exists();
    let retired = source(job).and_then(|source| {
        let base_ref = !borrowed && let_go_of_base(&source.git_dir, &job.id, mode)?;
        Ok((retire(&source.git_dir, &job.id, (base, commit), mode)?, base_ref))
    });
    match retired {
        Ok((branches, base_ref)) => {
            let gone = branches.deleted.into_iter().map(|(name, proof)| line(short(&name), Ok(proof)));
            let kept = branches.kept.into_iter().map(|(name, why)| line(short(&name), Err(why)));
            let why = "it kept the base for a workspace that is gone".to_owned();
            let base = base_ref.then(|| line(format!("ref refs/fleet/base/{}", job.id), Ok(why)));
            gone.chain(kept).chain(base).collect()
        }
        Err(fault) => vec![line("its branches".to_owned(), Err(fault.to_string()))],
    }
}

fn short(name: &str) -> String {
    match name.strip_prefix("refs/heads/") {
        Some(branch) => format!("branch {branch}"),
        None if name.starts_with("refs/") => format!("ref {name}"),
        None => name.to_owned(),
    }
}

/// Logs and run folders of one job go into the archive beside them.
fn archive(state: &Path, job: &Job, keep: usize, mode: CleanMode) -> Vec<Cleaned> {
    let id = job.id.as_str();
    let mut cleaned = Vec::new();
    for (folder, what) in [("logs", "logs"), ("runs", "run folders")] {
        let from = state.join(folder).join(id);
        if !from.is_dir() {
            continue;
        }
        let moved = match mode {
            CleanMode::DryRun => Ok(()),
            CleanMode::Remove => set_aside(&from, &state.join("archive").join(folder), id),
        };
        let why = || format!("{keep} newer jobs are kept; it goes to `{}`", state.join("archive").display());
        let fate = moved.map(|()| why()).map_err(|error| error.to_string());
        cleaned.push(Cleaned::line(Some(job.id.clone()), what.to_owned(), fate));
    }
    cleaned
}

fn set_aside(from: &Path, archive: &Path, id: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(archive)?;
    fs::rename(from, archive.join(id))
}
