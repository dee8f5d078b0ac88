//! Why something behind the command line could not be done, with the exit code that fits.

use fleet_coordinator::{OpenError, clock::ClockError};
use fleet_protocol::{ExitCode, Problem};

use crate::{catalogue::CatalogueError, queue::QueueError, workspace::WorkspaceError};

/// Why something behind the command line could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Problem(#[from] Problem),
    /// `holder` says who, as exactly as it is known.
    #[error("{holder}")]
    AlreadyRunning { holder: String },
    #[error("the test clock does not work")]
    Clock(#[from] ClockError),
    /// Anything else, with the exit code and the next step that fit it.
    #[error("{message}")]
    Other {
        exit: ExitCode,
        message: String,
        help: Option<String>,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Fault {
    /// A fault with its exit code and the next step.
    pub(super) fn new(exit: ExitCode, message: impl Into<String>, help: Option<&str>) -> Self {
        Self::Other { exit, message: message.into(), help: help.map(str::to_owned), source: None }
    }

    pub(super) fn of(
        exit: ExitCode,
        error: impl std::error::Error + Send + Sync + 'static,
        help: Option<&str>,
    ) -> Self {
        Self::Other { exit, message: error.to_string(), help: help.map(str::to_owned), source: None }.because(&error)
    }

    /// Adds what caused the error, as its chain tells it.
    fn because(self, error: &dyn std::error::Error) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        match self {
            Self::Other { exit, message, help, .. } if !causes.is_empty() => {
                Self::Other { exit, message, help, source: Some(causes.join(": ").into()) }
            }
            other => other,
        }
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        let exit = match &error {
            OpenError::Newer { .. } | OpenError::Foreign { .. } => ExitCode::Usage,
            _ => ExitCode::Failed,
        };
        Self::of(exit, error, None)
    }
}

impl From<QueueError> for Fault {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Store(problem) => Self::Problem(problem),
            QueueError::AlreadyRunning { .. } => Self::AlreadyRunning { holder: error.to_string() },
            other => Self::of(other.exit(), other, None),
        }
    }
}

impl From<CatalogueError> for Fault {
    fn from(error: CatalogueError) -> Self {
        Self::of(ExitCode::Usage, error, Some("`fleet profile validate` shows each mistake"))
    }
}

impl From<WorkspaceError> for Fault {
    fn from(error: WorkspaceError) -> Self {
        use WorkspaceError as E;
        let exit = match &error {
            E::Missing { .. }
            | E::NotLocal { .. }
            | E::NotARepository { .. }
            | E::NoCommits { .. }
            | E::DetachedHead { .. }
            | E::UnknownBase { .. }
            | E::Unsupported { .. }
            | E::Scope { .. } => ExitCode::Usage,
            E::NothingSaved { .. } => ExitCode::NotFound,
            _ => ExitCode::Failed,
        };
        Self::of(exit, error, None)
    }
}
