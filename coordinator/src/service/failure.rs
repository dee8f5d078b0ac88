//! Why a call has no answer, as it goes out; and how the store's errors become that.

use fleet_protocol::{ErrorCode, JobId, Problem};

use crate::store::{CommitError, StoreError};

/// Why a call has no answer of its own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is refused, or cannot be served.
    Problem(Problem),
    /// The same request was answered meanwhile; that answer is the one to give.
    Answered,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Problem(unavailable(&error))
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::AnswerTaken => Self::Answered,
            CommitError::Store(error) => error.into(),
            CommitError::Cycle { ref path } => {
                let cycle = serde_json::json!({ "cycle": path });
                Self::Problem(Problem::new(ErrorCode::DependencyCycle, error.to_string()).with(cycle))
            }
            CommitError::Conflict
            | CommitError::IdTaken
            | CommitError::FileTaken
            | CommitError::KeyTaken
            | CommitError::LockTaken
            | CommitError::ClaimTaken
            | CommitError::NoSeat => Self::Problem(Problem::new(ErrorCode::Conflict, error.to_string())),
        }
    }
}

/// The database's trouble. The caller may try again; we want to know.
pub(crate) fn unavailable(error: &StoreError) -> Problem {
    let code = match error {
        StoreError::Full => ErrorCode::RateLimited,
        _ => ErrorCode::Unavailable,
    };
    let told = match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    tracing::error!(error = told, "the store failed");
    Problem::new(code, told)
}

/// There is no such job, or it is another product's; the two are not told apart.
pub(crate) fn no_job(id: &JobId) -> Problem {
    Problem::new(ErrorCode::NotFound, format!("no job `{id}`"))
}
