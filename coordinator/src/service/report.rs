//! What the holder of a job says: reports, renewals, its release. Every word carries the lease's epoch.

use fleet_protocol::{
    ErrorCode, Job, JobId, Problem,
    api::{PatchJob, ReleaseRequest, RenewManyAnswer, RenewManyRequest, RenewRequest, Renewed, RenewedLease},
    lease::Directive,
    secret::Mask,
};
use jiff::Timestamp;
use serde_json::json;

use super::{Failure, Service, caller::Caller, change::Origin};
use crate::{
    lifecycle::{self, Input},
    store::{CommitError, Extension},
};

/// Times that a renewal is decided anew.
const TRIES: u32 = 100;

impl Service {
    /// Start, progress, checkpoint, end.
    pub(crate) async fn patch(&self, caller: &Caller, id: &JobId, patch: PatchJob) -> Result<Box<Job>, Failure> {
        let epoch = patch.lease_epoch;
        // The sender has done so too, with the values that only it knows; or it has not.
        let patch = Box::new(patch.masked(&Mask::default()));
        self.change(caller, id, Origin::holder(epoch), |snapshot, now| {
            // Where no factory's name comes with the call, the epoch alone proves who it is.
            let holder = caller.factory().or(holder(&snapshot.job)).unwrap_or_default().to_owned();
            let input = Input::Patch { factory: holder, patch: patch.clone() };
            let step = lifecycle::step(&snapshot.job, snapshot.run.as_ref(), &input, now)?;
            // After the step, for a holder that was fenced off is to hear of that first.
            check_rev(patch.expect_rev, &snapshot.job)?;
            Ok(step)
        })
        .await
    }

    /// The holder hands the job back.
    pub(crate) async fn release(
        &self,
        caller: &Caller,
        id: &JobId,
        request: ReleaseRequest,
    ) -> Result<Box<Job>, Failure> {
        let epoch = request.lease_epoch;
        let input = Input::Release { request: Box::new(request.masked(&Mask::default())) };
        self.change(caller, id, Origin::holder(epoch), |snapshot, now| {
            let step = lifecycle::step(&snapshot.job, snapshot.run.as_ref(), &input, now)?;
            check_holder(caller, &snapshot.job)?;
            Ok(step)
        })
        .await
    }

    /// The reaper takes the job back.
    pub(crate) async fn reap(&self, job: &Job, input: Input) -> Result<Box<Job>, Failure> {
        let caller = Caller { product: job.product.clone(), actor: "coordinator".to_owned(), repeat: None };
        self.change(&caller, &job.id, Origin::REAPER, |snapshot, now| {
            lifecycle::step(&snapshot.job, snapshot.run.as_ref(), &input, now)
        })
        .await
    }

    /// The holder is still there. Saying so twice does no harm, so no answer is remembered.
    pub(crate) async fn renew(&self, caller: &Caller, id: &JobId, request: RenewRequest) -> Result<Renewed, Failure> {
        let ttl = self.options.lease_ttl;
        let input = Input::Renew { lease_epoch: request.lease_epoch, ttl };
        for _ in 0..TRIES {
            let job = Box::new(self.load(&caller.product, id)?.job);
            let now = self.now();
            let (directive, extension) = match prolong(caller, &job, &input, now) {
                Ok(renewed) => renewed,
                Err(problem) => {
                    self.note_refusal(caller, &job, Some(request.lease_epoch), now).await?;
                    return Err(problem.into());
                }
            };
            match self.store.lease_extend(extension).await {
                Ok(()) => return Ok(Renewed { ttl_ms: ttl.millis(), directive }),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::new(ErrorCode::Conflict, "the job is changed by others all the time; try again").into())
    }

    /// Many renewals at once: judged one by one, written together.
    pub(crate) async fn renew_many(
        &self,
        caller: &Caller,
        request: RenewManyRequest,
    ) -> Result<RenewManyAnswer, Failure> {
        let renewals = request.leases.into_iter().map(|lease| async move {
            let outcome = self.renew(caller, &lease.job_id, RenewRequest { lease_epoch: lease.lease_epoch }).await;
            let (ttl_ms, directive, error) = match outcome {
                Ok(renewed) => (Some(renewed.ttl_ms), Some(renewed.directive), None),
                Err(Failure::Problem(problem)) => (None, None, Some(problem)),
                Err(Failure::Answered) => unreachable!("a renewal is never remembered"),
            };
            RenewedLease { job_id: lease.job_id, ttl_ms, directive, error }
        });
        Ok(RenewManyAnswer { leases: futures_util::future::join_all(renewals).await })
    }
}

/// The renewed lease of a job, and what its holder is told with it.
fn prolong(caller: &Caller, job: &Job, input: &Input, now: Timestamp) -> Result<(Directive, Extension), Problem> {
    let renewed = lifecycle::step(job, None, input, now)?.job;
    check_holder(caller, job)?;
    match (&job.lease, &renewed.lease) {
        (Some(seen), Some(lease)) => Ok((
            lifecycle::directive(&renewed),
            Extension {
                product: job.product.clone(),
                id: job.id.clone(),
                rev: job.rev,
                seen: seen.expires_at,
                expires_at: lease.expires_at,
            },
        )),
        _ => Err(Problem::new(ErrorCode::InvalidTransition, "no factory holds the job")),
    }
}

/// The factory that holds the job, or held it last.
fn holder(job: &Job) -> Option<&str> {
    job.lease.as_ref().map(|lease| lease.holder_factory_id.as_str())
}

/// Refuses what was decided on a job that has changed since.
pub(super) fn check_rev(expected: Option<u64>, job: &Job) -> Result<(), Problem> {
    if expected.is_none_or(|rev| rev == job.rev) {
        return Ok(());
    }
    let message = format!("the job changed meanwhile: it is {} now, at rev {}", job.stage, job.rev);
    Err(Problem::new(ErrorCode::Conflict, message)
        .with(json!({ "rev": job.rev, "stage": job.stage, "actions": job.actions })))
}

/// Refuses a factory that speaks with another's epoch.
pub(super) fn check_holder(caller: &Caller, job: &Job) -> Result<(), Problem> {
    match (caller.factory(), holder(job)) {
        (Some(factory), Some(holder)) if factory != holder => {
            Err(Problem::new(ErrorCode::Fenced, format!("factory `{factory}` does not hold this job"))
                .with(json!({ "currentEpoch": job.lease_epoch, "stage": job.stage })))
        }
        _ => Ok(()),
    }
}
