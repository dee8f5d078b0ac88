//! A job as every surface shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    action::Action,
    id::JobId,
    lease::Lease,
    manifest::{DepsMode, Kind, Manifest, Priority},
    result::JobResult,
    run::Insights,
    stage::Stage,
    words::words,
};

/// The full record of a job (contract, "Job, as JSON").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: JobId,
    pub title: String,
    pub product: String,
    /// The name of its file in the queue folder, unique per product, for example `add-validation.md`.
    pub file: String,
    pub stage: Stage,
    /// Why the job, or its last run, ended; kept while it waits for a retry.
    pub result: Option<JobResult>,
    /// One sentence for people beside `result`.
    pub message: Option<String>,
    pub priority: Priority,
    /// Engine asked for, or used by the last run.
    pub engine: Option<String>,
    pub profile: Option<ProfileRef>,
    pub kind: Kind,
    pub parent_id: Option<JobId>,
    /// Dependencies as written: ids or idempotency keys.
    pub deps: Vec<String>,
    pub deps_mode: DepsMode,
    /// Dependencies that are not satisfied yet.
    pub blocked_by: Vec<Blocker>,
    /// Grows by one with each change; every write is compared with it.
    pub rev: u64,
    /// Grows with each claim and whenever a holder is fenced off.
    pub lease_epoch: u64,
    pub lease: Option<Lease>,
    /// Runs that count against the retry policy.
    pub attempts: u32,
    /// Runs ever started.
    pub runs: u32,
    /// The factory that holds it, or held it last.
    pub factory: Option<String>,
    /// Where the work happens: a path or git address.
    pub repo: Option<String>,
    pub branch: Option<String>,
    /// The branch that the work starts from and ships into.
    pub base: Option<String>,
    pub base_commit: Option<String>,
    pub head_commit: Option<String>,
    pub checkpoint: Option<Checkpoint>,
    pub idempotency_key: Option<String>,
    pub tags: Vec<String>,
    pub trigger: Trigger,
    /// Kept out of the queue by an operator.
    pub held: bool,
    /// Frozen by an operator while an agent works on it.
    pub paused: bool,
    /// Let go on by an operator in this run; its holder is told so at each renewal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Nothing has come from its agent since then, which is longer than the stall limit. Told of one job that is worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_since: Option<Timestamp>,
    /// What its newest run took, once that is over. Told of one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insights: Option<Insights>,
    /// Not claimed before this moment.
    pub retry_not_before: Option<Timestamp>,
    /// How the latest runs failed alike; none when the last one did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
    /// What an operator may do now.
    pub actions: Vec<Action>,
    pub usage: Usage,
    pub diff: Option<DiffStat>,
    pub pr: Option<PullRequest>,
    pub progress: Option<Progress>,
    /// Paths changed outside `allowed-scope`, of the last run.
    pub scope_warning: Vec<String>,
    /// What reviewers wrote; goes into the next run's input.
    pub feedback: Vec<Feedback>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What the job runs by: its own fields, completed by profile and defaults at submit.
    pub manifest: Manifest,
    /// Unknown keys of the task file, as written.
    pub extra: BTreeMap<String, Value>,
}

impl Job {
    /// Where the agent is to stand: the repository, or `cwd` within it, or an absolute `cwd` instead of it.
    pub fn site(&self) -> Option<String> {
        crate::manifest::site(&self.manifest, self.repo.as_deref())
    }
}

/// A profile's name and the version (content hash) that a job was submitted with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRef {
    pub name: String,
    pub version: String,
}

/// A dependency that holds a job back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// As written in the task file.
    pub dep: String,
    /// The job that it names, when there is one.
    pub job_id: Option<JobId>,
    pub reason: BlockReason,
}

words! {
    /// Why a dependency is not satisfied.
    BlockReason, "block reason" {
        /// No job has this id or key yet.
        Unknown = "unknown",
        /// On its way.
        Pending = "pending",
        /// Ended without success; it will not be satisfied by itself.
        DependencyFailed = "dependency_failed",
        /// A composite job without children.
        NoChildren = "no_children",
    }
}

/// Where a next run starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// Full hex id of the commit that holds all work so far.
    pub commit: String,
    /// The ref that keeps it, `refs/fleet/wip/<job>`.
    pub branch: String,
}

words! {
    /// How far a figure can be trusted.
    Basis, "basis" {
        Measured = "measured",
        Estimated = "estimated",
        Unknown = "unknown",
    }
}

/// What a run or a job cost. Figures are the engine's own; where it gives none they are zero and `basis` says `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Usage {
    /// Cached ones included.
    #[serde(default)]
    pub input_tokens: u64,
    #[serde(default)]
    pub cached_input_tokens: u64,
    #[serde(default)]
    pub output_tokens: u64,
    /// US dollars; none where the engine tells no price.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    #[serde(default)]
    pub turns: Option<u32>,
    pub basis: Basis,
}

impl Usage {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        input_tokens: 0,
        cached_input_tokens: 0,
        output_tokens: 0,
        cost_usd: None,
        turns: None,
        basis: Basis::Unknown,
    };

    /// Input and output tokens together.
    pub const fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The sum of two usages; as trustworthy as the known part of it.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let basis = match (self.basis, other.basis) {
            (Basis::Unknown, only) | (only, Basis::Unknown) => only,
            (Basis::Measured, Basis::Measured) => Basis::Measured,
            (Basis::Estimated, _) | (_, Basis::Estimated) => Basis::Estimated,
        };
        let cost_usd = match (self.cost_usd, other.cost_usd) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
        };
        let turns = match (self.turns, other.turns) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost_usd,
            turns,
            basis,
        }
    }
}

/// Size of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiffStat {
    pub files: u64,
    /// Lines added.
    pub added: u64,
    /// Lines deleted.
    pub deleted: u64,
}

/// A request on a forge. (No forge is spoken to yet; always absent.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullRequest {
    pub url: String,
    pub number: u64,
    pub state: String,
}

/// How far an agent says it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// 0 to 100.
    #[serde(default)]
    pub percent: Option<f64>,
    #[serde(default)]
    pub step: Option<u32>,
    #[serde(default)]
    pub of: Option<u32>,
    #[serde(default)]
    pub status: Option<String>,
}

words! {
    /// What made a job.
    Trigger, "trigger" {
        Manual = "manual",
        Schedule = "schedule",
        Tracker = "tracker",
        Parent = "parent",
        Api = "api",
    }
}

/// The same failure, so many runs in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeated {
    pub result: JobResult,
    pub message: Option<String>,
    /// From 1.
    pub times: u32,
}

/// Something a person wants the next run to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feedback {
    pub actor: String,
    pub at: Timestamp,
    pub text: String,
}
