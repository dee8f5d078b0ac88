//! One line of a job's append-only history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{id::JobId, stage::Stage, words::words};

words! {
    /// What happened (requirements, convention 6).
    EventType, "event type" {
        Submitted = "submitted",
        Blocked = "blocked",
        Unblocked = "unblocked",
        Claimed = "claimed",
        Started = "started",
        Progress = "progress",
        Checkpoint = "checkpoint",
        CheckpointUnusable = "checkpoint_unusable",
        VerifyPassed = "verify_passed",
        VerifyFailed = "verify_failed",
        ReviewRequested = "review_requested",
        ReviewDecision = "review_decision",
        Promoted = "promoted",
        Approved = "approved",
        ChangesRequested = "changes_requested",
        Shipped = "shipped",
        Failed = "failed",
        Rejected = "rejected",
        RetryScheduled = "retry_scheduled",
        Requeued = "requeued",
        Redriven = "redriven",
        Preempted = "preempted",
        LeaseExpired = "lease_expired",
        Fenced = "fenced",
        Quarantined = "quarantined",
        DeadLetter = "dead_letter",
        Cancelled = "cancelled",
        Held = "held",
        Released = "released",
        QuestionAsked = "question_asked",
        Answered = "answered",
        Message = "message",
        BudgetPaused = "budget_paused",
        BudgetResumed = "budget_resumed",
        PrOpened = "pr_opened",
        PrUpdated = "pr_updated",
        PrMerged = "pr_merged",
        PrClosed = "pr_closed",
        Landed = "landed",
        ArtifactAdded = "artifact_added",
        ChildAdded = "child_added",
        ChildDone = "child_done",
        EchoFailed = "echo_failed",
        BreakerOpened = "breaker_opened",
        BreakerClosed = "breaker_closed",
    }
}

/// One event. A change of stage is exactly one event whose `stageTo` differs from `stageFrom`; all others have both
/// equal or both empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The job it belongs to.
    pub job_id: JobId,
    /// Position in this job's history, from 1, without gaps.
    pub seq: u64,
    #[serde(rename = "type")]
    pub event_type: EventType,
    pub at: Timestamp,
    /// Who did it: `operator:NAME`, `factory:NAME`, `coordinator`.
    pub actor: String,
    pub stage_from: Option<Stage>,
    pub stage_to: Option<Stage>,
    pub lease_epoch: u64,
    /// What else is known, by event type.
    #[serde(default)]
    pub data: Value,
}
