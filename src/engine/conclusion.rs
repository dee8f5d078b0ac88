//! What a finished run amounts to, judged by its exit and by what it said, never by one of them alone.

use fleet_protocol::{JobResult, job::Usage, run::ErrorClass};

use super::marker::Question;

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// The end of a run, as its output and exit tell it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conclusion {
    pub(crate) verdict: Verdict,
    /// Of this run alone.
    pub(crate) usage: Usage,
    pub(crate) session_id: Option<String>,
    /// The last thing that the agent said.
    pub(crate) summary: Option<String>,
    /// The agent said by marker that nothing needs to be changed.
    pub(crate) no_changes_claimed: bool,
    pub(crate) question: Option<Question>,
    /// The last status that the agent set by marker.
    pub(crate) status: Option<String>,
    /// Paths that the agent named by marker, in order, each once.
    pub(crate) artifacts: Vec<String>,
}

/// Whether the engine did its work. (Whether the work is any good is not for the engine to say.)
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Ok,
    /// It claims success, but what it printed looks like a failure to reach its model. A run that changed something has
    /// disproved that; one that changed nothing has failed.
    Doubtful(Failure),
    Failed(Failure),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// None: unknown.
    pub(crate) class: Option<ErrorClass>,
    /// One line for people.
    pub(crate) message: String,
}

/// Where a failure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The engine or its model.
    Engine,
    /// A signal ended it.
    Signal(i32),
    /// It was interrupted and said so.
    Interrupted,
    /// Its limit of turns was reached.
    Turns,
    /// Its price ceiling was reached.
    Budget,
    /// The session to be continued is not there (or the id for a new one is taken): a new session may do.
    Session,
}

impl Conclusion {
    /// Why this run counts as failed, given whether it changed anything.
    pub(crate) fn failure(&self, changed: bool) -> Option<&Failure> {
        match &self.verdict {
            Verdict::Failed(failure) => Some(failure),
            Verdict::Doubtful(failure) if !changed && !self.no_changes_claimed => Some(failure),
            Verdict::Ok | Verdict::Doubtful(_) => None,
        }
    }
}

impl Failure {
    /// The result that a run with this failure ends with.
    pub(crate) const fn result(&self) -> JobResult {
        match (self.cause, self.class) {
            (Cause::Budget, _) => JobResult::BudgetExceeded,
            (Cause::Signal(_), _) => JobResult::Crash,
            (_, Some(ErrorClass::Auth)) => JobResult::AuthError,
            _ => JobResult::AgentFailed,
        }
    }
}

impl Exit {
    /// Whether the process said that it succeeded.
    pub(crate) const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The exit code; none when a signal ended it.
    pub(crate) const fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
        }
    }
}
