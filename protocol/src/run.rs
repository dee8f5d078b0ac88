//! One execution of a job, and the evidence that the worker gathered about it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::JobId,
    job::{Checkpoint, DiffStat, Usage},
    result::JobResult,
    words::words,
};

/// One execution attempt, with its own log, timings and result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub job_id: JobId,
    /// From 1, rising, never reused.
    pub number: u32,
    /// The engine's own session, for resuming it.
    pub session_id: Option<String>,
    pub error_class: Option<ErrorClass>,
    /// What held the run: `landlock-7` with the version of Landlock, or `unconfined: ` and why.
    pub confinement: Option<String>,
    pub engine: Option<String>,
    pub factory: String,
    pub lease_epoch: u64,
    /// Set when the factory reported the start.
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub result: Option<JobResult>,
    /// One sentence for people beside `result`.
    pub message: Option<String>,
    /// The agent's; none when a signal ended it or it never started.
    pub exit_code: Option<i32>,
    pub usage: Usage,
    pub diff: Option<DiffStat>,
    pub evidence: Option<Evidence>,
    pub insights: Option<Insights>,
    pub checkpoint: Option<Checkpoint>,
}

words! {
    /// What kind of trouble an engine had; decides whether a retry can help.
    ErrorClass, "error class" {
        /// Rate limit, overload, network: may pass.
        Transient = "transient",
        /// The account's allowance is used up.
        Quota = "quota",
        /// Not logged in, key refused.
        Auth = "auth",
        /// Invalid request, unknown model: will not pass.
        Permanent = "permanent",
    }
}

/// What the worker itself saw. An agent's word is not in here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// Commits made by this run, oldest first, full hex.
    #[serde(default)]
    pub commits: Vec<String>,
    #[serde(default)]
    pub verify: Option<VerifyEvidence>,
    /// The tree was clean at the end, leftovers having been committed.
    #[serde(default)]
    pub clean: bool,
    /// The agent said by marker that there is nothing to do.
    #[serde(default)]
    pub no_changes_claimed: bool,
    /// Whether this run changed anything against where it started; when it does not say, its commits do.
    #[serde(default)]
    pub changed: Option<bool>,
    /// Whether the branch as a whole differs from its base.
    #[serde(default)]
    pub differs_from_base: bool,
    /// Paths changed outside `allowed-scope`.
    #[serde(default)]
    pub outside_scope: Vec<String>,
}

/// The verify command, run by the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyEvidence {
    /// As a person would type it.
    pub command: String,
    /// None when a signal or a limit ended it.
    #[serde(default)]
    pub exit_code: Option<i32>,
    pub duration_ms: u64,
}

/// Figures of a run beyond cost and diff.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Insights {
    /// From start to end of the agent.
    #[serde(default)]
    pub agent_ms: Option<u64>,
    /// From the claim to the agent's start.
    #[serde(default)]
    pub provision_ms: Option<u64>,
    /// The last thing the agent said, cut at 2,000 characters.
    #[serde(default)]
    pub summary: Option<String>,
    /// The most memory that the run's processes held at one time, as far as it was sampled, bytes.
    #[serde(default)]
    pub peak_memory: Option<u64>,
    /// Processor time of the run's processes.
    #[serde(default)]
    pub cpu_ms: Option<u64>,
    /// Bytes that the run's processes read from and wrote to disks.
    #[serde(default)]
    pub read_bytes: Option<u64>,
    #[serde(default)]
    pub written_bytes: Option<u64>,
}
