//! The one way in which a job that exists is changed: load, decide, commit against what was read; on a conflict, again.

use fleet_protocol::{ErrorCode, EventType, Job, JobId, Problem, Stage};
use jiff::Timestamp;
use serde_json::json;

use super::{Failure, Service, caller::Caller, core::shown, deps, failure::unavailable};
use crate::{
    lifecycle::{Draft, Step},
    store::{Commit, CommitError, Refused, Snapshot, Urgency},
};

/// What a change comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    urgency: Urgency,
    /// The lease epoch that the sender believes to hold.
    epoch: Option<u64>,
}

impl Origin {
    /// Someone who needs no lease.
    pub(super) const PERSON: Self = Self { urgency: Urgency::Report, epoch: None };
    /// The reaper.
    pub(super) const REAPER: Self = Self { urgency: Urgency::Reap, epoch: None };

    /// A holder, or one who was.
    pub(super) const fn holder(epoch: u64) -> Self {
        Self { urgency: Urgency::Report, epoch: Some(epoch) }
    }
}

/// Times that a change is decided anew before it gives up. Each loss means that somebody else made progress.
const TRIES: u32 = 100;

impl Service {
    /// Changes a job by what `decide` makes of it, and tells its dependants. Gives the job as it is then.
    pub(super) async fn change(
        &self,
        caller: &Caller,
        id: &JobId,
        origin: Origin,
        decide: impl Fn(&Snapshot, Timestamp) -> Result<Step, Problem>,
    ) -> Result<Box<Job>, Failure> {
        let (before, job) = self.change_only(caller, id, origin, decide).await?;
        if deps::matters(before, job.stage) {
            self.settle_dependants(&job).await;
        }
        Ok(job)
    }

    /// The same for changes that nobody depends on, such as being told of one's own dependencies.
    pub(super) async fn change_unobserved(
        &self,
        caller: &Caller,
        id: &JobId,
        decide: impl Fn(&Snapshot, Timestamp) -> Result<Step, Problem>,
    ) -> Result<Box<Job>, Failure> {
        self.change_only(caller, id, Origin::PERSON, decide).await.map(|(_, job)| job)
    }

    /// Gives the stage before and the job after.
    async fn change_only(
        &self,
        caller: &Caller,
        id: &JobId,
        origin: Origin,
        decide: impl Fn(&Snapshot, Timestamp) -> Result<Step, Problem>,
    ) -> Result<(Stage, Box<Job>), Failure> {
        for _ in 0..TRIES {
            let (before, commit) = match self.plan(caller, id, origin, &decide)? {
                Plan::Change { before, commit } => (before, commit),
                Plan::Nothing(job) => return Ok((job.stage, job)),
                Plan::Refuse { job, problem, now } => {
                    self.note_refusal(caller, &job, origin.epoch, now).await?;
                    return Err(problem.into());
                }
            };
            match self.store.job_commit(commit).await {
                Ok(job) => return Ok((before, shown(job))),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::new(ErrorCode::Conflict, "the job is changed by others all the time; try again").into())
    }

    /// Loads and decides.
    fn plan(
        &self,
        caller: &Caller,
        id: &JobId,
        origin: Origin,
        decide: impl Fn(&Snapshot, Timestamp) -> Result<Step, Problem>,
    ) -> Result<Plan, Failure> {
        let snapshot = self.load_settled(&caller.product, id)?;
        let now = self.now();
        let step = match decide(&snapshot, now) {
            Ok(step) => step,
            Err(problem) => return Ok(Plan::Refuse { job: Box::new(snapshot.job), problem, now }),
        };
        if changes_nothing(&snapshot, &step) {
            return Ok(Plan::Nothing(Box::new(snapshot.job)));
        }
        let mut commit = Commit::of(&snapshot.job, step, now);
        commit.urgency = origin.urgency;
        commit.answer = caller.answer(200, &shown(commit.outcome()));
        Ok(Plan::Change { before: snapshot.job.stage, commit })
    }

    /// A job that may be on its way back to the queue has to know how its dependencies stand now.
    fn load_settled(&self, product: &str, id: &JobId) -> Result<Snapshot, Failure> {
        let mut snapshot = self.load(product, id)?;
        let job = &mut snapshot.job;
        if !job.stage.is_pending() && !job.deps.is_empty() {
            job.blocked_by = self.blockers(product, &job.deps, job.deps_mode)?;
        }
        Ok(snapshot)
    }

    /// A holder whose lease is over leaves one line in the history for each lease that it lost; nothing else changes.
    pub(super) async fn note_refusal(
        &self,
        caller: &Caller,
        job: &Job,
        epoch: Option<u64>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Some(epoch) = epoch.filter(|epoch| *epoch < job.lease_epoch) else { return Ok(()) };
        let event = Draft {
            event_type: EventType::Fenced,
            actor: caller.actor.clone(),
            stage_from: Some(job.stage),
            stage_to: Some(job.stage),
            lease_epoch: job.lease_epoch,
            data: json!({ "refusedEpoch": epoch }),
        };
        let refused = Refused { product: job.product.clone(), id: job.id.clone(), epoch, event, at: now };
        match self.store.refusal_note(refused).await {
            Err(CommitError::Store(error)) => Err(unavailable(&error).into()),
            _ => Ok(()),
        }
    }
}

/// What is to be done about a job as it was read.
enum Plan {
    Nothing(Box<Job>),
    Change { before: Stage, commit: Box<Commit> },
    Refuse { job: Box<Job>, problem: Problem, now: Timestamp },
}

/// Whether a step leaves everything as it was; the moment at which it was asked does not count.
fn changes_nothing(snapshot: &Snapshot, step: &Step) -> bool {
    step.events.is_empty()
        && step.run.as_ref().is_none_or(|run| Some(run) == snapshot.run.as_ref())
        && Job { updated_at: snapshot.job.updated_at, ..step.job.clone() } == snapshot.job
}
