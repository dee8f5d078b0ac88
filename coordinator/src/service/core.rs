//! What every part of the service shares: the store, the clock, the options.

use std::{
    borrow::BorrowMut,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use fleet_protocol::{Job, JobId, Project, Span, manifest::Defaults, profile::Profile};
use jiff::Timestamp;

use super::{
    failure::{Failure, no_job},
    search::InFlight,
};
use crate::{
    clock::{Clock, Randomness},
    lifecycle,
    logs::Logs,
    retention::Retention,
    store::{Cursor, Snapshot, Store},
};

/// How a coordinator behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The product of requests that name none.
    pub product: String,
    /// How long a lease lives without renewal; 90 s.
    pub lease_ttl: Span,
    /// How often `tick` is meant to be called; 10 s.
    pub reap_every: Span,
    /// How long a claimed job may go without a report of its start; 120 s.
    pub start_limit: Span,
    /// How long a run may be silent before it is shown as stalled; 10 min.
    pub stall_after: Span,
    /// How long a job may wait for a dependency that no job is called before that is pointed out; 1 h.
    pub unknown_dep_after: Span,
    /// When leases may expire first.
    pub grace: Grace,
    /// How long the output of finished jobs is kept.
    pub retention: Retention,
    /// What jobs get that say nothing themselves, nor their profile or project.
    pub defaults: Defaults,
    /// Every project that a job may name.
    pub projects: Vec<Project>,
    /// Names of the engines that every factory of this coordinator knows; none where factories have engines of their own,
    /// so that any name is taken.
    pub engines: Option<Vec<String>>,
    /// Every profile that a job may name; of two with one name the first counts.
    pub profiles: Vec<ProfileSource>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            product: "default".to_owned(),
            lease_ttl: Span::from_secs(90),
            reap_every: Span::from_secs(10),
            start_limit: Span::from_secs(120),
            stall_after: Span::from_secs(600),
            unknown_dep_after: Span::from_secs(3600),
            grace: Grace::OneTtl,
            retention: Retention::default(),
            defaults: Defaults::default(),
            projects: Vec::new(),
            engines: None,
            profiles: Vec::new(),
        }
    }
}

/// Whether a start of the coordinator puts the reaper off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// Nothing is reaped before one whole lease time of uptime: holders could not renew while nobody listened.
    OneTtl,
    /// Reap from the first tick on. For a process that is not the only way to the store, so that holders could renew
    /// whether or not it ran.
    None,
}

/// A profile and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileSource {
    pub profile: Profile,
    /// The whole file; kept with the first job that uses this version.
    pub text: String,
    pub source: ProfileOrigin,
}

/// Where a profile was found, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileOrigin {
    Project,
    User,
    BuiltIn,
}

/// All rules of the coordinator at work on one store.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) logs: Logs,
    pub(crate) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) randomness: Randomness,
    pub(crate) started_at: Timestamp,
    /// What each factory of each product offered last, as this process has seen it.
    pub(super) offers: Mutex<HashMap<(String, String), fleet_protocol::api::ClaimRequest>>,
    pub(super) in_flight: InFlight,
    /// Where the next tick goes on looking at blocked jobs.
    blocked_from: Mutex<Cursor>,
}

impl Service {
    pub(crate) fn new(
        store: Store,
        logs: Logs,
        options: Options,
        clock: Arc<dyn Clock>,
        randomness: Randomness,
    ) -> Self {
        let started_at = clock.now();
        Self {
            store,
            logs,
            options,
            clock,
            randomness,
            started_at,
            offers: Mutex::default(),
            in_flight: InFlight::default(),
            blocked_from: Mutex::new(Cursor::START),
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A job and its newest run, or that there is none.
    pub(super) fn load(&self, product: &str, id: &JobId) -> Result<Snapshot, Failure> {
        let mut snapshot = self.store.job_load(product, id)?.ok_or_else(|| no_job(id))?;
        snapshot.job = shown(snapshot.job);
        Ok(snapshot)
    }

    /// Remembers where to go on; gives where it stood.
    pub(crate) fn blocked_from(&self, next: impl FnOnce(Cursor) -> Cursor) {
        let mut place = self.blocked_from.lock().unwrap_or_else(PoisonError::into_inner);
        *place = next(*place);
    }
}

/// A job as it is answered: with what an operator may do now.
pub(super) fn shown<J: BorrowMut<Job>>(mut shown: J) -> J {
    let job = shown.borrow_mut();
    job.actions = lifecycle::actions(job);
    shown
}
