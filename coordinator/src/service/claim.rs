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
    search::{Found, Reserved, Search},
};
use crate::{
    lifecycle::{self, Input},
    store::{Commit, CommitError, Look, Offer, StoreError, Urgency},
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
enum Plan<'a> {
    /// The answer stands already: a repeat, a dry run, or that there is nothing.
    Done(ClaimOutcome),
    Take {
        commit: Box<Commit>,
        reserved: Option<Reserved<'a>>,
        brief: Brief,
    },
}

/// What of an answer is not the job itself.
#[derive(Default)]
struct Brief {
    body: String,
    persona: Option<String>,
    /// Runs before this one.
    earlier: Vec<Run>,
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
            let (version, reason) = match self.claim_now(caller, request).await? {
                (version, ClaimOutcome::Nothing(reason)) => (version, reason),
                (_, granted) => return Ok(granted),
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

    /// Claims until there is an answer; with it the queue's version at the last look. What changes after that look is
    /// of a higher version.
    async fn claim_now(&self, caller: &Caller, request: &ClaimRequest) -> Result<(u64, ClaimOutcome), Failure> {
        loop {
            let (version, plan) = self.store.look(|look| {
                let version = look.version()?;
                self.plan_claim(look, caller, request).map(|plan| (version, plan))
            })?;
            let (commit, reserved, brief) = match plan {
                Plan::Done(outcome) => return Ok((version, outcome)),
                Plan::Take { commit, reserved, brief } => (commit, reserved, brief),
            };
            let run = commit.run.clone();
            let committed = self.store.job_commit(commit).await;
            drop(reserved);
            match committed {
                Ok(job) => return Ok((version, self.granted(shown(job), run, brief)?)),
                // Somebody was faster, with the job, with its lock, or with the same claim: look what stands now.
                Err(CommitError::Conflict | CommitError::LockTaken | CommitError::ClaimTaken) => {}
                Err(CommitError::NoSeat) => return Ok((version, ClaimOutcome::Nothing(EmptyReason::NoSeat))),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Everything that is read for a claim, at one moment.
    fn plan_claim(&self, look: Look<'_>, caller: &Caller, request: &ClaimRequest) -> Result<Plan<'_>, Failure> {
        if let Some(claimed) = self.granted_before(look, caller, request)? {
            return Ok(Plan::Done(ClaimOutcome::Granted(Box::new(claimed))));
        }
        let request = as_it_stands(look, caller, request)?;
        let now = self.now();
        let search = Search { look, product: &caller.product, request: &request, now, in_flight: &self.in_flight };
        let Found { job, reserved } = match search.first()? {
            Ok(found) => found,
            Err(reason) => return Ok(Plan::Done(ClaimOutcome::Nothing(reason))),
        };
        let commit = self.grant(caller, &request, &job, now)?;
        let brief = brief(look, &commit.job)?;
        if request.dry_run {
            let Commit { job, run, .. } = *commit;
            return Ok(Plan::Done(self.granted(Box::new(job), run, brief)?));
        }
        Ok(Plan::Take { commit, reserved, brief })
    }

    /// The change that gives the job to the factory.
    fn grant(
        &self,
        caller: &Caller,
        request: &ClaimRequest,
        job: &Job,
        now: Timestamp,
    ) -> Result<Box<Commit>, Problem> {
        let input = Input::Claim { factory: request.factory_id.clone(), ttl: self.options.lease_ttl };
        let step = lifecycle::step(job, None, &input, now)?;
        let mut commit = Commit::of(job, step, now);
        commit.urgency = Urgency::Claim;
        if let Some(grant) = &mut commit.lease.granted {
            grant.seats = Some(request.seats);
            grant.asked = caller.repeat.as_ref().map(|repeat| (repeat.key.clone(), asked(request)));
        }
        Ok(commit)
    }

    /// What this very claim was granted before, if its answer got lost and its lease lives.
    fn granted_before(
        &self,
        look: Look<'_>,
        caller: &Caller,
        request: &ClaimRequest,
    ) -> Result<Option<Claimed>, Failure> {
        let Some(repeat) = &caller.repeat else { return Ok(None) };
        let Some((job, before)) = look.granted(&caller.product, &repeat.key)? else { return Ok(None) };
        if before != asked(request) {
            return Err(key_misused(&repeat.key).into());
        }
        let run = look.job(&caller.product, &job.id)?.and_then(|snapshot| snapshot.run);
        let brief = brief(look, &job)?;
        match self.granted(Box::new(shown(job)), run, brief)? {
            ClaimOutcome::Granted(mut claimed) => {
                let expires_at = claimed.job.lease.as_ref().map(|lease| lease.expires_at);
                let left = expires_at.map_or(0, |at| at.as_millisecond() - self.now().as_millisecond());
                claimed.lease.ttl_ms = u64::try_from(left).unwrap_or(0);
                Ok(Some(*claimed))
            }
            ClaimOutcome::Nothing(_) => Ok(None),
        }
    }

    fn granted(&self, job: Box<Job>, run: Option<Run>, brief: Brief) -> Result<ClaimOutcome, Failure> {
        let run = run.ok_or_else(|| Problem::new(ErrorCode::Unavailable, format!("job `{}` has no run", job.id)))?;
        Ok(ClaimOutcome::Granted(Box::new(Claimed {
            lease: LeaseGrant { epoch: job.lease_epoch, ttl_ms: self.options.lease_ttl.millis() },
            manifest: job.manifest.clone(),
            body: brief.body,
            persona: brief.persona,
            checkpoint: job.checkpoint.clone(),
            earlier: brief.earlier,
            run,
            job: *job,
        })))
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

/// The request with what the factory cannot know: locks that are taken elsewhere, seats that are taken already.
fn as_it_stands(look: Look<'_>, caller: &Caller, request: &ClaimRequest) -> Result<ClaimRequest, StoreError> {
    let mut request = request.clone();
    let taken = look.seats_taken(&caller.product, &request.factory_id)?;
    request.seats_free = request.seats_free.min(request.seats.saturating_sub(taken));
    request.busy_locks.extend(look.locks(&caller.product)?);
    Ok(request)
}

/// What the holder of a job, as it will be, is told besides the job.
fn brief(look: Look<'_>, job: &Job) -> Result<Brief, Failure> {
    let (_, body) = look.texts(&job.product, &job.id)?.unwrap_or_default();
    let mut earlier = if job.runs > 1 { look.runs(&job.product, &job.id)? } else { Vec::new() };
    earlier.retain(|run| run.number < job.runs);
    Ok(Brief { body, persona: persona(look, job)?, earlier })
}

/// What the job's version of its profile puts before the body.
fn persona(look: Look<'_>, job: &Job) -> Result<Option<String>, Failure> {
    let Some(named) = &job.profile else { return Ok(None) };
    let Some(text) = look.profile(&named.name, &named.version)? else { return Ok(None) };
    match profile::parse(&text, &named.name) {
        Ok(profile) => Ok(Some(profile.persona).filter(|persona| !persona.trim().is_empty())),
        Err(mistakes) => {
            let message = format!("profile `{}` of version {} cannot be read: {mistakes}", named.name, named.version);
            Err(Problem::new(ErrorCode::Unavailable, message).into())
        }
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

    fn first_place(service: &Service) -> crate::store::Cursor {
        let place = service.store.look(|look| {
            let lanes = look.lanes("p", fleet_protocol::manifest::Priority::Medium, service.now())?;
            look.places("p", &lanes[0], (crate::store::Cursor::START, 1))
        });
        let places: Result<_, StoreError> = place;
        places.unwrap()[0]
    }

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
        let _reserved = service.in_flight.reserve(first_place(&service)).unwrap();
        for expected in [&ids[1], &ids[0]] {
            let outcome = service.claim(&caller, &request).await.unwrap();
            let ClaimOutcome::Granted(claimed) = outcome else { panic!("{outcome:?}") };
            assert_eq!(claimed.job.id, *expected);
        }
    }
}
