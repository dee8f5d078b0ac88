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

/// Folders with one folder for each job, that go into the archive, and what that one holds.
const ARCHIVED: [(&str, &str); 2] = [("logs", "logs"), ("runs", "run folders")];

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
        if reaper.is_still_over(job).await? {
            cleaned.extend(branches(state, job, mode));
        }
    }
    // Refs were looked at just now, of every finished job.
    let others = reaper.finished(how).await?.into_iter().map(Cleaned::from);
    let others: Vec<Cleaned> = others.filter(|it| !cleaned.iter().any(|known| known.is_about(it))).collect();
    cleaned.extend(others);
    for job in finished.iter().skip(keep) {
        for (folder, what) in ARCHIVED {
            let from = state.join(folder).join(job.id.as_str());
            if from.is_dir() && reaper.is_still_over(job).await? {
                let moved = archive(&from, &state.join("archive").join(folder), mode);
                let why = || format!("{keep} newer jobs are kept; it goes to `{}`", state.join("archive").display());
                let fate = moved.map(|()| why()).map_err(|error| error.to_string());
                cleaned.push(Cleaned::line(Some(job.id.clone()), what.to_owned(), fate));
            }
        }
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

/// What lies in a job's folder goes into that of the same name in `archive`, beside what went there before. Nothing is
/// replaced.
fn archive(from: &Path, archive: &Path, mode: CleanMode) -> io::Result<()> {
    if mode == CleanMode::DryRun {
        return Ok(());
    }
    let to = archive.join(from.file_name().expect("a job's folder bears its name"));
    DirBuilder::new().recursive(true).mode(0o700).create(&to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if fs::exists(&target)? {
            let why = format!("`{}` is there already", target.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        fs::rename(entry.path(), target)?;
    }
    fs::remove_dir(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, number: u32, text: &str) {
        let run = folder.join(number.to_string());
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("worker.log"), text).unwrap();
    }

    #[test]
    fn later_runs_of_a_job_go_beside_those_that_were_archived_before() {
        let state = tempfile::tempdir().unwrap();
        let (from, to) = (state.path().join("runs/k3f9"), state.path().join("archive/runs"));
        for number in [1, 2] {
            run(&from, number, "as it was");
            archive(&from, &to, CleanMode::Remove).unwrap();
            assert!(!from.exists() && to.join(format!("k3f9/{number}/worker.log")).exists());
        }
        run(&from, 1, "another one");
        let refused = archive(&from, &to, CleanMode::Remove).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(to.join("k3f9/1/worker.log")).unwrap(), "as it was");
        assert!(from.join("1/worker.log").exists(), "what cannot go stays");
    }
}
