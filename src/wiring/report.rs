//! What `doctor`, `selftest` and `demo` tell, line by line.

use serde::Serialize;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    Warn,
    Fail,
    Skip,
}

/// One line of `doctor`, `selftest` or `demo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was found, one sentence; where more is known, on further lines.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

/// Takes each check as soon as it is done.
pub(crate) type Report<'r> = &'r mut (dyn FnMut(Check) + Send);
