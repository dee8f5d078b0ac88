//! What one check found.

/// One check: its name stays the same from release to release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// How it went. What is found is one sentence, without a full stop; trouble never comes without a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok(String),
    /// It works, and may still surprise.
    Warn {
        found: String,
        remedy: String,
    },
    /// Work on the queue cannot go well.
    Fail {
        found: String,
        remedy: String,
    },
    /// Does not apply, or cannot be judged, with the reason.
    Skip(String),
}

impl Check {
    pub(super) fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Ok(found.into()) }
    }

    pub(super) fn warn(name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Warn { found: found.into(), remedy: remedy.into() } }
    }

    pub(super) fn fail(name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Fail { found: found.into(), remedy: remedy.into() } }
    }

    pub(super) fn skip(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Skip(why.into()) }
    }
}
