//! A step in the making: the one place where stages, runs, leases and events are kept in line with one another.

use fleet_protocol::{EventType, Job, JobResult, Run, Span, Stage, lease::LeaseStatus};
use jiff::Timestamp;
use serde_json::Value;

use super::{Draft, Step, act};

/// A copy of the job that is being changed, and the events so far.
pub(super) struct Change {
    pub(super) job: Job,
    run: Option<Run>,
    events: Vec<Draft>,
    actor: String,
    now: Timestamp,
}

/// How a run ends.
pub(super) struct End {
    pub(super) result: JobResult,
    pub(super) message: Option<String>,
    /// What becomes of its lease.
    pub(super) lease: LeaseStatus,
}

impl Change {
    /// Starts from `job`; every event will name `actor`.
    pub(super) fn begin(job: &Job, actor: impl Into<String>, now: Timestamp) -> Self {
        Self { job: job.clone(), run: None, events: Vec::new(), actor: actor.into(), now }
    }

    /// The moment at which all this happens.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// An event that changes no stage.
    pub(super) fn note(&mut self, event_type: EventType, data: Value) {
        self.draft(event_type, self.job.stage, data);
    }

    /// A change of stage, and the one event that tells it.
    pub(super) fn go(&mut self, to: Stage, event_type: EventType, data: Value) {
        let from = std::mem::replace(&mut self.job.stage, to);
        self.draft(event_type, from, data);
    }

    /// A change of stage to `queued`, or to `blocked` while dependencies are unmet.
    pub(super) fn go_back_to_queue(&mut self, event_type: EventType, data: Value) {
        self.go(pending_stage(&self.job), event_type, data);
    }

    fn draft(&mut self, event_type: EventType, from: Stage, data: Value) {
        self.events.push(Draft {
            event_type,
            actor: self.actor.clone(),
            stage_from: Some(from),
            stage_to: Some(self.job.stage),
            lease_epoch: self.job.lease_epoch,
            data,
        });
    }

    /// Keeps the run as it is now.
    pub(super) fn set_run(&mut self, run: Run) {
        self.run = Some(run);
    }

    /// Closes the run and its lease, and adds what it cost to the job.
    pub(super) fn end_run(&mut self, mut run: Run, end: End) {
        run.ended_at = Some(self.now);
        run.result = Some(end.result);
        run.message = end.message;
        self.job.usage = self.job.usage.plus(run.usage);
        self.job.progress = None;
        self.job.paused = false;
        self.job.resumed = false;
        if let Some(lease) = &mut self.job.lease {
            lease.status = end.lease;
        }
        self.run = Some(run);
    }

    /// Shuts the holder out for good: whatever it sends from now on is refused.
    pub(super) const fn raise_epoch(&mut self) {
        self.job.lease_epoch += 1;
    }

    /// The finished step.
    pub(super) fn done(mut self) -> Step {
        self.job.updated_at = self.now;
        self.job.actions = act::actions(&self.job);
        Step { job: self.job, run: self.run, events: self.events }
    }
}

/// Where a job waits for its turn.
pub(super) const fn pending_stage(job: &Job) -> Stage {
    if job.blocked_by.is_empty() { Stage::Queued } else { Stage::Blocked }
}

/// `span` after `now`; the end of time when there is no such moment.
pub(super) fn later(now: Timestamp, span: Span) -> Timestamp {
    now.checked_add(span.duration()).unwrap_or(Timestamp::MAX)
}

/// The actor of a factory's inputs.
pub(super) fn factory_actor(factory: &str) -> String {
    format!("factory:{factory}")
}

/// The actor of what happens by itself.
pub(super) const COORDINATOR: &str = "coordinator";
