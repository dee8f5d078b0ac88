//! Views: status, explanations, versions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{id::JobId, job::Progress, stage::Bucket, stage::Stage};

/// `GET /status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// Jobs by bucket; every bucket is there.
    pub counts: BTreeMap<Bucket, u64>,
    /// Jobs by stage; every stage is there.
    pub stages: BTreeMap<Stage, u64>,
    /// Jobs whose retry time lies ahead.
    pub delayed: u64,
    pub running: Vec<RunningJob>,
    pub alerts: Vec<Alert>,
    pub now: Timestamp,
}

/// A job that a factory holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningJob {
    pub id: JobId,
    pub title: String,
    pub stage: Stage,
    pub engine: Option<String>,
    pub factory: Option<String>,
    pub run: u32,
    /// Since the start was reported.
    pub elapsed_ms: u64,
    pub progress: Option<Progress>,
    pub paused: bool,
    /// No output for longer than the stall limit.
    pub stalled: bool,
    /// When the output came last that it stalled after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_since: Option<Timestamp>,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Stable: `dependency_failed`, `dead_letter`, `unroutable_job`, `no_runner`, ….
    pub code: String,
    pub message: String,
    pub jobs: Vec<JobId>,
}

/// `GET /jobs/{id}/explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub blockers: Vec<Reason>,
    pub factories: Vec<FactoryVerdict>,
    /// What would change the answer.
    pub next: String,
}

/// One reason why a job does not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub message: String,
}

/// What the scheduler thinks of one factory for one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactoryVerdict {
    pub factory_id: String,
    pub eligible: bool,
    pub blockers: Vec<Reason>,
    pub terms: BTreeMap<String, f64>,
    pub score: f64,
}

/// `GET /queue-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueState {
    /// Differs whenever anything in the queue changed.
    pub version: u64,
}

/// Query of `GET /queue-state`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueStateQuery {
    /// Wait until the version differs from this one …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// … but at most so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    pub version: String,
}
