//! What an agent's end means: its own claim of success, a failure with its name, or a stop that is not its fault. Pure.

use fleet_protocol::{JobResult, Run, run::ErrorClass};

use crate::{
    engine::{Cause, Conclusion},
    runtime::{Exceeded, ExitRecord, Reason, Resource, StartFailureKind},
};

/// Somebody else sent a signal to the run's shim.
const STOPPED: &str = "it was stopped from outside";
/// So many runs in a row may end like that and cost nothing.
const STOPS: usize = 2;

/// What follows from how an agent ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Course {
    /// It claims success: now prove it.
    Prove,
    /// It failed.
    Failed(Failing),
    /// The engine's session is not there any more: the same again with a new one.
    Anew,
    /// It was stopped by us: the job goes back, no attempt is charged.
    HandBack(&'static str),
    /// The job is not ours any more; nothing may be reported.
    Silence,
}

/// A failure with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failing {
    pub(super) result: JobResult,
    pub(super) class: Option<ErrorClass>,
    /// One sentence for people.
    pub(super) message: String,
}

/// Judges a run. `record` is none when nobody saw it end; `changed` says whether the workspace differs from its start.
pub(super) fn judge(record: Option<&ExitRecord>, conclusion: &Conclusion, changed: bool) -> Course {
    let failed = |result, message: String| Course::Failed(Failing { result, class: None, message });
    let Some(record) = record else {
        return failed(JobResult::Crash, "the process that watched over the run was killed".to_owned());
    };
    match record.reason {
        Reason::Exited => of_its_own(conclusion, changed),
        Reason::FailedToStart => {
            let failure = record.failure.as_ref();
            let missing = failure.is_some_and(|failure| failure.kind == StartFailureKind::NotFound);
            let message = failure.map_or_else(|| "nothing was started".to_owned(), |failure| failure.message.clone());
            let message = if missing { missing_binary(&message) } else { message };
            failed(if missing { JobResult::NoEngine } else { JobResult::AgentFailed }, message)
        }
        Reason::Timeout => failed(JobResult::Timeout, "the run's time was up".to_owned()),
        Reason::Budget => failed(JobResult::BudgetExceeded, "the run's budget was spent".to_owned()),
        Reason::ResourceExceeded => failed(JobResult::ResourceExceeded, exceeded(record)),
        Reason::Stalled => failed(JobResult::Timeout, "nothing came from the agent for too long".to_owned()),
        Reason::Drained => Course::HandBack("the runner was asked to end"),
        Reason::Preempted => Course::HandBack("another job went first"),
        Reason::OwnerGone => Course::HandBack("its runner was gone"),
        Reason::Stopped => Course::HandBack(STOPPED),
        Reason::Cancelled | Reason::LeaseLost => Course::Silence,
    }
}

/// Whether a launch that ended while nobody watched says something about the work. What was killed from outside, or ended
/// for want of a runner, does not: it most likely went down with its runner.
pub(super) fn is_its_own_end(record: &ExitRecord) -> bool {
    /// By number: hang-up, interrupt, quit, kill, terminate. They come from people, the system and its memory killer.
    const FROM_OUTSIDE: [i32; 5] = [1, 2, 3, 9, 15];
    match record.reason {
        Reason::Exited => record.signal.is_none_or(|signal| !FROM_OUTSIDE.contains(&signal)),
        Reason::FailedToStart | Reason::Timeout | Reason::Budget | Reason::Stalled | Reason::ResourceExceeded => true,
        Reason::OwnerGone
        | Reason::Stopped
        | Reason::Cancelled
        | Reason::Drained
        | Reason::Preempted
        | Reason::LeaseLost => false,
    }
}

/// Says that an agent's program is missing, with its code and what to do about it.
pub(super) fn missing_binary(what: &str) -> String {
    format!(
        "agent_binary_not_found: {what}; install it, put it on the PATH of the runner, or name it as `command` of its engine"
    )
}

/// Which ceiling a run went over, and by how much.
pub(super) fn exceeded(record: &ExitRecord) -> String {
    let Some(Exceeded { resource, used, ceiling }) = record.exceeded else {
        return "the run used more than it may".to_owned();
    };
    match resource {
        Resource::Memory => format!(
            "its processes used {} of memory, and {} are its ceiling (`limits: {{memory}}` of the task, else `[worker] memory`)",
            mebibytes(used),
            mebibytes(ceiling),
        ),
        Resource::Processes => {
            format!("it was {used} processes, and {ceiling} are its ceiling (`[worker] processes`)")
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// The third run in a row that something outside stopped is a crash: handed back each time, it would be started for ever.
pub(super) fn unless_again(course: Course, earlier: &[Run]) -> Course {
    let was_stopped = |run: &&Run| run.result == Some(JobResult::Preempted) && run.message.as_deref() == Some(STOPPED);
    if course != Course::HandBack(STOPPED) || earlier.iter().rev().take_while(was_stopped).count() < STOPS {
        return course;
    }
    let message = format!("{STOPPED}, {} times in a row", STOPS + 1);
    Course::Failed(Failing { result: JobResult::Crash, class: None, message })
}

fn of_its_own(conclusion: &Conclusion, changed: bool) -> Course {
    if let Some(failure) = conclusion.failure(changed) {
        if failure.cause == Cause::Session {
            return Course::Anew;
        }
        return Course::Failed(Failing {
            result: failure.result(),
            class: failure.class,
            message: failure.message.clone(),
        });
    }
    match &conclusion.question {
        // An open question is not done, however calm the exit code.
        Some(question) => Course::Failed(Failing {
            result: JobResult::AgentFailed,
            class: None,
            message: format!("the agent asks: {}", question.text),
        }),
        None => Course::Prove,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Failure, Question, Verdict},
        runtime::{OwnedBy, Token},
    };
    use fleet_protocol::job::Usage;

    fn record(reason: Reason) -> ExitRecord {
        ExitRecord {
            token: Token::random().expect("randomness"),
            reason,
            failure: None,
            exit_code: Some(0),
            signal: None,
            boot_id: String::new(),
            started_ms: 0,
            duration_ms: 1,
            leftovers: 0,
            forced: 0,
            survivors: 0,
            owned_by: OwnedBy::ProcessTable,
            exceeded: None,
            peak_memory: None,
            cpu_ms: None,
            read_bytes: None,
            written_bytes: None,
        }
    }

    fn conclusion(verdict: Verdict) -> Conclusion {
        Conclusion {
            verdict,
            usage: Usage::UNKNOWN,
            session_id: None,
            summary: None,
            no_changes_claimed: false,
            question: None,
            status: None,
            artifacts: Vec::new(),
        }
    }

    fn failing(cause: Cause, class: Option<ErrorClass>) -> Failure {
        Failure { cause, class, message: "trouble".to_owned() }
    }

    #[test]
    fn a_claim_of_success_is_only_a_reason_to_look() {
        assert_eq!(judge(Some(&record(Reason::Exited)), &conclusion(Verdict::Ok), false), Course::Prove);
    }

    #[test]
    fn every_other_end_has_its_name() {
        let ok = conclusion(Verdict::Ok);
        for (reason, result) in [
            (Reason::Timeout, JobResult::Timeout),
            (Reason::Stalled, JobResult::Timeout),
            (Reason::Budget, JobResult::BudgetExceeded),
            (Reason::ResourceExceeded, JobResult::ResourceExceeded),
            (Reason::FailedToStart, JobResult::AgentFailed),
        ] {
            assert!(
                matches!(judge(Some(&record(reason)), &ok, true), Course::Failed(failing) if failing.result == result),
                "{reason:?}"
            );
        }
        for reason in [Reason::Drained, Reason::Preempted, Reason::OwnerGone, Reason::Stopped] {
            assert!(matches!(judge(Some(&record(reason)), &ok, true), Course::HandBack(_)), "{reason:?}");
        }
        for reason in [Reason::Cancelled, Reason::LeaseLost] {
            assert_eq!(judge(Some(&record(reason)), &ok, true), Course::Silence, "{reason:?}");
        }
        assert!(matches!(judge(None, &ok, true), Course::Failed(failing) if failing.result == JobResult::Crash));
    }

    #[test]
    fn a_run_that_went_over_a_ceiling_says_over_which_and_how_far() {
        let memory = Exceeded { resource: Resource::Memory, used: (5 << 30) + 1, ceiling: 4 << 30 };
        let told = |over| exceeded(&ExitRecord { exceeded: Some(over), ..record(Reason::ResourceExceeded) });
        assert!(told(memory).starts_with("its processes used 5121 MiB of memory, and 4096 MiB are its ceiling"));
        let processes = Exceeded { resource: Resource::Processes, used: 513, ceiling: 512 };
        assert!(told(processes).starts_with("it was 513 processes, and 512 are its ceiling"));
    }

    #[test]
    fn a_calm_exit_with_an_auth_error_and_no_work_is_an_auth_error() {
        let doubtful = conclusion(Verdict::Doubtful(failing(Cause::Engine, Some(ErrorClass::Auth))));
        let record = record(Reason::Exited);
        assert!(
            matches!(judge(Some(&record), &doubtful, false), Course::Failed(failing) if failing.result == JobResult::AuthError)
        );
        assert_eq!(judge(Some(&record), &doubtful, true), Course::Prove, "work disproves it");
    }

    #[test]
    fn what_went_down_with_its_runner_says_nothing_about_the_work() {
        let killed = |signal| ExitRecord { exit_code: None, signal: Some(signal), ..record(Reason::Exited) };
        for own in [record(Reason::Exited), record(Reason::Timeout), record(Reason::FailedToStart), killed(11)] {
            assert!(is_its_own_end(&own), "{own:?}");
        }
        for other in [killed(9), killed(15), record(Reason::OwnerGone), record(Reason::Drained)] {
            assert!(!is_its_own_end(&other), "{other:?}");
        }
    }

    #[test]
    fn a_lost_session_is_no_failure_and_an_open_question_is_no_success() {
        let lost = conclusion(Verdict::Failed(failing(Cause::Session, None)));
        assert_eq!(judge(Some(&record(Reason::Exited)), &lost, false), Course::Anew);
        let question = Question { text: "Which one?".to_owned(), options: Vec::new(), default: None };
        let asking = Conclusion { question: Some(question), ..conclusion(Verdict::Ok) };
        assert!(
            matches!(judge(Some(&record(Reason::Exited)), &asking, true), Course::Failed(failing) if failing.message.contains("Which one?"))
        );
    }
}
