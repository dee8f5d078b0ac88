//! What only time moves: leases that ran out, starts that never came, dependants that were not told, output that is old.
//!
//! Running it twice, or in two processes at once, changes nothing the second time: each step is decided on what stands
//! in the store at that moment.

use std::sync::Arc;

use fleet_protocol::{ErrorCode, Job, lease::LeaseStatus};
use jiff::{Timestamp, ToSpan};

use crate::{
    lifecycle::Input,
    service::{Failure, Grace, Service},
    store::Cursor,
};

/// Blocked jobs that one tick looks at; the next one goes on from there.
const BLOCKED: u32 = 100;
/// Jobs whose output one tick lets go of.
const EXPIRED: u32 = 50;

/// One round. A failure is reported and does not keep the rest from being done.
pub(crate) async fn tick(service: &Arc<Service>) {
    let now = service.now();
    for outcome in
        [reap(service, now).await, unblock(service).await, forget(service, now).await, expire(service, now).await]
    {
        if let Err(failure) = outcome {
            tracing::warn!(?failure, "a part of the maintenance failed; the next tick tries again");
        }
    }
}

/// Takes jobs back whose holder went silent, or never started.
async fn reap(service: &Service, now: Timestamp) -> Result<(), Failure> {
    let uptime = millis(service.started_at, now);
    let may_expire = service.options.grace == Grace::None || uptime >= i128::from(service.options.lease_ttl.millis());
    for (job, claimed_at) in service.store.held_list(None)? {
        let Some(input) = overdue(service, &job, claimed_at, now).filter(|_| may_expire) else { continue };
        match service.reap(&job, input).await {
            Ok(_) => {
                let Job { id, runs, factory, lease_epoch, .. } = &job;
                tracing::info!(job = %id, run = runs, factory, epoch = lease_epoch, "taken back from its holder");
            }
            // It renewed, started or finished between the look and the leap.
            Err(Failure::Problem(problem))
                if matches!(problem.code, ErrorCode::InvalidTransition | ErrorCode::Fenced) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

fn overdue(service: &Service, job: &Job, claimed_at: Timestamp, now: Timestamp) -> Option<Input> {
    let lease = job.lease.as_ref().filter(|lease| lease.status == LeaseStatus::Active)?;
    if now >= lease.expires_at {
        return Some(Input::Expire { lease_epoch: lease.lease_epoch, expires_at: lease.expires_at });
    }
    let never_started = job.stage == fleet_protocol::Stage::Assigned
        && millis(claimed_at, now) > i128::from(service.options.start_limit.millis());
    never_started.then_some(Input::NeverStarted { lease_epoch: lease.lease_epoch })
}

/// Tells blocked jobs how their dependencies stand, should a process have died between a change and its telling.
async fn unblock(service: &Service) -> Result<(), Failure> {
    let mut outcome = Ok(Vec::new());
    service.blocked_from(|from| {
        outcome = service.store.blocked_page(from, BLOCKED);
        match outcome.as_deref() {
            Ok([.., last]) => last.place,
            Ok([]) | Err(_) => Cursor::START,
        }
    });
    for candidate in outcome? {
        service.settle(&candidate.job.product, &candidate.job.id).await?;
    }
    Ok(())
}

/// Forgets answers that nobody will ask for again.
async fn forget(service: &Service, now: Timestamp) -> Result<(), Failure> {
    let before = now.checked_sub(24.hours()).unwrap_or(Timestamp::MIN);
    Ok(service.store.answers_prune(before).await?)
}

/// Lets go of the output of jobs that finished long ago, some at a time.
async fn expire(service: &Arc<Service>, now: Timestamp) -> Result<(), Failure> {
    let retention = service.options.retention;
    let old = service.store.expirable_older(retention.cutoff(now), EXPIRED)?;
    let beyond = match retention.max_jobs {
        Some(most) => service.store.expirable_beyond(most.get(), EXPIRED)?,
        None => Vec::new(),
    };
    let newer = retention.max_jobs.map_or(0, std::num::NonZeroU32::get);
    let found = old.iter().map(|job| (job, 0)).chain(beyond.iter().map(|job| (job, newer)));
    for (job, _) in found.filter(|(job, newer)| retention.lets_go(job, *newer, now)) {
        service.let_go_of_logs(job, now).await?;
        tracing::info!(job = %job.id, "its logs were let go; its history and result stay");
    }
    Ok(())
}

fn millis(from: Timestamp, to: Timestamp) -> i128 {
    i128::from(to.as_millisecond()) - i128::from(from.as_millisecond())
}
