//! Ships a job: merges its branch, then tells the coordinator.
//!
//! Safe to repeat: a merge that is there already is not made again, and a job that is shipped stays shipped. So a process
//! that dies between the two leaves nothing that the next try does not put right.

use std::path::PathBuf;

use fleet_protocol::{Action, ErrorCode, Job, JobId, Problem, Stage, api::ActionRequest};
use git2::Oid;
use serde_json::json;

use super::merge::{Merge, ShipError, Shipped, merge};
use crate::{
    client::Client,
    workspace::{Identity, Source, WorkspaceError},
};

/// How to ship.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ship {
    /// Why, in the actor's words.
    pub(crate) reason: Option<String>,
    /// The queue's folder, whose own moves do not make a checkout dirty.
    pub(crate) queue: Option<PathBuf>,
    /// Who merges; the user of the repository when left out.
    pub(crate) committer: Option<Identity>,
}

/// Ships the job and returns it as it is then, with what was merged (none when it has no branch, or was shipped before).
///
/// # Errors
/// `invalid_transition` with the actions that are possible when `ship` is not; `conflict` when the merge is refused, in
/// which case nothing changed.
pub(crate) async fn ship_job(client: &Client, id: &JobId, how: Ship) -> Result<(Job, Option<Shipped>), Problem> {
    let job = client.job(id).await?;
    if job.stage == Stage::Shipped {
        return Ok((job, None));
    }
    if !job.actions.contains(&Action::Ship) {
        return Err(not_now(&job));
    }
    let wanted = job.clone();
    let (queue, committer) = (how.queue, how.committer);
    let merged = tokio::task::spawn_blocking(move || merge_job(&wanted, queue.as_deref(), committer)).await;
    let shipped =
        merged.map_err(|error| Problem::new(ErrorCode::Unavailable, format!("the merge ended early: {error}")))??;
    let request = ActionRequest {
        reason: how.reason,
        expect_rev: None,
        commit: shipped.map(|shipped| shipped.commit.to_string()),
    };
    let job = client.act(id, Action::Ship, &request).await?;
    Ok((job, shipped))
}

/// Merges the job's branch into its base. None when there is nothing to merge.
fn merge_job(
    job: &Job,
    queue: Option<&std::path::Path>,
    committer: Option<Identity>,
) -> Result<Option<Shipped>, ShipError> {
    let (Some(repo), Some(base), Some(branch)) = (job.site(), &job.base, &job.branch) else { return Ok(None) };
    let source = Source::open(&repo, Some(base))?;
    let identity = match committer {
        Some(committer) => committer,
        None => source.identity()?.unwrap_or_else(Identity::ours),
    };
    let head = job.head_commit.as_deref().and_then(|commit| Oid::from_str(commit).ok());
    let wanted = Merge {
        repo: &source.git_dir,
        base,
        branch,
        head,
        message: &format!("Ship {}\n\nFleet-Job: {}\n", job.title, job.id),
        identity: &identity,
        queue,
    };
    merge(&wanted).map(Some)
}

fn not_now(job: &Job) -> Problem {
    let possible: Vec<&str> = job.actions.iter().map(|action| action.as_str()).collect();
    let list = if possible.is_empty() { "nothing".to_owned() } else { possible.join(", ") };
    let message = format!("`{}` is in {}, so it cannot be shipped; possible now: {list}", job.title, job.stage);
    Problem::new(ErrorCode::InvalidTransition, message).with(json!({ "actions": possible }))
}

impl From<ShipError> for Problem {
    fn from(error: ShipError) -> Self {
        let code = match &error {
            ShipError::Busy { .. } => ErrorCode::Unavailable,
            ShipError::Workspace(WorkspaceError::Missing { .. }) => ErrorCode::NotFound,
            _ => ErrorCode::Conflict,
        };
        let details = match &error {
            ShipError::Dirty { files, .. } | ShipError::Conflict { files, .. } => json!({ "files": files }),
            _ => json!({}),
        };
        Self::new(code, error.to_string()).with(details)
    }
}
