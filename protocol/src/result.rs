//! Why a run or a job ended.

use crate::words::words;

words! {
    /// Why a run or a job ended (requirements, convention 5). Named so to leave `Result` to the language.
    JobResult, "result" {
        Ok = "ok",
        NoChanges = "no_changes",
        AgentFailed = "agent_failed",
        VerifyFailed = "verify_failed",
        Timeout = "timeout",
        BudgetExceeded = "budget_exceeded",
        Crash = "crash",
        ResourceExceeded = "resource_exceeded",
        CapabilityMismatch = "capability_mismatch",
        NoEngine = "no_engine",
        InvalidManifest = "invalid_manifest",
        AuthError = "auth_error",
        ScopeViolation = "scope_violation",
        DirtyWorkspace = "dirty_workspace",
        ProtectedBranch = "protected_branch",
        Rejected = "rejected",
        Cancelled = "cancelled",
        Preempted = "preempted",
        LeaseExpired = "lease_expired",
        Fenced = "fenced",
        RepeatedFailure = "repeated_failure",
        RetriesExhausted = "retries_exhausted",
    }
}

impl JobResult {
    /// Whether the run did what was asked: only these can lead to `review` or `testing`.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Ok | Self::NoChanges)
    }

    /// Whether the worker was stopped by us rather than failing: the job goes back by itself and no attempt is charged.
    pub const fn is_handback(self) -> bool {
        matches!(self, Self::Preempted | Self::LeaseExpired)
    }
}
