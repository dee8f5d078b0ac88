//! What lies in the user's repository for a job: its difference, and saved work that is brought back.

use std::path::{Path, PathBuf};

use fleet_protocol::{ExitCode, Job, Stage, job::DiffStat};
use serde::Serialize;

use super::fault::Fault;
use crate::{
    config::Config,
    workspace::{self, FileStat, Source, recover},
};

/// What a job changed: `git diff base...branch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) stat: DiffStat,
    pub(crate) files: Vec<ChangedFile>,
    /// Unified diff; bytes that are no UTF-8 are replaced.
    pub(crate) patch: String,
}

/// One file of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedFile {
    pub(crate) path: String,
    pub(crate) added: u64,
    pub(crate) deleted: u64,
}

/// Reads what a job changed so far.
pub(crate) async fn diff(_config: &Config, job: &Job) -> Result<Difference, Fault> {
    let source = source(job)?;
    // Once it is shipped the base holds the work, and only where it started still shows what it was.
    let base = match (job.stage, &job.base_commit, &job.base) {
        (Stage::Shipped, Some(commit), _) => commit.clone(),
        (_, _, Some(base)) => base.clone(),
        _ => source.base.clone(),
    };
    let head = job.branch.clone().filter(|_| job.head_commit.is_some());
    let Some(head) = head.or_else(|| job.checkpoint.as_ref().map(|saved| saved.commit.clone())) else {
        return Err(Fault::new(ExitCode::NotFound, format!("{} has no work yet; it is {}", job.id, job.stage), None));
    };
    let patch = workspace::text(&source.git_dir, &base, &head)?;
    let files: Vec<FileStat> = workspace::files(&source.git_dir, &base, &head)?;
    let stat = DiffStat {
        files: u64::try_from(files.len()).unwrap_or(u64::MAX),
        added: files.iter().map(|file| file.added).sum(),
        deleted: files.iter().map(|file| file.deleted).sum(),
    };
    let files =
        files.into_iter().map(|FileStat { path, added, deleted }| ChangedFile { path, added, deleted }).collect();
    Ok(Difference { stat, files, patch: String::from_utf8_lossy(&patch).into_owned() })
}

/// Work that was brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Restored {
    pub(crate) branch: String,
    pub(crate) commit: String,
    /// The checkout that was made, when one was asked for.
    pub(crate) checkout: Option<PathBuf>,
}

/// Makes a branch from the newest saved work of a job, and with `to` a checkout of it.
pub(crate) async fn restore(job: &Job, to: Option<&Path>) -> Result<Restored, Fault> {
    let source = source(job)?;
    let branch = recover(&source.git_dir, &job.id, to)?;
    let commit = workspace::commit_at(&source.git_dir, &format!("refs/heads/{branch}"))?;
    Ok(Restored { branch, commit, checkout: to.map(Path::to_owned) })
}

/// The repository that a job works on.
pub(super) fn source(job: &Job) -> Result<Source, Fault> {
    let site =
        job.site().ok_or_else(|| Fault::new(ExitCode::NotFound, format!("{} names no repository", job.id), None))?;
    Ok(Source::open(&site, job.base.as_deref().or(job.manifest.base.as_deref()))?)
}
