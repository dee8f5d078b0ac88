//! Gives a person the newest saved work of a job, as a branch.

use std::path::Path;

use fleet_protocol::JobId;
use git2::{Oid, Repository};

use super::{
    cleanup::of_job,
    error::{During, WorkspaceError},
    program::{Git, Settings},
    refs::{self, Expect, Moved},
    source,
};

/// Makes a branch `fleet/recovered/<job>-<n>` at the newest saved work and returns its name; with `to`, also a checkout of
/// it (a linked worktree) in that folder, which must not exist.
pub(crate) fn recover(git_dir: &Path, job: &JobId, to: Option<&Path>) -> Result<String, WorkspaceError> {
    let repo = source::open(git_dir)?;
    let newest = newest(&repo, job)?
        .ok_or_else(|| WorkspaceError::NothingSaved { job: job.to_string(), path: git_dir.to_owned() })?;
    let mut nth = 1;
    let branch = loop {
        let branch = format!("fleet/recovered/{job}-{nth}");
        if refs::set(&repo, &format!("refs/heads/{branch}"), newest, Expect::Absent)? == Moved::Yes {
            break branch;
        }
        nth += 1;
    };
    if let Some(to) = to {
        // The folder is relative to where the person stands, the call is not.
        let to = std::path::absolute(to).during("find", to)?;
        Git::new(git_dir, Settings::Users, "worktree").args(["add", "--quiet"]).args([&to]).args([&branch]).run()?;
    }
    Ok(branch)
}

/// The saved work, unless a branch of the job goes on from it; of unrelated ones, the latest.
fn newest(repo: &Repository, job: &JobId) -> Result<Option<Oid>, WorkspaceError> {
    let wip = refs::commit_of(repo, &refs::wip_ref(job))?;
    let others: Vec<Oid> = of_job(repo, job)?.into_iter().map(|(_, tip)| tip).collect();
    let Some(wip) = wip else {
        let dated = others.into_iter().map(|tip| Ok((repo.find_commit(tip)?.time().seconds(), tip)));
        let dated = dated.collect::<Result<Vec<_>, git2::Error>>().during("read the history of", repo.path())?;
        return Ok(dated.into_iter().max().map(|(_, tip)| tip));
    };
    let later = others.into_iter().find(|tip| repo.graph_descendant_of(*tip, wip).unwrap_or(false));
    Ok(Some(later.unwrap_or(wip)))
}
