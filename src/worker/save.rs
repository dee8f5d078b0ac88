//! Saves a run's work under the job's own ref, now and then and on every way out.

use fleet_protocol::{api::PatchJob, job::Checkpoint};
use tokio::task::spawn_blocking;

use crate::workspace::{Workspace, WorkspaceError, checkpoint};

/// Saves one workspace; knows what it saved last.
pub(super) struct Saver {
    workspace: Workspace,
    last: Option<Checkpoint>,
}

impl Saver {
    pub(super) const fn new(workspace: Workspace) -> Self {
        Self { workspace, last: None }
    }

    /// Saves what lies there. The report to make when that is something new; a failure is told and tried again later.
    pub(super) async fn save(&mut self, why: &'static str) -> Option<PatchJob> {
        match self.save_now(why).await {
            Ok(Some(saved)) if self.last.as_ref() != Some(&saved) => {
                self.last = Some(saved.clone());
                Some(PatchJob { checkpoint: Some(saved), ..PatchJob::default() })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(job.id = %self.workspace.job(), %error, "a run's work could not be saved yet");
                None
            }
        }
    }

    /// Saves what lies there. None when there is nothing beyond the base.
    pub(super) async fn save_now(&self, why: &'static str) -> Result<Option<Checkpoint>, WorkspaceError> {
        let workspace = self.workspace.clone();
        blocking(move || checkpoint(&workspace, why)).await
    }
}

/// Runs blocking git work on a thread for it. A panic there goes on here.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
