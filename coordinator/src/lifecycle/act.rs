//! What a person does to a job. `is_possible` is the one rule; both the acts and the list of possible acts ask it.
//!
//! An act on a job that a factory holds ends the run and raises the epoch, so that the holder is shut out; only
//! `pause` and `resume` leave the holder at work.

use fleet_protocol::{Action, EventType, Job, JobResult, Run, Stage, job::Feedback, lease::LeaseStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Refusal, Step,
    change::{Change, End},
    lease::current_run,
    refusal::{not_an_operator, not_possible},
    retry,
};

/// An operator's act and its circumstances.
pub(super) struct Request<'a> {
    pub(super) action: Action,
    pub(super) actor: &'a str,
    pub(super) reason: Option<&'a str>,
    /// For a ship: the commit that carried the work into the base.
    pub(super) commit: Option<&'a str>,
}

/// What an operator may do to the job now, in the order of the words' definition.
pub fn actions(job: &Job) -> Vec<Action> {
    Action::ALL.iter().copied().filter(|action| is_possible(job, *action)).collect()
}

fn is_possible(job: &Job, action: Action) -> bool {
    let stage = job.stage;
    match action {
        Action::Ship => stage == Stage::Testing,
        Action::Approve => stage == Stage::Review,
        Action::Promote | Action::RequestChanges | Action::Reject => matches!(stage, Stage::Review | Stage::Testing),
        Action::Requeue if stage == Stage::Failed => !is_unreadable(job),
        Action::Requeue => stage.is_held() || stage == Stage::Waiting,
        Action::Redrive => stage == Stage::DeadLetter,
        Action::Cancel => !stage.is_terminal(),
        Action::Stop | Action::Recover => stage.is_held(),
        Action::Hold => stage.is_pending() && !job.held,
        Action::Release => stage.is_pending() && job.held,
        Action::Pause => stage == Stage::Building && !job.paused,
        Action::Resume => stage == Stage::Building && job.paused,
    }
}

/// Whether its task file was malformed from the start: there is nothing to run.
fn is_unreadable(job: &Job) -> bool {
    job.runs == 0 && job.result == Some(JobResult::InvalidManifest)
}

pub(super) fn act(job: &Job, run: Option<&Run>, request: &Request<'_>, now: Timestamp) -> Result<Step, Refusal> {
    let action = request.action;
    if !is_possible(job, action) {
        let why = job.held.then_some("it is on hold");
        return Err(not_possible(job, format_args!("`{action}`"), why));
    }
    if is_gate(action) && !request.actor.starts_with("operator:") {
        return Err(not_an_operator(job, format_args!("`{action}`"), request.actor));
    }
    let mut change = Change::begin(job, request.actor, now);
    if job.stage.is_held() && !matches!(action, Action::Pause | Action::Resume) {
        let Some(run) = current_run(job, run) else {
            return Err(not_possible(job, format_args!("`{action}`"), Some("its current run is unknown")));
        };
        fence(&mut change, run.clone(), request);
    }
    apply(&mut change, request);
    Ok(change.done())
}

/// The gates that only a person opens, whoever else may call.
const fn is_gate(action: Action) -> bool {
    matches!(action, Action::Ship | Action::Promote | Action::Approve)
}

/// Ends the run from outside and shuts its holder out. Its work is kept; what the holder sends from now on is not.
fn fence(change: &mut Change, run: Run, request: &Request<'_>) {
    let result = match request.action {
        Action::Cancel => JobResult::Cancelled,
        Action::Recover => JobResult::Crash,
        _ => JobResult::Fenced,
    };
    change.raise_epoch();
    change.end_run(run, End { result, message: request.reason.map(str::to_owned), lease: LeaseStatus::Fenced });
}

fn apply(change: &mut Change, request: &Request<'_>) {
    let data = data(request);
    match request.action {
        Action::Ship => change.go(Stage::Shipped, EventType::Shipped, data),
        Action::Promote if change.job.stage == Stage::Testing => change.go(Stage::Shipped, EventType::Shipped, data),
        Action::Promote => change.go(Stage::Testing, EventType::Promoted, data),
        Action::Approve => change.go(Stage::Testing, EventType::Approved, data),
        Action::RequestChanges => request_changes(change, request, data),
        Action::Reject => end(change, JobResult::Rejected, request, (EventType::Rejected, data)),
        Action::Cancel => end(change, JobResult::Cancelled, request, (EventType::Cancelled, data)),
        Action::Requeue => again(change, EventType::Requeued, data),
        Action::Redrive => {
            change.job.attempts = 0;
            again(change, EventType::Redriven, data);
        }
        Action::Recover => recover(change, request, data),
        Action::Stop => {
            change.job.held = true;
            again(change, EventType::Held, data);
        }
        Action::Hold => {
            change.job.held = true;
            change.note(EventType::Held, data);
        }
        Action::Release => {
            change.job.held = false;
            change.note(EventType::Released, data);
        }
        // There is no word of its own for these two in the history; `data.action` tells them from a hold and its end.
        Action::Pause => {
            change.job.paused = true;
            change.job.resumed = false;
            change.note(EventType::Held, data);
        }
        Action::Resume => {
            change.job.paused = false;
            change.job.resumed = true;
            change.note(EventType::Released, data);
        }
    }
}

fn request_changes(change: &mut Change, request: &Request<'_>, data: Value) {
    if let Some(text) = request.reason {
        let at = change.now();
        change.job.feedback.push(Feedback { actor: request.actor.to_owned(), at, text: text.to_owned() });
    }
    // The run was good enough to be looked at: it does not count against the retry policy.
    change.job.attempts = change.job.attempts.saturating_sub(1);
    again(change, EventType::ChangesRequested, data);
}

/// The runner died: a crash like one that it had reported itself, except that no policy is asked about another run.
fn recover(change: &mut Change, request: &Request<'_>, data: Value) {
    let job = &mut change.job;
    job.attempts += 1;
    job.repeated = Some(retry::tally(job.repeated.as_ref(), JobResult::Crash, request.reason));
    job.result = Some(JobResult::Crash);
    job.message = request.reason.map(str::to_owned);
    change.go_back_to_queue(EventType::Requeued, data);
}

/// Back to the queue by someone's will: what went wrong before is not held against the next run.
fn again(change: &mut Change, event: EventType, data: Value) {
    change.job.result = None;
    change.job.message = None;
    change.job.repeated = None;
    change.job.retry_not_before = None;
    change.go_back_to_queue(event, data);
}

fn end(change: &mut Change, result: JobResult, request: &Request<'_>, (event, data): (EventType, Value)) {
    change.job.result = Some(result);
    change.job.message = request.reason.map(str::to_owned);
    change.job.held = false;
    change.job.retry_not_before = None;
    change.go(Stage::Failed, event, data);
}

fn data(request: &Request<'_>) -> Value {
    let mut data = json!({ "action": request.action });
    if let Some(reason) = request.reason {
        data["reason"] = json!(reason);
    }
    if let Some(commit) = request.commit {
        data["commit"] = json!(commit);
    }
    data
}
