//! What one change of a job consists of. It is written whole or not at all.

use fleet_protocol::{
    EventType, Job, JobId, Run,
    api::ClaimRequest,
    lease::{Lease, LeaseStatus},
};
use jiff::Timestamp;

use crate::lifecycle::{Draft, Step};

/// One change of one job: its record, its run, its lease and the lines of its history.
#[derive(Debug, Clone)]
pub struct Commit {
    pub expect: Expect,
    /// As it shall be. Its `rev` is given by the store.
    pub job: Job,
    pub run: Option<Run>,
    pub events: Vec<Draft>,
    pub at: Timestamp,
    pub lease: LeaseChange,
    pub urgency: Urgency,
    /// The texts of a job that is new or replaced.
    pub content: Option<Content>,
    /// The answer to remember, in the same transaction as its effect.
    pub answer: Option<Answer>,
}

/// As what the job was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such job yet.
    New,
    /// It stands like this. The lease's expiry is compared too, for a renewal does not raise `rev`.
    Unchanged { rev: u64, lease_expires_at: Option<Timestamp> },
}

impl Expect {
    /// That `job` is as it was read.
    pub fn unchanged(job: &Job) -> Self {
        Self::Unchanged { rev: job.rev, lease_expires_at: job.lease.as_ref().map(|lease| lease.expires_at) }
    }
}

/// What goes first when several changes wait: a report that came in time wins over the reaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Report,
    Claim,
    Submit,
    Reap,
}

/// What a change does to the table of leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseChange {
    /// A lease that ends, by its epoch.
    pub ended: Option<(u64, LeaseStatus)>,
    /// A lease that begins.
    pub granted: Option<Grant>,
}

/// A lease that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub epoch: u64,
    pub holder: String,
    pub expires_at: Timestamp,
    /// How many jobs the holder may hold at once; checked in the transaction.
    pub seats: Option<u32>,
    /// The claim's idempotency key, and what was asked under it.
    pub asked: Option<(String, String)>,
}

/// The texts of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The task file as submitted.
    pub source: String,
    /// What the agent is told.
    pub body: String,
    /// Tells one submission from another: the same for the same content.
    pub fingerprint: String,
    /// The profile that the job was completed by.
    pub profile: Option<ProfileText>,
    /// Whether the job takes part in the net of dependencies; a job kept although it is malformed does not.
    pub linked: bool,
}

/// A version of a profile, kept for as long as a job refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileText {
    pub name: String,
    pub version: String,
    pub text: String,
}

/// An answer under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub key: String,
    /// Tells one request from another.
    pub request: String,
    pub status: u16,
    pub body: String,
}

/// A renewed lease: nothing of the job changes but the lease's expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub product: String,
    pub id: JobId,
    pub rev: u64,
    pub seen: Timestamp,
    pub expires_at: Timestamp,
}

/// A write under a lost lease was refused; the first one of each epoch goes into the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub product: String,
    pub id: JobId,
    pub epoch: u64,
    pub event: Draft,
    pub at: Timestamp,
}

/// What a factory offers: its claim, without what changes from one claim to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub product: String,
    pub claim: ClaimRequest,
    pub at: Timestamp,
}

impl Commit {
    /// The change from `old` to what `step` says.
    pub fn of(old: &Job, step: Step, at: Timestamp) -> Box<Self> {
        Box::new(Self {
            expect: Expect::unchanged(old),
            lease: LeaseChange::between(old, &step),
            job: step.job,
            run: step.run,
            events: step.events,
            at,
            urgency: Urgency::Report,
            content: None,
            answer: None,
        })
    }

    /// The job as it stands once this is made.
    pub fn outcome(&self) -> Box<Job> {
        Box::new(Job { rev: self.rev(), ..self.job.clone() })
    }

    /// The same, when nothing else of it is wanted any more.
    pub(super) fn into_outcome(self) -> Box<Job> {
        Box::new(Job { rev: self.rev(), ..self.job })
    }

    const fn rev(&self) -> u64 {
        match self.expect {
            Expect::New => 1,
            Expect::Unchanged { rev, .. } => rev + 1,
        }
    }

    /// About how many bytes it writes.
    pub(super) fn weight(&self) -> usize {
        const RECORD: usize = 4 * 1024;
        RECORD
            + self.content.as_ref().map_or(0, |content| content.source.len() + content.body.len())
            + self.answer.as_ref().map_or(0, |answer| answer.body.len())
    }
}

impl LeaseChange {
    fn between(old: &Job, step: &Step) -> Self {
        let before = active(old);
        let after = active(&step.job);
        if before.map(|lease| lease.lease_epoch) == after.map(|lease| lease.lease_epoch) {
            return Self::default();
        }
        Self {
            ended: before.map(|lease| (lease.lease_epoch, how_it_ended(lease, step))),
            granted: after.map(|lease| Grant {
                epoch: lease.lease_epoch,
                holder: lease.holder_factory_id.clone(),
                expires_at: lease.expires_at,
                seats: None,
                asked: None,
            }),
        }
    }
}

fn active(job: &Job) -> Option<&Lease> {
    job.lease.as_ref().filter(|lease| lease.status == LeaseStatus::Active)
}

fn how_it_ended(lease: &Lease, step: &Step) -> LeaseStatus {
    let named = step.job.lease.as_ref().filter(|after| after.lease_epoch == lease.lease_epoch);
    match named {
        Some(after) => after.status,
        None if step.events.iter().any(|event| event.event_type == EventType::LeaseExpired) => LeaseStatus::Expired,
        None if step.job.lease_epoch > lease.lease_epoch => LeaseStatus::Fenced,
        None => LeaseStatus::Released,
    }
}
