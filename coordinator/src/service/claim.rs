//! Giving out jobs. A claim waits until there is one; who loses a race for one gets the next.

use std::sync::PoisonError;
use std::time::Duration;

use fleet_protocol::{
    ErrorCode, Job, Problem, Run,
    api::{ClaimRequest, Claimed, EmptyReason},
    lease::LeaseGrant,
    profile,
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Failure, Service,
    caller::{Caller, key_misused},
    core::shown,
    fingerprint::fingerprint,
    search::Search,
};
use crate::{
    lifecycle::{self, Input},
    store::{Commit, CommitError, Offer, StoreError, Urgency},
};

/// The longest that a claim, or a look at the queue's version, waits.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often a claim looks at the clock while a delayed job is all there is. A test's clock may jump.
const DELAYED: Duration = Duration::from_secs(1);

/// What a claim brought.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClaimOutcome {
    Granted(Box<Claimed>),
    Nothing(EmptyReason),
}

/// What one look at the queue brought.
enum Attempt {
    Done(ClaimOutcome),
    /// Somebody was faster with the same key: look for what it brought.
    Again,
}

impl Service {
    /// Gives out a job, waiting for one if asked to.
    pub(crate) async fn claim(&self, caller: &Caller, request: &ClaimRequest) -> Result<ClaimOutcome, Failure> {
        check(request)?;
        if !request.dry_run {
            self.keep_offer(caller, request).await?;
        }
        let until = Instant::now() + Duration::from_millis(request.wait_ms).min(LONGEST_WAIT);
        loop {
            // Read before looking: what changes while we look wakes us at once.
            let version = self.store.version()?;
            let reason = match self.claim_now(caller, request).await? {
                Attempt::Done(ClaimOutcome::Nothing(reason)) => reason,
                Attempt::Done(granted) => return Ok(granted),
                Attempt::Again => continue,
            };
            if Instant::now() >= until {
                return Ok(ClaimOutcome::Nothing(reason));
            }
            self.store.version_above(version, self.look_again(caller, until)?).await?;
        }
    }

    /// When to look again even if nothing changes.
    fn look_again(&self, caller: &Caller, until: Instant) -> Result<Instant, StoreError> {
        let now = self.now();
        let Some(due) = self.store.next_due(&caller.product, now)? else { return Ok(until) };
        let ahead = Duration::try_from(now.until(due).unwrap_or_default()).unwrap_or_default();
        Ok(until.min(Instant::now() + ahead.min(DELAYED)))
    }

    async fn claim_now(&self, caller: &Caller, request: &ClaimRequest) -> Result<Attempt, Failure> {
        if let Some(claimed) = self.granted_before(caller, request)? {
            return Ok(Attempt::Done(ClaimOutcome::Granted(Box::new(claimed))));
        }
        let request = self.as_it_stands(caller, request)?;
        let now = self.now();
        let mut search = Search::new(self, &caller.product, &request, now, Some(&self.in_flight))?;
        let mut outcome = self.take_first(caller, &request, &mut search, now).await?;
        if outcome.is_none() && search.left_some {
            // Those to whom jobs were left may have failed to take them.
            search = Search::new(self, &caller.product, &request, now, None)?;
            outcome = self.take_first(caller, &request, &mut search, now).await?;
        }
        match outcome {
            Some(attempt) => Ok(attempt),
            None => Ok(Attempt::Done(ClaimOutcome::Nothing(search.reason()?))),
        }
    }

    /// Takes the first job of the search that nobody else takes.
    async fn take_first(
        &self,
        caller: &Caller,
        request: &ClaimRequest,
        search: &mut Search<'_>,
        now: Timestamp,
    ) -> Result<Option<Attempt>, Failure> {
        while let Some(found) = search.next()? {
            let job = Box::new(shown(found));
            let Some(grant) = self.grant(caller, request, &job, now) else { continue };
            let run = grant.run.clone().map(Box::new);
            if request.dry_run {
                return Ok(Some(Attempt::Done(self.granted(Box::new(grant.job), run)?)));
            }
            let reserved = self.in_flight.reserve(&job.id);
            let committed = self.store.job_commit(grant).await;
            drop(reserved);
            match committed {
                Ok(job) => return Ok(Some(Attempt::Done(self.granted(shown(job), run)?))),
                Err(CommitError::Conflict | CommitError::LockTaken) => {}
                Err(CommitError::NoSeat) => {
                    return Ok(Some(Attempt::Done(ClaimOutcome::Nothing(EmptyReason::NoSeat))));
                }
                Err(CommitError::ClaimTaken) => return Ok(Some(Attempt::Again)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The change that gives the job to the factory; none when it is no longer to be had.
    fn grant(&self, caller: &Caller, request: &ClaimRequest, job: &Job, now: Timestamp) -> Option<Box<Commit>> {
        let input = Input::Claim { factory: request.factory_id.clone(), ttl: self.options.lease_ttl };
        let step = lifecycle::step(job, None, &input, now).ok()?;
        let mut commit = Commit::of(job, step, now);
        commit.urgency = Urgency::Claim;
        if let Some(grant) = &mut commit.lease.granted {
            grant.seats = Some(request.seats);
            grant.asked = caller.repeat.as_ref().map(|repeat| (repeat.key.clone(), asked(request)));
        }
        Some(commit)
    }

    /// What this very claim was granted before, if its answer got lost and its lease lives.
    fn granted_before(&self, caller: &Caller, request: &ClaimRequest) -> Result<Option<Claimed>, Failure> {
        let Some(repeat) = &caller.repeat else { return Ok(None) };
        let Some((job, before)) = self.store.grant_load(&caller.product, &repeat.key)? else { return Ok(None) };
        if before != asked(request) {
            return Err(key_misused(&repeat.key).into());
        }
        let run = self.load(&caller.product, &job.id)?.run.map(Box::new);
        match self.granted(Box::new(shown(job)), run)? {
            ClaimOutcome::Granted(mut claimed) => {
                let expires_at = claimed.job.lease.as_ref().map(|lease| lease.expires_at);
                let left = expires_at.map_or(0, |at| at.as_millisecond() - self.now().as_millisecond());
                claimed.lease.ttl_ms = u64::try_from(left).unwrap_or(0);
                Ok(Some(*claimed))
            }
            ClaimOutcome::Nothing(_) => Ok(None),
        }
    }

    /// The request with what the factory cannot know: locks that are taken elsewhere, seats that are taken already.
    fn as_it_stands(&self, caller: &Caller, request: &ClaimRequest) -> Result<ClaimRequest, StoreError> {
        let mut request = request.clone();
        let taken = self.store.seats_taken(&caller.product, &request.factory_id)?;
        request.seats_free = request.seats_free.min(request.seats.saturating_sub(taken));
        request.busy_locks.extend(self.store.locks_list(&caller.product)?);
        Ok(request)
    }

    fn granted(&self, job: Box<Job>, run: Option<Box<Run>>) -> Result<ClaimOutcome, Failure> {
        let run = run.ok_or_else(|| Problem::new(ErrorCode::Unavailable, format!("job `{}` has no run", job.id)))?;
        let (_, body) = self.store.texts_load(&job.product, &job.id)?.unwrap_or_default();
        let mut earlier = if run.number > 1 { self.store.runs_list(&job.product, &job.id)? } else { Vec::new() };
        earlier.retain(|other| other.number < run.number);
        Ok(ClaimOutcome::Granted(Box::new(Claimed {
            lease: LeaseGrant { epoch: job.lease_epoch, ttl_ms: self.options.lease_ttl.millis() },
            manifest: job.manifest.clone(),
            body,
            persona: self.persona(&job)?,
            checkpoint: job.checkpoint.clone(),
            earlier,
            run: *run,
            job: *job,
        })))
    }

    /// What the job's version of its profile puts before the body.
    fn persona(&self, job: &Job) -> Result<Option<String>, Failure> {
        let Some(named) = &job.profile else { return Ok(None) };
        let Some(text) = self.store.profile_load(&named.name, &named.version)? else { return Ok(None) };
        match profile::parse(&text, &named.name) {
            Ok(profile) => Ok(Some(profile.persona).filter(|persona| !persona.trim().is_empty())),
            Err(mistakes) => {
                let message =
                    format!("profile `{}` of version {} cannot be read: {mistakes}", named.name, named.version);
                Err(Problem::new(ErrorCode::Unavailable, message).into())
            }
        }
    }

    /// Remembers what a factory offers, for `explain`; written only when it is something new.
    async fn keep_offer(&self, caller: &Caller, request: &ClaimRequest) -> Result<(), Failure> {
        let claim = lasting(request);
        let name = (caller.product.clone(), claim.factory_id.clone());
        if self.offers.lock().unwrap_or_else(PoisonError::into_inner).get(&name) == Some(&claim) {
            return Ok(());
        }
        if !self.store.offers_list(&caller.product)?.contains(&claim) {
            let offer = Offer { product: caller.product.clone(), claim: claim.clone(), at: self.now() };
            self.store.offer_put(offer).await?;
        }
        self.offers.lock().unwrap_or_else(PoisonError::into_inner).insert(name, claim);
        Ok(())
    }
}

fn check(request: &ClaimRequest) -> Result<(), Problem> {
    let name = &request.factory_id;
    let fit = !name.trim().is_empty() && name.len() <= 200 && !name.contains(char::is_control);
    if fit { Ok(()) } else { Err(Problem::new(ErrorCode::InvalidRequest, "`factoryId` is empty, too long or no text")) }
}

/// What of a claim does not change from one claim to the next.
fn lasting(request: &ClaimRequest) -> ClaimRequest {
    ClaimRequest {
        seats_free: request.seats,
        load: 0.0,
        wait_ms: 0,
        dry_run: false,
        busy_locks: Vec::new(),
        ..request.clone()
    }
}

/// What a claim asks for; a repeat asks for the same, though its factory may be busier by then.
fn asked(request: &ClaimRequest) -> String {
    #[derive(Serialize)]
    struct Asked<'a> {
        factory: &'a str,
        capabilities: &'a [String],
        engines: &'a [String],
        tags: &'a [String],
    }
    let asked = Asked {
        factory: &request.factory_id,
        capabilities: &request.capabilities,
        engines: &request.engines,
        tags: &request.tags,
    };
    fingerprint(&serde_json::to_vec(&asked).expect("texts are JSON"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Options, SystemClock,
        logs::Logs,
        service::{Submitted, TaskText},
        store::{Place, Store},
    };

    /// Whoever a job was left to may fail to take it; it is nobody's then, and must not be missed.
    #[tokio::test]
    async fn a_job_in_flight_is_left_to_others_only_while_there_are_more() {
        let store = Store::open(Place::memory()).unwrap();
        let random = std::sync::atomic::AtomicU64::new(1);
        let randomness = Arc::new(move || random.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let logs = Logs::new(std::path::PathBuf::new());
        let service = Service::new(store, logs, Options::default(), Arc::new(SystemClock), randomness);
        let caller = Caller { product: "p".to_owned(), actor: "operator:ann".to_owned(), repeat: None };
        let mut ids = Vec::new();
        for _ in 0..2 {
            let text = TaskText::Markdown("x".to_owned());
            let submitted = service.submit(&caller, &text, &fleet_protocol::api::SubmitQuery::default()).await;
            let Ok(Submitted::New(job)) = submitted else { panic!("{submitted:?}") };
            ids.push(job.id);
        }
        let request = serde_json::from_str(r#"{"factoryId": "f", "seats": 9, "seatsFree": 9}"#).unwrap();
        let _reserved = service.in_flight.reserve(&ids[0]).unwrap();
        for expected in [&ids[1], &ids[0]] {
            let outcome = service.claim(&caller, &request).await.unwrap();
            let ClaimOutcome::Granted(claimed) = outcome else { panic!("{outcome:?}") };
            assert_eq!(claimed.job.id, *expected);
        }
    }
}
