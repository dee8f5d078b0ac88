//! Why a run cannot go on: the job's own fault, or this machine's. Only the job's fault ends the job.

use fleet_protocol::{JobResult, Problem};

use super::{
    judge::{Failing, missing_binary},
    leases::is_passing,
    mask::Mask,
    secret::SecretError,
};
use crate::{
    engine::{EngineError, NoEngine},
    runtime::RuntimeError,
    workspace::WorkspaceError,
};

/// An obstacle on the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The job fails with this.
    #[error("{}", .0.message)]
    Job(Failing),
    /// The machine is in the way (no room, no permission): the job goes back and costs no attempt.
    #[error("{0}")]
    Machine(String),
    /// The coordinator refused a report: the job is not ours any more.
    #[error("the coordinator refused: {0}")]
    Refused(Problem),
}

impl Trouble {
    pub(super) fn job(result: JobResult, message: impl Into<String>) -> Self {
        Self::Job(Failing { result, class: None, message: message.into() })
    }

    /// The same, told without any secret.
    pub(super) fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::Job(failing) => Self::Job(Failing { message: mask.text(&failing.message), ..failing }),
            Self::Machine(why) => Self::Machine(mask.text(&why)),
            Self::Refused(problem) => Self::Refused(problem),
        }
    }

    /// A file operation of the worker itself that failed.
    pub(super) fn io(verb: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Machine(format!("cannot {verb} {}: {error}", path.display()))
    }
}

/// The error and all that caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Whether a file is not what it has to be, in contrast to a disk that is full or a folder that is closed.
fn is_misplaced(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(
        error.kind(),
        K::NotFound | K::NotADirectory | K::IsADirectory | K::DirectoryNotEmpty | K::AlreadyExists | K::InvalidInput
    )
}

impl From<WorkspaceError> for Trouble {
    fn from(error: WorkspaceError) -> Self {
        use WorkspaceError as E;
        let message = chain(&error);
        match error {
            // Trying again does not mend what somebody put where the workspace's own files should be.
            E::Io { source, .. } if is_misplaced(&source) => Self::job(JobResult::DirtyWorkspace, message),
            E::Record { .. } => Self::job(JobResult::DirtyWorkspace, message),
            E::Io { .. } | E::NoGit { .. } | E::NotSaved { .. } | E::TooSlow { .. } => Self::Machine(message),
            E::DirtyWorkspace { .. } => Self::job(JobResult::DirtyWorkspace, message),
            E::ProtectedBranch { .. } => Self::job(JobResult::ProtectedBranch, message),
            E::Missing { .. }
            | E::NotLocal { .. }
            | E::NotARepository { .. }
            | E::NoCommits { .. }
            | E::DetachedHead { .. }
            | E::UnknownBase { .. }
            | E::Unsupported { .. }
            | E::Scope { .. } => Self::job(JobResult::InvalidManifest, message),
            E::UnusableCheckpoint { .. }
            | E::NothingSaved { .. }
            | E::BrokenObject { .. }
            | E::Program { .. }
            | E::Git { .. } => Self::job(JobResult::AgentFailed, message),
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        if is_passing(&problem) { Self::Machine(problem.message) } else { Self::Refused(problem) }
    }
}

impl From<RuntimeError> for Trouble {
    fn from(error: RuntimeError) -> Self {
        match error {
            // Its message holds what was seen last; trying again at once would show the same.
            RuntimeError::NotRunning { .. } => Self::job(JobResult::Timeout, chain(&error)),
            error => Self::Machine(chain(&error)),
        }
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        Self::job(JobResult::InvalidManifest, chain(&error))
    }
}

impl From<NoEngine> for Trouble {
    fn from(error: NoEngine) -> Self {
        let message = chain(&error);
        let message = if error.missing.is_empty() { message } else { missing_binary(&message) };
        Self::job(JobResult::NoEngine, message)
    }
}

impl From<SecretError> for Trouble {
    fn from(error: SecretError) -> Self {
        Self::job(JobResult::InvalidManifest, chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use super::*;

    #[test]
    fn a_run_that_did_not_start_in_time_fails_with_what_was_seen_last() {
        let late = RuntimeError::NotRunning {
            path: PathBuf::from("/runs/1/agent"),
            waited: Duration::from_secs(120),
            seen: "its shim was up, and had not got the agent to run",
            said: "fleet shim: cannot open agent.json".to_owned(),
        };
        let Trouble::Job(failing) = Trouble::from(late) else { panic!("it is not this machine's trouble alone") };
        assert_eq!(failing.result, JobResult::Timeout);
        assert_eq!(
            failing.message,
            "the agent was not running after 120s: its shim was up, and had not got the agent to run; \
             its last lines: fleet shim: cannot open agent.json"
        );
    }

    #[test]
    fn a_branch_that_is_not_ours_ends_the_run_as_protected() {
        let refused = WorkspaceError::ProtectedBranch { name: "refs/heads/main".to_owned() };
        let Trouble::Job(failing) = Trouble::from(refused) else { panic!("it is the job's trouble") };
        assert_eq!(failing.result, JobResult::ProtectedBranch);
        assert!(failing.message.contains("refs/heads/main"), "{}", failing.message);
    }
}
