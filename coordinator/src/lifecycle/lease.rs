//! The right to a job: who holds it, for how long, and how it ends other than by the run's own end.

use fleet_protocol::{
    Job, JobResult, Run, Span, Stage,
    api::{PatchJob, ReleaseRequest},
    lease::{Directive, Lease, LeaseStatus},
};
use jiff::Timestamp;

use super::{
    Refusal, Step,
    change::{COORDINATOR, Change, End, later},
    finish,
    refusal::{epoch_from_the_future, fenced, not_possible, not_the_holder},
    report::report,
};

/// Compares an epoch with the job's. Every worker's input passes here before anything else is looked at.
fn check_epoch(job: &Job, given: u64) -> Result<(), Refusal> {
    match given.cmp(&job.lease_epoch) {
        std::cmp::Ordering::Less => Err(fenced(job, given)),
        std::cmp::Ordering::Greater => Err(epoch_from_the_future(job, given)),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

/// The lease that counts, if a factory holds the job.
pub(super) fn active(job: &Job) -> Option<&Lease> {
    job.lease.as_ref().filter(|lease| job.stage.is_held() && lease.status == LeaseStatus::Active)
}

/// The run of whoever holds the job under `epoch`.
pub(super) fn held_run<'run>(job: &Job, run: Option<&'run Run>, epoch: u64) -> Result<&'run Run, Refusal> {
    check_epoch(job, epoch)?;
    current_run(job, run).ok_or_else(|| not_possible(job, "a holder's report", Some("no factory holds it")))
}

/// The run that goes on now, if a factory holds the job.
pub(super) fn current_run<'run>(job: &Job, run: Option<&'run Run>) -> Option<&'run Run> {
    active(job).and(run).filter(|run| run.lease_epoch == job.lease_epoch)
}

/// Refuses a factory that uses another's epoch.
pub(super) fn check_holder(job: &Job, factory: &str) -> Result<(), Refusal> {
    match active(job) {
        Some(lease) if lease.holder_factory_id == factory => Ok(()),
        _ => Err(not_the_holder(job, factory)),
    }
}

/// What the holder of `job` is told at a renewal. It is told the same until it changes, so an answer may get lost.
pub const fn directive(job: &Job) -> Directive {
    if job.paused {
        Directive::Pause
    } else if job.resumed {
        Directive::Resume
    } else {
        Directive::Continue
    }
}

/// Prolongs the lease. One that is past its expiry but not yet reaped lives on: nobody else has got the job meanwhile.
pub(super) fn renew(job: &Job, epoch: u64, ttl: Span, now: Timestamp) -> Result<Step, Refusal> {
    check_epoch(job, epoch)?;
    if active(job).is_none() {
        return Err(not_possible(job, "a renewal", Some("no factory holds it")));
    }
    let mut job = job.clone();
    if let Some(lease) = &mut job.lease {
        lease.expires_at = later(now, ttl);
    }
    // Not a change that people care for: `updatedAt` stays, and no event is written every 30 seconds.
    Ok(Step { job, run: None, events: Vec::new() })
}

/// The holder gives the job back: without charge for `preempted` and `lease_expired`, else like a run's own end.
pub(super) fn release(job: &Job, run: Option<&Run>, request: &ReleaseRequest, now: Timestamp) -> Result<Step, Refusal> {
    let last_word = PatchJob {
        lease_epoch: request.lease_epoch,
        result: Some(request.result),
        message: request.message.clone(),
        checkpoint: request.checkpoint.clone(),
        session_id: request.session_id.clone(),
        ..PatchJob::default()
    };
    // A release names no factory: its epoch tells whose it is.
    let holder = job.factory.as_deref().unwrap_or_default();
    report(job, run, (holder, &last_word), now)
}

/// The reaper takes a job back whose holder went silent. Epoch and expiry must be those that the reaper saw: a holder
/// that renewed or finished meanwhile keeps what it has.
pub(super) fn expire(
    job: &Job,
    run: Option<&Run>,
    (epoch, expires_at): (u64, Timestamp),
    now: Timestamp,
) -> Result<Step, Refusal> {
    let run = held_run(job, run, epoch)?;
    if active(job).is_none_or(|lease| lease.expires_at != expires_at) {
        return Err(not_possible(job, "an expiry", Some("the lease was renewed meanwhile")));
    }
    if now < expires_at {
        return Err(not_possible(job, "an expiry", Some("the lease still runs")));
    }
    Ok(reap(job, run, format!("the lease of factory `{}` expired", run.factory), now))
}

/// The reaper takes a job back whose holder renews but never starts.
pub(super) fn never_started(job: &Job, run: Option<&Run>, epoch: u64, now: Timestamp) -> Result<Step, Refusal> {
    let run = held_run(job, run, epoch)?;
    if job.stage != Stage::Assigned {
        return Err(not_possible(job, "an end for want of a start", Some("the start was reported")));
    }
    Ok(reap(job, run, format!("factory `{}` did not report a start in time", run.factory), now))
}

fn reap(job: &Job, run: &Run, message: String, now: Timestamp) -> Step {
    let mut change = Change::begin(job, COORDINATOR, now);
    change.raise_epoch();
    let end = End { result: JobResult::LeaseExpired, message: Some(message), lease: LeaseStatus::Expired };
    finish::hand_back(&mut change, run.clone(), end);
    change.done()
}
