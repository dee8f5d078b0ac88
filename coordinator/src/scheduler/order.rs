//! The order in which jobs get their turn: priority, then age, then id. Total, so that equal inputs give equal answers.

use std::cmp::Ordering;

use fleet_protocol::Job;

/// `Less` when `a` comes before `b`.
pub fn compare(a: &Job, b: &Job) -> Ordering {
    let key = |job: &Job| (job.priority.rank(), job.created_at);
    key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
}

/// The positions of `jobs`, the one whose turn it is first.
pub fn order(jobs: &[Job]) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..jobs.len()).collect();
    positions.sort_by(|a, b| compare(&jobs[*a], &jobs[*b]));
    positions
}
