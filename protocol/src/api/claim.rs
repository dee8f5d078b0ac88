//! Asking for work: `POST /claim`.

use serde::{Deserialize, Serialize};

use crate::{id::JobId, job::Checkpoint, job::Job, lease::LeaseGrant, manifest::Manifest, run::Run, words::words};

/// `POST /claim`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRequest {
    pub factory_id: String,
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Names of the engines that can be started here.
    #[serde(default)]
    pub engines: Vec<String>,
    /// When not empty, only jobs with one of these tags.
    #[serde(default)]
    pub tags: Vec<String>,
    pub seats: u32,
    pub seats_free: u32,
    #[serde(default = "ok_health")]
    pub health: Health,
    #[serde(default)]
    pub load: f64,
    /// How long to wait for a job, at most 60,000.
    #[serde(default)]
    pub wait_ms: u64,
    /// Answer as a claim would, take nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Lock keys that are busy here; jobs with one of them are passed over.
    #[serde(default)]
    pub busy_locks: Vec<String>,
    /// Only this job.
    #[serde(default)]
    pub only: Option<JobId>,
    /// There is no other factory and there will be none: a job that this one cannot serve is given to it all the same,
    /// so that it ends with the reason instead of waiting for ever.
    #[serde(default)]
    pub sole: bool,
}

const fn ok_health() -> Health {
    Health::Ok
}

words! {
    /// How a factory feels.
    Health, "health" {
        Ok = "ok",
        Degraded = "degraded",
    }
}

words! {
    /// Why a claim came back empty.
    EmptyReason, "empty-claim reason" {
        NoneQueued = "none_queued",
        Capability = "capability",
        NoSeat = "no_seat",
        BudgetPaused = "budget_paused",
        Blocked = "blocked",
        Backoff = "backoff",
        Held = "held",
        LowDisk = "low_disk",
        /// Another job with the same lock key runs.
        Locked = "locked",
    }
}

/// A granted claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    pub job: Job,
    pub run: Run,
    pub lease: LeaseGrant,
    pub manifest: Manifest,
    pub body: String,
    /// What the profile puts before the body.
    pub persona: Option<String>,
    pub checkpoint: Option<Checkpoint>,
    /// Earlier runs, oldest first, for resuming and as context.
    pub earlier: Vec<Run>,
}
