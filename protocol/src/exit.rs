//! Exit codes of every command. Numbers never change meaning.

/// How a command ended (requirements, convention 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// The thing asked for is done or true.
    Success = 0,
    /// It was tried, and the outcome is negative.
    Failed = 1,
    /// Bad usage or bad input.
    Usage = 2,
    /// No such thing.
    NotFound = 3,
    /// Fenced, wrong stage, duplicate key.
    Conflict = 4,
    /// The coordinator or daemon cannot be reached; safe to retry.
    Unreachable = 5,
    /// Not authorised.
    Unauthorised = 6,
    /// Already running; safe to retry.
    AlreadyRunning = 7,
    /// Refused by policy or budget.
    Refused = 8,
    /// Waited too long.
    TimedOut = 9,
}

impl ExitCode {
    /// Every code, in order.
    pub const ALL: &'static [Self] = &[
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Conflict,
        Self::Unreachable,
        Self::Unauthorised,
        Self::AlreadyRunning,
        Self::Refused,
        Self::TimedOut,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done, or true",
            Self::Failed => "tried, and the outcome is negative",
            Self::Usage => "bad usage or bad input",
            Self::NotFound => "no such thing",
            Self::Conflict => "conflict: fenced, wrong stage, duplicate key",
            Self::Unreachable => "coordinator or daemon cannot be reached (may be retried)",
            Self::Unauthorised => "not authorised",
            Self::AlreadyRunning => "already running (may be retried)",
            Self::Refused => "refused by policy or budget",
            Self::TimedOut => "waited too long",
        }
    }
}
