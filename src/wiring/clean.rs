//! `fleet clean`: what finished jobs left behind, taken away where nothing is lost by it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use fleet_protocol::{Job, JobId, api::JobsQuery};
use git2::Oid;
use serde::Serialize;

use super::{
    embedded::{Embedded, place},
    fault::Fault,
    work::source,
};
use crate::{
    config::Config,
    workspace::{Retire, retire},
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
    pub(crate) job: JobId,
    /// For example `logs of 3 runs`, `branch fleet/…`.
    pub(crate) what: String,
    /// Why it stays; none when it goes.
    pub(crate) kept: Option<String>,
}

/// Archives what finished jobs beyond the newest `keep` left, and removes branches whose work has landed. Jobs that are
/// worked on, and the tasks themselves, are not touched.
pub(crate) async fn clean(
    config: &Config,
    embedded: &Embedded,
    keep: usize,
    mode: CleanMode,
) -> Result<Vec<Cleaned>, Fault> {
    let mut finished: Vec<Job> = embedded.client.all_jobs(&JobsQuery::default()).await?;
    finished.retain(|job| job.stage.is_terminal());
    finished.sort_by_key(|job| std::cmp::Reverse(job.updated_at));
    let state = &place(config)?.state;
    let mut cleaned = Vec::new();
    for (position, job) in finished.iter().enumerate() {
        cleaned.extend(branches(job, mode));
        if position >= keep {
            cleaned.extend(archive(state, job, mode));
        }
    }
    Ok(cleaned)
}

/// The job's refs: those whose work is in the base go, the others stay with the reason.
fn branches(job: &Job, mode: CleanMode) -> Vec<Cleaned> {
    let line = |what: String, kept| Cleaned { job: job.id.clone(), what, kept };
    let (Some(base), Some(commit)) = (&job.base, job.base_commit.as_deref().and_then(|hex| Oid::from_str(hex).ok()))
    else {
        return Vec::new();
    };
    let retired = source(job).and_then(|source| {
        let mode = if mode == CleanMode::DryRun { Retire::DryRun } else { Retire::Delete };
        Ok(retire(&source.git_dir, &job.id, (base, commit), mode)?)
    });
    match retired {
        Ok(branches) => {
            let gone = branches.deleted.into_iter().map(|name| line(short(&name), None));
            let kept = branches.kept.into_iter().map(|(name, why)| line(short(&name), Some(why)));
            gone.chain(kept).collect()
        }
        Err(fault) => vec![line("its branches".to_owned(), Some(fault.to_string()))],
    }
}

fn short(name: &str) -> String {
    match name.strip_prefix("refs/heads/") {
        Some(branch) => format!("branch {branch}"),
        None => format!("ref {name}"),
    }
}

/// Logs and run folders of one job go into the archive beside them.
fn archive(state: &Path, job: &Job, mode: CleanMode) -> Vec<Cleaned> {
    let id = job.id.as_str();
    let mut cleaned = Vec::new();
    for (folder, what) in [("logs", "logs"), ("runs", "run folders")] {
        let from = state.join(folder).join(id);
        if !from.is_dir() {
            continue;
        }
        let kept = match mode {
            CleanMode::DryRun => None,
            CleanMode::Remove => {
                set_aside(&from, &state.join("archive").join(folder), id).err().map(|error| error.to_string())
            }
        };
        cleaned.push(Cleaned { job: job.id.clone(), what: what.to_owned(), kept });
    }
    cleaned
}

fn set_aside(from: &Path, archive: &Path, id: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(archive)?;
    fs::rename(from, archive.join(id))
}
