//! Why an input does nothing, said so that its sender knows what would be possible.

use std::fmt::Display;

use fleet_protocol::{ErrorCode, Job, Problem};
use serde_json::json;

use super::act::actions;

/// Why nothing happens.
pub type Refusal = Problem;

/// `what` does not fit the stage (or another state) of the job; `why` says more where the stage alone does not.
pub(super) fn not_possible(job: &Job, what: impl Display, why: Option<&str>) -> Refusal {
    let possible = actions(job);
    let names: Vec<&str> = possible.iter().map(|action| action.as_str()).collect();
    let because = why.map(|why| format!(": {why}")).unwrap_or_default();
    let instead = if names.is_empty() {
        "nothing leaves this stage".to_owned()
    } else {
        format!("possible now: {}", names.join(", "))
    };
    Problem::new(
        ErrorCode::InvalidTransition,
        format!("{what} is not possible while the job is {}{because}; {instead}", job.stage),
    )
    .with(json!({ "stage": job.stage, "actions": possible, "currentEpoch": job.lease_epoch }))
}

/// The sender held the job once and does not any more.
pub(super) fn fenced(job: &Job, given: u64) -> Refusal {
    Problem::new(
        ErrorCode::Fenced,
        format!("lease epoch {given} is over, the job is at {}; stop the agent and keep its work", job.lease_epoch),
    )
    .with(json!({ "currentEpoch": job.lease_epoch, "stage": job.stage }))
}

/// An epoch that was never given out.
pub(super) fn epoch_from_the_future(job: &Job, given: u64) -> Refusal {
    Problem::new(
        ErrorCode::InvalidEpoch,
        format!("lease epoch {given} was never given out, the job is at {}", job.lease_epoch),
    )
    .with(json!({ "currentEpoch": job.lease_epoch }))
}

/// Someone who is not the holder used the holder's epoch.
pub(super) fn not_the_holder(job: &Job, factory: &str) -> Refusal {
    Problem::new(ErrorCode::Fenced, format!("factory `{factory}` does not hold this job"))
        .with(json!({ "currentEpoch": job.lease_epoch, "stage": job.stage }))
}

/// A gate that only a person opens.
pub(super) fn not_an_operator(job: &Job, what: impl Display, actor: &str) -> Refusal {
    Problem::new(ErrorCode::Forbidden, format!("{what} is for operators, not for `{actor}`"))
        .with(json!({ "stage": job.stage }))
}
