//! The one shape of an error, everywhere: `{"error": {"code", "message", "details"}}`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{exit::ExitCode, words::words};

words! {
    /// The stable code of an error (requirements, convention 4).
    ErrorCode, "error code" {
        InvalidRequest = "invalid_request",
        InvalidEpoch = "invalid_epoch",
        DependencyCycle = "dependency_cycle",
        Unauthorized = "unauthorized",
        TokenExpired = "token_expired",
        Forbidden = "forbidden",
        NotFound = "not_found",
        Fenced = "fenced",
        Conflict = "conflict",
        IdempotencyConflict = "idempotency_conflict",
        InvalidTransition = "invalid_transition",
        TooLarge = "too_large",
        UpgradeRequired = "upgrade_required",
        RateLimited = "rate_limited",
        Unavailable = "unavailable",
    }
}

impl ErrorCode {
    /// The HTTP status that carries it.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::InvalidEpoch | Self::DependencyCycle => 400,
            Self::Unauthorized | Self::TokenExpired => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Fenced | Self::Conflict | Self::IdempotencyConflict | Self::InvalidTransition => 409,
            Self::TooLarge => 413,
            Self::UpgradeRequired => 426,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
        }
    }

    /// The exit code of a command that ends with it.
    pub const fn exit(self) -> ExitCode {
        match self {
            Self::InvalidRequest
            | Self::InvalidEpoch
            | Self::DependencyCycle
            | Self::TooLarge
            | Self::UpgradeRequired => ExitCode::Usage,
            Self::Unauthorized | Self::TokenExpired => ExitCode::Unauthorised,
            Self::Forbidden => ExitCode::Refused,
            Self::NotFound => ExitCode::NotFound,
            Self::Fenced | Self::Conflict | Self::IdempotencyConflict | Self::InvalidTransition => ExitCode::Conflict,
            Self::RateLimited | Self::Unavailable => ExitCode::Unreachable,
        }
    }

    /// Whether the same request may succeed later without anyone changing anything.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }
}

/// An error as it crosses the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub code: ErrorCode,
    /// One sentence: what is wrong, and what would be right.
    pub message: String,
    /// More, by code: `currentEpoch`, `expectedOffset`, `actions`, `errors`, `cycle`, ….
    #[serde(default)]
    pub details: Value,
}

impl Problem {
    /// A problem without details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: json!({}) }
    }

    /// The same problem with details, an object.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemBody {
    pub error: Problem,
}
