//! The leases this worker holds, renewed in one call, and what each renewal says to do.
//!
//! A lease is trusted for its time from the moment the last good renewal was *sent*, on this machine's monotonic clock.
//! Once that window closes the run is treated as lost, whatever the coordinator may think.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fleet_protocol::{
    ErrorCode, Job, JobId, Problem,
    api::{LeaseName, RenewManyRequest, RenewedLease},
    lease::{Directive, LeaseGrant},
};
use tokio::sync::watch;

use crate::client::Client;

/// How a lease stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// Ours; do this.
    Held(Directive),
    /// Not ours any more; nothing may be reported for it.
    Lost(String),
}

struct Held {
    epoch: u64,
    window: Duration,
    sent: Instant,
    standing: watch::Sender<Standing>,
}

/// Every lease of this worker.
#[derive(Clone)]
pub(crate) struct Leases {
    client: Client,
    held: Arc<Mutex<HashMap<JobId, Held>>>,
}

/// One lease of a run; let go when dropped.
pub(crate) struct Lease {
    leases: Leases,
    job: JobId,
    epoch: u64,
    standing: watch::Receiver<Standing>,
}

impl Leases {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, held: Arc::default() }
    }

    /// Takes a granted lease into the renewals. `sent` is when its claim was sent.
    pub(crate) fn hold(&self, job: &JobId, grant: LeaseGrant, sent: Instant) -> Lease {
        let (standing, receiver) = watch::channel(Standing::Held(Directive::Continue));
        let held = Held { epoch: grant.epoch, window: Duration::from_millis(grant.ttl_ms), sent, standing };
        if let Some(before) = self.lock().insert(job.clone(), held) {
            // From now on only the new one is looked at, so this is its last chance to hear of it.
            before.set(Standing::Lost("the job was claimed anew".to_owned()));
        }
        Lease { leases: self.clone(), job: job.clone(), epoch: grant.epoch, standing: receiver }
    }

    /// Takes over a lease that an earlier worker of this factory held, with the epoch that it has. None when it is lost.
    pub(crate) async fn take_over(&self, job: &JobId, epoch: u64) -> Result<Option<Lease>, Problem> {
        let sent = Instant::now();
        let name = LeaseName { job_id: job.clone(), lease_epoch: epoch };
        let answer = self.client.renew(&RenewManyRequest { leases: vec![name] }).await?;
        let Some(renewed) = answer.leases.into_iter().next() else { return Ok(None) };
        match renewed.error.clone() {
            Some(problem) if is_passing(&problem) => Err(problem),
            Some(_) => Ok(None),
            None => {
                let lease = self.hold(job, LeaseGrant { epoch, ttl_ms: renewed.ttl_ms.unwrap_or(0) }, sent);
                // What it says to do is to be done now.
                self.take(renewed, sent);
                Ok(Some(lease))
            }
        }
    }

    /// Renews all of them in one call. Called every third of a lease's time.
    pub(crate) async fn renew(&self) {
        let names: Vec<LeaseName> =
            self.lock().iter().map(|(job, held)| LeaseName { job_id: job.clone(), lease_epoch: held.epoch }).collect();
        if names.is_empty() {
            return;
        }
        let sent = Instant::now();
        match self.client.renew(&RenewManyRequest { leases: names }).await {
            Ok(answer) => answer.leases.into_iter().for_each(|one| self.take(one, sent)),
            Err(problem) => self.missed(&problem, Instant::now()),
        }
    }

    /// Looks at the jobs themselves: an operator's act on one is then seen at once, not with the next renewal.
    pub(crate) async fn look(&self) {
        let names: Vec<(JobId, u64)> = self.lock().iter().map(|(job, held)| (job.clone(), held.epoch)).collect();
        for (id, epoch) in names {
            let Ok(job) = self.client.job(&id).await else { continue };
            let standing = if job.lease_epoch == epoch {
                Standing::Held(asked_of(&job))
            } else {
                Standing::Lost(format!("the job is {} now", job.stage))
            };
            if let Some(held) = self.lock().get(&id).filter(|held| held.epoch == epoch) {
                held.set(standing);
            }
        }
    }

    fn take(&self, renewed: RenewedLease, sent: Instant) {
        let mut held = self.lock();
        let Some(lease) = held.get_mut(&renewed.job_id) else { return };
        match renewed.error {
            // The store is full, away or busy: that says nothing about whose the lease is.
            Some(problem) if is_passing(&problem) => lease.missed(&renewed.job_id, Instant::now()),
            Some(problem) => lease.set(Standing::Lost(problem.message)),
            None => {
                lease.sent = sent;
                lease.window = renewed.ttl_ms.map_or(lease.window, Duration::from_millis);
                lease.set(Standing::Held(renewed.directive.unwrap_or(Directive::Continue)));
            }
        }
    }

    /// The coordinator did not answer: runs go on inside their window, and end when it closes.
    fn missed(&self, problem: &Problem, now: Instant) {
        tracing::warn!(error = %problem, "leases could not be renewed");
        for (job, lease) in self.lock().iter() {
            lease.missed(job, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A renewal did not succeed: the lease is lost once its window has closed.
    fn missed(&self, job: &JobId, now: Instant) {
        if now.duration_since(self.sent) >= self.window {
            tracing::warn!(job.id = %job, "the lease's window closed unrenewed");
            self.set(Standing::Lost("the coordinator could not renew it for a lease's length".to_owned()));
        }
    }

    /// Tells the run how its lease stands, if that is news.
    fn set(&self, next: Standing) {
        self.standing.send_if_modified(|standing| {
            let differs = *standing != next;
            *standing = next;
            differs
        });
    }
}

/// Whether a call that was refused like this may succeed a little later.
pub(super) const fn is_passing(problem: &Problem) -> bool {
    matches!(problem.code, ErrorCode::Unavailable | ErrorCode::RateLimited | ErrorCode::Conflict)
}

/// What an operator wants of a running job.
const fn asked_of(job: &Job) -> Directive {
    match (job.paused, job.resumed) {
        (true, _) => Directive::Pause,
        (false, true) => Directive::Resume,
        (false, false) => Directive::Continue,
    }
}

impl Lease {
    /// The number that every report carries.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How the lease stands, as a level to wait on.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Whether reports for it are still ours to make.
    pub(crate) fn is_held(&self) -> bool {
        matches!(*self.standing.borrow(), Standing::Held(_))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.lock();
        if held.get(&self.job).is_some_and(|lease| lease.epoch == self.epoch) {
            held.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use fleet_protocol::api::RenewManyAnswer;

    fn leases(router: Router) -> Leases {
        Leases::new(Client::embedded(router, "default", "factory:local"))
    }

    /// A coordinator that refuses every renewal like this.
    fn refusing(code: ErrorCode) -> Router {
        let answer = move |axum::Json(asked): axum::Json<RenewManyRequest>| async move {
            let refused = |lease: LeaseName| RenewedLease {
                job_id: lease.job_id,
                ttl_ms: None,
                directive: None,
                error: Some(Problem::new(code, "no")),
            };
            axum::Json(RenewManyAnswer { leases: asked.leases.into_iter().map(refused).collect() })
        };
        Router::new().route(fleet_protocol::route::LEASES_RENEW, axum::routing::post(answer))
    }

    #[tokio::test]
    async fn a_store_that_cannot_renew_loses_a_lease_only_when_its_window_closes() {
        let job = JobId::from_random(1);
        for (code, ttl_ms, is_held) in [
            (ErrorCode::RateLimited, 90_000, true),
            (ErrorCode::Unavailable, 90_000, true),
            (ErrorCode::RateLimited, 0, false),
            (ErrorCode::Unavailable, 0, false),
            (ErrorCode::Fenced, 90_000, false),
        ] {
            let leases = leases(refusing(code));
            let lease = leases.hold(&job, LeaseGrant { epoch: 1, ttl_ms }, Instant::now());
            leases.renew().await;
            assert_eq!(lease.is_held(), is_held, "{code:?}, {ttl_ms}");
        }
    }

    fn grant(epoch: u64) -> LeaseGrant {
        LeaseGrant { epoch, ttl_ms: 90_000 }
    }

    #[test]
    fn a_run_whose_job_is_claimed_anew_hears_that_it_lost_it() {
        let (leases, job) = (leases(Router::new()), JobId::from_random(1));
        let first = leases.hold(&job, grant(1), Instant::now());
        let mut standing = first.standing();
        let second = leases.hold(&job, grant(2), Instant::now());
        assert!(futures_util::FutureExt::now_or_never(standing.changed()).is_some_and(|told| told.is_ok()));
        assert!(!first.is_held() && second.is_held());
        drop(first);
        assert!(leases.lock().contains_key(&job), "the end of the first run does not let go of the second one's lease");
    }
}
