//! The job that a claim gets.

use fleet_protocol::{
    Job,
    api::{ClaimRequest, EmptyReason},
};
use jiff::Timestamp;

use super::{obstacle::obstacles, order::order};

/// Reasons of an empty claim, the one that is nearest to going away first.
const TELLING: [EmptyReason; 6] = [
    EmptyReason::NoSeat,
    EmptyReason::Locked,
    EmptyReason::Backoff,
    EmptyReason::Capability,
    EmptyReason::Blocked,
    EmptyReason::Held,
];

/// The position of the job that the factory gets, or why it gets none.
///
/// # Errors
///
/// The reason that is nearest to going away, among those that come first for each candidate.
pub fn pick(candidates: &[Job], request: &ClaimRequest, now: Timestamp) -> Result<usize, EmptyReason> {
    let mut reasons = Vec::new();
    for position in order(candidates) {
        match obstacles(&candidates[position], request, now).first() {
            None => return Ok(position),
            Some(obstacle) => reasons.push(obstacle.empty_reason()),
        }
    }
    Err(TELLING.into_iter().find(|reason| reasons.contains(reason)).unwrap_or(EmptyReason::NoneQueued))
}
