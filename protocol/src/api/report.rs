//! What is said about a job: operators' acts, and the reports, renewals and releases of its holder.

use serde::{Deserialize, Serialize};

use crate::{
    id::JobId, job::Checkpoint, job::DiffStat, job::Progress, job::Usage, lease::Directive, problem::Problem,
    result::JobResult, run::ErrorClass, run::Evidence, run::Insights, stage::Stage,
};

/// `POST /jobs/{id}/actions/{action}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionRequest {
    #[serde(default)]
    pub reason: Option<String>,
    /// Refused with `conflict` unless the job still has this `rev`.
    #[serde(default)]
    pub expect_rev: Option<u64>,
    /// For `ship`: the commit that carries the work into the base.
    #[serde(default)]
    pub commit: Option<String>,
}

/// `PATCH /jobs/{id}`, by the holder. `stage: "building"` reports the start; `result` and `evidence` report the end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchJob {
    pub lease_epoch: u64,
    /// Refused with `conflict` unless the job still has this `rev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_rev: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<JobResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insights: Option<Insights>,
    /// One sentence for people beside `result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The engine that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_class: Option<ErrorClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<DiffStat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<String>,
    /// The checkpoint that came with the claim could not be used; the run starts fresh. Says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_unusable: Option<String>,
}

/// `POST /jobs/{id}/lease/renew`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewRequest {
    pub lease_epoch: u64,
}

/// A renewed lease and what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewed {
    pub ttl_ms: u64,
    pub directive: Directive,
}

/// `POST /leases/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewManyRequest {
    pub leases: Vec<LeaseName>,
}

/// A lease by job and epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseName {
    pub job_id: JobId,
    pub lease_epoch: u64,
}

/// Answer to `POST /leases/renew`: each lease is judged alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenewManyAnswer {
    pub leases: Vec<RenewedLease>,
}

/// One lease of a batched renewal: either `ttlMs` and `directive`, or `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewedLease {
    pub job_id: JobId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directive: Option<Directive>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// `POST /jobs/{id}/lease/release`: hand the job back. `preempted` and `lease_expired` cost no attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRequest {
    pub lease_epoch: u64,
    pub result: JobResult,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    #[serde(default)]
    pub session_id: Option<String>,
}
