//! The fields of a manifest that are more than a word or a list: commands, budgets, retries, reviews, scopes, limits.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{size::ByteSize, span::Span, words::words};

/// A command: a line for `sh -c`, or an argument vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommandLine {
    Line(String),
    Argv(Vec<String>),
}

impl CommandLine {
    /// The argument vector to execute.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Line(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
            Self::Argv(argv) => argv.clone(),
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => f.write_str(line),
            Self::Argv(argv) => f.write_str(&argv.join(" ")),
        }
    }
}

/// Ceilings of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Budget {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<Span>,
}

/// When a failed run is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retry {
    /// Further runs after the first. Left out, the defaults decide ([`merge`](super::merge()) fills it in).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Wait before each of them.
    pub backoff: Backoff,
    /// Which failures; `RetryOn::DEFAULT` when left out.
    pub on: Vec<RetryOn>,
    /// Start from the checkpoint (default) or from the base.
    pub resume: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max: None, backoff: Backoff::Exp, on: RetryOn::DEFAULT.to_vec(), resume: true }
    }
}

impl Retry {
    /// Further runs when neither a task nor the configuration says.
    pub const MAX: u32 = 3;

    /// Further runs after the first.
    pub fn most(&self) -> u32 {
        self.max.unwrap_or(Self::MAX)
    }
}

/// How long to wait before a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Backoff {
    /// The same wait each time.
    Fixed(Span),
    /// `exp`: the series of the configuration; [`Series::USUAL`] where it has none.
    Exp,
    /// `30s x2 to 1h`: this series.
    Series(Series),
}

/// Waits that grow: the first, times the factor each time, up to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    pub first: Span,
    pub factor: NonZeroU32,
    pub most: Span,
}

impl Series {
    /// 30 s, doubled each time, at most an hour.
    pub const USUAL: Self = Self {
        first: Span::from_millis(30_000),
        factor: NonZeroU32::new(2).expect("two is not zero"),
        most: Span::from_millis(3_600_000),
    };

    /// The wait before retry number `n`, from 1.
    pub fn wait(self, n: u32) -> Span {
        let factor = u64::from(self.factor.get()).saturating_pow(n.saturating_sub(1));
        Span::from_millis(self.first.millis().saturating_mul(factor).min(self.most.millis()))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x{} to {}", self.first, self.factor, self.most)
    }
}

impl FromStr for Series {
    type Err = NotABackoff;
    fn from_str(text: &str) -> Result<Self, NotABackoff> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let read = || match words[..] {
            [first, factor, "to", most] => Some(Self {
                first: first.parse().ok()?,
                factor: factor.strip_prefix('x')?.parse().ok()?,
                most: most.parse().ok()?,
            }),
            _ => None,
        };
        read().ok_or_else(|| NotABackoff(text.to_owned()))
    }
}

impl Backoff {
    /// The wait before retry number `n`, from 1.
    pub fn wait(self, n: u32) -> Span {
        match self {
            Self::Fixed(span) => span,
            Self::Exp => Series::USUAL.wait(n),
            Self::Series(series) => series.wait(n),
        }
    }
}

impl From<Backoff> for String {
    fn from(backoff: Backoff) -> Self {
        match backoff {
            Backoff::Fixed(span) => span.to_string(),
            Backoff::Exp => "exp".to_owned(),
            Backoff::Series(series) => series.to_string(),
        }
    }
}

/// Text that is not a backoff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no backoff: write a duration such as 30s, exp, or a series such as 30s x2 to 1h")]
pub struct NotABackoff(String);

impl FromStr for Backoff {
    type Err = NotABackoff;
    fn from_str(text: &str) -> Result<Self, NotABackoff> {
        if text == "exp" {
            return Ok(Self::Exp);
        }
        text.parse().map(Self::Fixed).or_else(|_| text.parse().map(Self::Series))
    }
}

impl TryFrom<String> for Backoff {
    type Error = NotABackoff;
    fn try_from(text: String) -> Result<Self, NotABackoff> {
        text.parse()
    }
}

words! {
    /// A kind of failure that a retry policy may name.
    RetryOn, "retry class" {
        Timeout = "timeout",
        VerifyFailed = "verify_failed",
        Crash = "crash",
        AgentFailed = "agent_failed",
        ResourceExceeded = "resource_exceeded",
        BudgetExceeded = "budget_exceeded",
        LeaseExpired = "lease_expired",
        /// Rate limits, overload, network trouble of the engine.
        Transient = "transient",
    }
}

impl RetryOn {
    /// What is tried again when a policy does not say: everything but a spent budget, which a retry would only spend again.
    pub const DEFAULT: &'static [Self] = &[
        Self::Timeout,
        Self::VerifyFailed,
        Self::Crash,
        Self::AgentFailed,
        Self::ResourceExceeded,
        Self::LeaseExpired,
        Self::Transient,
    ];
}

/// Who must agree before `testing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewPolicy {
    /// Nobody is asked unless there is no `verify`.
    Auto,
    /// One approval.
    Manual,
    /// So many approvals, of these people when named.
    #[serde(untagged)]
    Quorum {
        #[serde(default = "one")]
        approvals: u32,
        #[serde(default)]
        reviewers: Vec<String>,
    },
}

const fn one() -> u32 {
    1
}

/// Where changes are expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// Globs over paths of the repository.
    pub paths: Vec<String>,
    #[serde(default)]
    pub mode: ScopeMode,
}

words! {
    /// What a change outside the scope does.
    #[derive(Default)]
    ScopeMode, "scope mode" {
        #[default]
        Warn = "warn",
        Enforce = "enforce",
    }
}

/// Ceilings of one run's process tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_is_not_retried_unless_the_policy_says_so() {
        let others: Vec<RetryOn> = RetryOn::ALL.iter().copied().filter(|on| *on != RetryOn::BudgetExceeded).collect();
        assert_eq!(Retry::default().on, others);
    }

    #[test]
    fn exponential_backoff_doubles_from_30_seconds_to_an_hour() {
        let waits: Vec<u64> = (1..=9).map(|n| Backoff::Exp.wait(n).millis() / 1000).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(Backoff::Exp.wait(u32::MAX).millis(), 3_600_000);
    }

    #[test]
    fn a_series_is_written_as_it_is_read_and_grows_as_it_says() {
        let backoff: Backoff = "10s x3 to 2m".parse().unwrap();
        let waits: Vec<u64> = (1..=4).map(|n| backoff.wait(n).millis() / 1000).collect();
        assert_eq!(waits, [10, 30, 90, 120]);
        assert_eq!(String::from(backoff), "10s x3 to 2m");
        for wrong in ["10s x0 to 2m", "10s 3 to 2m", "x3", "10s x3 2m", "10s x3 to never"] {
            assert!(wrong.parse::<Backoff>().is_err(), "{wrong}");
        }
    }
}
