//! A job's dependencies moved. Which of them count as satisfied is decided by whoever can see the other jobs.

use fleet_protocol::{EventType, Job, Stage, job::Blocker};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Refusal, Step,
    change::{COORDINATOR, Change},
    refusal::not_possible,
};

/// Takes `blocked_by` in. A pending job moves between `queued` and `blocked`; any other remembers it for its way back.
pub(super) fn settle(job: &Job, blocked_by: &[Blocker], now: Timestamp) -> Result<Step, Refusal> {
    if job.stage == Stage::Shipped {
        return Err(not_possible(job, "a change of dependencies", None));
    }
    if job.blocked_by == blocked_by {
        return Ok(Step { job: job.clone(), run: None, events: Vec::new() });
    }
    let mut change = Change::begin(job, COORDINATOR, now);
    change.job.blocked_by = blocked_by.to_vec();
    let data = json!({ "blockedBy": blocked_by });
    match (job.stage, blocked_by.is_empty()) {
        (Stage::Queued, false) => change.go(Stage::Blocked, EventType::Blocked, data),
        (Stage::Blocked, true) => change.go(Stage::Queued, EventType::Unblocked, data),
        (Stage::Blocked, false) => change.note(EventType::Blocked, data),
        _ => {}
    }
    Ok(change.done())
}
