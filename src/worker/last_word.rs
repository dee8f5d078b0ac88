//! How a run's end is told: written down first, then said until it is heard.

use std::{path::Path, time::Duration};

use fleet_protocol::{
    Job, JobResult, Problem,
    api::{PatchJob, ReleaseRequest},
    job::Checkpoint,
};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{leases::is_passing, mask::Mask, record::Record, seat::Seat};
use crate::shutdown::Phase;

/// Between two attempts to say it.
const AGAIN: Duration = Duration::from_secs(1);

/// A run's end as it is told to the coordinator.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LastWord {
    Report(Box<PatchJob>),
    HandBack(Box<ReleaseRequest>),
}

impl LastWord {
    /// The same, told without any secret.
    pub(super) fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::Report(patch) => Self::Report(Box::new(mask.report(*patch))),
            Self::HandBack(request) => Self::HandBack(Box::new(ReleaseRequest {
                message: request.message.map(|message| mask.text(&message)),
                session_id: request.session_id.map(|session| mask.text(&session)),
                ..*request
            })),
        }
    }

    /// Puts it into the record of the run in `folder`, if the run's agent was ever started.
    pub(super) fn write_down(&self, folder: &Path) {
        let written = Record::read(folder).and_then(|record| match record {
            Some(record) => Record { last_word: Some(self.clone()), ..record }.write(folder),
            None => Ok(()),
        });
        if let Err(error) = written {
            tracing::warn!(folder = %folder.display(), %error, "the end of a run could not be written down; a runner that is killed now would find it out again");
        }
    }
}

impl Seat {
    /// The end of the run, as a report.
    pub(super) fn report(&self, patch: PatchJob) -> LastWord {
        LastWord::Report(Box::new(PatchJob { lease_epoch: self.lease.epoch(), ..patch }))
    }

    /// The end of the run, as a job that is queued again and is charged nothing.
    pub(super) fn hand_back(&self, why: &str, checkpoint: Option<Checkpoint>, session: Option<String>) -> LastWord {
        LastWord::HandBack(Box::new(ReleaseRequest {
            lease_epoch: self.lease.epoch(),
            result: JobResult::Preempted,
            message: Some(why.to_owned()),
            checkpoint,
            session_id: session,
        }))
    }

    /// Tells the coordinator how the run ended. A refusal means that the job moved on without us.
    pub(super) async fn say(&self, word: &LastWord) -> Heard {
        let id = &self.claimed.job.id;
        let said = match word {
            LastWord::Report(patch) => self.heard(|| self.client.patch(id, patch)).await,
            LastWord::HandBack(request) => self.heard(|| self.client.release(id, request)).await,
        };
        match (said, word) {
            (Ok(job), LastWord::Report(patch)) => {
                let result = patch.result.map(JobResult::as_str).unwrap_or_default();
                tracing::info!(job.id = %job.id, job.stage = %job.stage, result, title = %job.title, "a run ended");
            }
            (Ok(job), LastWord::HandBack(request)) => {
                let why = request.message.as_deref().unwrap_or_default();
                tracing::info!(job.id = %job.id, why, "a job went back to the queue");
            }
            (Err(problem), _) => {
                tracing::warn!(job.id = %id, error = %problem, "the end of a run was refused; its work is kept under a ref");
                if is_passing(&problem) {
                    return Heard::NotYet;
                }
            }
        }
        Heard::Yes
    }

    /// Says a run's last word until it is heard, as long as it is ours to say: a full or busy store must not cost the
    /// run its result. Hearing it twice does no harm, for the first time ends the lease.
    async fn heard<A: Future<Output = Result<Job, Problem>>>(&self, say: impl Fn() -> A) -> Result<Job, Problem> {
        loop {
            match say().await {
                Err(problem) if is_passing(&problem) && self.lease.is_held() => {
                    tracing::warn!(job.id = %self.claimed.job.id, error = %problem, "the end of a run is not taken yet");
                }
                answered => return answered,
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = self.shutdown.at_least(Phase::HandOver) => return say().await,
            }
        }
    }
}

/// Whether a last word reached the coordinator, which may have refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Yes,
    /// The next runner says it again.
    NotYet,
}
