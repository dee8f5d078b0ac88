//! A factory takes a job: a lease, a higher epoch and a new run.
//!
//! Whether the factory *suits* the job is the scheduler's question.

use fleet_protocol::{
    EventType, Job, Run, Span, Stage,
    job::Usage,
    lease::{Lease, LeaseStatus},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Refusal, Step,
    change::{Change, factory_actor, later},
    refusal::not_possible,
};

pub(super) fn claim(job: &Job, factory: &str, ttl: Span, now: Timestamp) -> Result<Step, Refusal> {
    let refuse = |why| Err(not_possible(job, "claim", why));
    if job.stage != Stage::Queued {
        return refuse(None);
    }
    if job.held {
        return refuse(Some("it is on hold"));
    }
    if job.retry_not_before.is_some_and(|at| now < at) {
        return refuse(Some("its retry time lies ahead"));
    }
    let mut change = Change::begin(job, factory_actor(factory), now);
    change.raise_epoch();
    let job = &mut change.job;
    job.runs += 1;
    job.factory = Some(factory.to_owned());
    job.lease = Some(Lease {
        holder_factory_id: factory.to_owned(),
        lease_epoch: job.lease_epoch,
        expires_at: later(now, ttl),
        status: LeaseStatus::Active,
    });
    job.result = None;
    job.message = None;
    job.retry_not_before = None;
    let run = new_run(job, factory);
    let data = json!({ "factory": factory, "run": run.number });
    change.set_run(run);
    change.go(Stage::Assigned, EventType::Claimed, data);
    Ok(change.done())
}

fn new_run(job: &Job, factory: &str) -> Run {
    Run {
        job_id: job.id.clone(),
        number: job.runs,
        session_id: None,
        error_class: None,
        confinement: None,
        engine: None,
        factory: factory.to_owned(),
        lease_epoch: job.lease_epoch,
        started_at: None,
        ended_at: None,
        result: None,
        message: None,
        exit_code: None,
        usage: Usage::UNKNOWN,
        diff: None,
        evidence: None,
        insights: None,
        checkpoint: None,
    }
}
