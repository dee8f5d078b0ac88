//! Everything that can happen to a job.

use fleet_protocol::{
    Action, Span,
    api::{PatchJob, ReleaseRequest},
    job::Blocker,
};
use jiff::Timestamp;

/// Something that happens to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A factory takes it.
    Claim { factory: String, ttl: Span },
    /// Its holder reports: start (`stage: building`), progress, checkpoint, end (`result`).
    Patch { factory: String, patch: Box<PatchJob> },
    /// Its holder is still there.
    Renew { lease_epoch: u64, ttl: Span },
    /// Its holder hands it back.
    Release { request: Box<ReleaseRequest> },
    /// The reaper found the lease with this epoch and expiry expired.
    Expire { lease_epoch: u64, expires_at: Timestamp },
    /// The reaper found that the claim with this epoch was not followed by a start within the start limit.
    NeverStarted { lease_epoch: u64 },
    /// Its dependencies stand like this now.
    Dependencies { blocked_by: Vec<Blocker> },
    /// A person acts.
    Act { action: Action, actor: String, reason: Option<String>, commit: Option<String> },
}
