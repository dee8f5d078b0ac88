//! Whether a failed run is tried again, and when.

use fleet_protocol::{
    Job, JobResult,
    job::Repeated,
    manifest::{Retry, RetryOn},
    run::ErrorClass,
};
use jiff::Timestamp;

use super::change::later;

/// So many equal failures in a row, and another try would be a waste.
const ALIKE: u32 = 3;

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another run, not before this moment.
    Again(Timestamp),
    /// The policy would try again but has no tries left.
    Exhausted,
    /// The policy would try again, but it fails alike each time.
    Alike,
    /// No policy covers it.
    Final,
}

/// Decides about a failure that is already counted in `job.attempts` and `job.repeated`.
pub(super) fn after_failure(job: &Job, result: JobResult, class: Option<ErrorClass>, now: Timestamp) -> Next {
    let Some(policy) = job.manifest.retry.as_ref().filter(|policy| covers(policy, result, class)) else {
        return Next::Final;
    };
    // Exhaustion first: a policy with few tries ends in the dead letters even when all of them failed alike.
    if job.attempts > policy.most() {
        Next::Exhausted
    } else if job.repeated.as_ref().is_some_and(|repeated| repeated.times >= ALIKE) {
        Next::Alike
    } else {
        Next::Again(later(now, policy.backoff.wait(job.attempts)))
    }
}

/// The tally of equal failures with one more `result` and `message` in it.
pub(super) fn tally(before: Option<&Repeated>, result: JobResult, message: Option<&str>) -> Repeated {
    let alike = before.filter(|before| before.result == result && before.message.as_deref() == message);
    let times = alike.map_or(1, |before| before.times.saturating_add(1));
    Repeated { result, message: message.map(str::to_owned), times }
}

fn covers(policy: &Retry, result: JobResult, class: Option<ErrorClass>) -> bool {
    let Some(own) = retryable(result) else { return false };
    match class {
        Some(ErrorClass::Auth | ErrorClass::Permanent) => false,
        Some(ErrorClass::Transient) => policy.on.contains(&own) || policy.on.contains(&RetryOn::Transient),
        Some(ErrorClass::Quota) | None => policy.on.contains(&own),
    }
}

/// The name under which a policy may list a result; none for what another try cannot cure.
const fn retryable(result: JobResult) -> Option<RetryOn> {
    match result {
        JobResult::Timeout => Some(RetryOn::Timeout),
        JobResult::VerifyFailed => Some(RetryOn::VerifyFailed),
        JobResult::Crash => Some(RetryOn::Crash),
        JobResult::AgentFailed => Some(RetryOn::AgentFailed),
        JobResult::ResourceExceeded => Some(RetryOn::ResourceExceeded),
        JobResult::BudgetExceeded => Some(RetryOn::BudgetExceeded),
        JobResult::Ok
        | JobResult::NoChanges
        | JobResult::CapabilityMismatch
        | JobResult::NoEngine
        | JobResult::InvalidManifest
        | JobResult::AuthError
        | JobResult::ScopeViolation
        | JobResult::DirtyWorkspace
        | JobResult::ProtectedBranch
        | JobResult::Rejected
        | JobResult::Cancelled
        | JobResult::Preempted
        | JobResult::LeaseExpired
        | JobResult::Fenced
        | JobResult::RepeatedFailure
        | JobResult::RetriesExhausted => None,
    }
}
