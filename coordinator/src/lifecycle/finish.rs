//! The end of a run, as its holder reports it. The holder says what happened; the stage is derived here.
//!
//! Every run that ended by itself counts one attempt, a good one too; a run that was handed back counts none.

use fleet_protocol::{EventType, Job, JobResult, Run, Stage, lease::LeaseStatus};
use serde_json::json;

use super::{
    Refusal, Step,
    change::{Change, End},
    refusal::not_possible,
    retry::{self, Next},
    verdict::{Verdict, judge},
};

/// A holder's last word.
pub(super) struct Report {
    pub(super) result: JobResult,
    pub(super) message: Option<String>,
    /// The stage that the holder believes it leads to.
    pub(super) stage: Option<Stage>,
}

/// Ends the run of `job` by `report`. `change` and `run` already hold whatever else came with it.
pub(super) fn finish(job: &Job, mut change: Change, run: Run, report: Report) -> Result<Step, Refusal> {
    let Report { result, message, stage } = report;
    if !is_holders(result) {
        let why = "this result is given by people and by the coordinator, not by a holder";
        return Err(not_possible(job, format_args!("a report of `{result}`"), Some(why)));
    }
    if result.is_success() && job.stage != Stage::Building {
        return Err(not_possible(job, format_args!("a report of `{result}`"), Some("no start was reported")));
    }
    if result.is_handback() {
        hand_back(&mut change, run, End { result, message, lease: LeaseStatus::Released });
    } else if result.is_success() {
        succeed(&mut change, run, result, message);
    } else {
        fail(&mut change, run, result, message);
    }
    match stage {
        Some(stage) if !supports(stage, change.job.stage, change.job.result) => {
            let why = format!("result and evidence lead to `{}`", change.job.stage);
            Err(not_possible(job, format_args!("`{stage}`"), Some(&why)))
        }
        _ => Ok(change.done()),
    }
}

/// Whether a holder may report `result`.
const fn is_holders(result: JobResult) -> bool {
    !matches!(
        result,
        JobResult::Rejected
            | JobResult::Cancelled
            | JobResult::Fenced
            | JobResult::RepeatedFailure
            | JobResult::RetriesExhausted
    )
}

/// Whether a holder may call `derived` by the name `said`. A failure is one to its holder, whatever the policy makes of it.
fn supports(said: Stage, derived: Stage, result: Option<JobResult>) -> bool {
    let failure = result.is_some_and(|result| !result.is_success() && !result.is_handback());
    said == derived || (said == Stage::Failed && failure)
}

/// The run was stopped by us: back to the queue, no attempt charged.
pub(super) fn hand_back(change: &mut Change, run: Run, end: End) {
    let event = if end.result == JobResult::Preempted { EventType::Preempted } else { EventType::LeaseExpired };
    let data = json!({ "run": run.number, "result": end.result, "message": end.message });
    change.job.result = Some(end.result);
    change.job.message.clone_from(&end.message);
    change.end_run(run, end);
    change.go_back_to_queue(event, data);
}

fn succeed(change: &mut Change, run: Run, claimed: JobResult, message: Option<String>) {
    let verified = run.evidence.as_ref().is_some_and(|evidence| evidence.verify.is_some());
    let number = run.number;
    match judge(claimed, run.evidence.as_ref(), &change.job.manifest) {
        Verdict::Refuted(result, said) => fail(change, run, result, Some(said)),
        Verdict::Proven(result) => {
            end_well(change, run, result, message);
            change.go(Stage::Testing, EventType::VerifyPassed, json!({ "run": number, "result": result }));
        }
        Verdict::Ask(result, why) => {
            if verified {
                change.note(EventType::VerifyPassed, json!({ "run": number }));
            }
            end_well(change, run, result, message);
            let data = json!({ "run": number, "result": result, "reason": why });
            change.go(Stage::Review, EventType::ReviewRequested, data);
        }
    }
}

fn end_well(change: &mut Change, run: Run, result: JobResult, message: Option<String>) {
    let job = &mut change.job;
    job.attempts += 1;
    job.repeated = None;
    job.result = Some(result);
    job.message.clone_from(&message);
    change.end_run(run, End { result, message, lease: LeaseStatus::Released });
}

fn fail(change: &mut Change, run: Run, result: JobResult, message: Option<String>) {
    let (number, class, now) = (run.number, run.error_class, change.now());
    let job = &mut change.job;
    job.attempts += 1;
    job.repeated = Some(retry::tally(job.repeated.as_ref(), result, message.as_deref()));
    let attempts = job.attempts;
    let next = retry::after_failure(job, result, class, now);
    let said = message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    let (stage_result, stage_message) = match next {
        Next::Again(_) | Next::Final => (result, message.clone()),
        Next::Exhausted => {
            (JobResult::RetriesExhausted, Some(format!("retries are used up; the last run ended with {result}{said}")))
        }
        Next::Alike => (JobResult::RepeatedFailure, Some(format!("failed alike each time with {result}{said}"))),
    };
    let mut data =
        json!({ "run": number, "result": stage_result, "cause": result, "message": message, "attempts": attempts });
    change.job.result = Some(stage_result);
    change.job.message = stage_message;
    change.end_run(run, End { result, message, lease: LeaseStatus::Released });
    let verify_failed = result == JobResult::VerifyFailed;
    if verify_failed && next != Next::Final {
        change.note(EventType::VerifyFailed, json!({ "run": number }));
    }
    match next {
        Next::Again(at) => {
            change.job.retry_not_before = Some(at);
            data["retryNotBefore"] = json!(at);
            change.go_back_to_queue(EventType::RetryScheduled, data);
        }
        Next::Exhausted => change.go(Stage::DeadLetter, EventType::DeadLetter, data),
        Next::Final if verify_failed => change.go(Stage::Failed, EventType::VerifyFailed, data),
        Next::Final | Next::Alike => change.go(Stage::Failed, EventType::Failed, data),
    }
}
