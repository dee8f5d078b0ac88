//! The one door to the rules: a job, an input and a moment become a step or a refusal.

use fleet_protocol::{EventType, Job, Run, Stage};
use jiff::Timestamp;
use serde_json::Value;

use super::{Input, Refusal, act, claim, dependencies, lease, report};

/// What follows from an input: the job as it will be, its run where that changes, and the history's new lines.
///
/// `rev` is left alone; the store raises it. `blockedBy` is as the last [`Input::Dependencies`] said. A step whose job
/// equals the old one and that has no events needs no commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub job: Job,
    /// A new run after a claim, else the current one when the input touched it.
    pub run: Option<Run>,
    pub events: Vec<Draft>,
}

/// An event without its place and time: the store gives `seq` and `at`.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub event_type: EventType,
    pub actor: String,
    pub stage_from: Option<Stage>,
    pub stage_to: Option<Stage>,
    pub lease_epoch: u64,
    pub data: Value,
}

/// Decides what `input` does to `job` at `now`. `run` is the job's newest run; it is looked at only while the job is held.
///
/// # Errors
///
/// `fenced` (with `details.currentEpoch`) and `invalid_epoch` for a worker whose epoch is too low or too high,
/// `forbidden` for a gate that is not opened by an operator, otherwise `invalid_transition` with `details.stage` and
/// `details.actions`. A refused input changes nothing.
pub fn step(job: &Job, run: Option<&Run>, input: &Input, now: Timestamp) -> Result<Step, Refusal> {
    match input {
        Input::Claim { factory, ttl } => claim::claim(job, factory, *ttl, now),
        Input::Patch { factory, patch } => report::report(job, run, (factory, patch), now),
        Input::Renew { lease_epoch, ttl } => lease::renew(job, *lease_epoch, *ttl, now),
        Input::Release { request } => lease::release(job, run, request, now),
        Input::Expire { lease_epoch, expires_at } => lease::expire(job, run, (*lease_epoch, *expires_at), now),
        Input::NeverStarted { lease_epoch } => lease::never_started(job, run, *lease_epoch, now),
        Input::Dependencies { blocked_by } => dependencies::settle(job, blocked_by, now),
        Input::Act { action, actor, reason, commit } => {
            let reason = reason.as_deref().map(str::trim).filter(|text| !text.is_empty());
            let request = act::Request { action: *action, actor, reason, commit: commit.as_deref() };
            act::act(job, run, &request, now)
        }
    }
}
