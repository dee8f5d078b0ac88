//! A convention for messages of commits: what their first line must look like, and what becomes of one that does not.
//!
//! A rule is what people write down; a [`Convention`] is a rule that was found sound, so that any message can be made to
//! follow it. Patterns are matched in time linear to the text, whatever the pattern.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// What becomes of a run with commits that do not follow the convention.
    #[derive(Default)]
    Otherwise, "choice" {
        /// They get a message that does.
        #[default]
        Reword = "reword",
        /// The run fails; its work is kept.
        Refuse = "refuse",
    }
}

/// A convention as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitRule {
    /// A regular expression that the first line of a message must match.
    pub pattern: String,
    /// The first line that a reworded commit gets, and one of the worker's own; `{subject}` stands for what it was.
    pub message: String,
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// Why a rule cannot be kept to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("`{made}`, which it makes, does not match the pattern")]
    Message { made: String },
}

impl BadRule {
    /// The key of the rule that is wrong.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Pattern { .. } => "pattern",
            Self::Message { .. } => "message",
        }
    }
}

/// A sound rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "CommitRule", into = "CommitRule")]
pub struct Convention {
    rule: CommitRule,
    pattern: Regex,
}

/// What stands for a subject that nothing can be made of.
const NO_SUBJECT: &str = "work of the agent";
/// The most of a subject that is tried, characters.
const LONGEST_SUBJECT: usize = 300;
/// Bytes that a compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 20;

impl TryFrom<CommitRule> for Convention {
    type Error = BadRule;

    fn try_from(rule: CommitRule) -> Result<Self, BadRule> {
        let compiled = RegexBuilder::new(&rule.pattern).size_limit(PATTERN_SIZE).build();
        let pattern = compiled.map_err(|error| BadRule::Pattern {
            pattern: rule.pattern.clone(),
            // The lines before the last show the pattern once more.
            reason: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        })?;
        let made = rule.message.replace("{subject}", NO_SUBJECT);
        if pattern.is_match(&made) { Ok(Self { rule, pattern }) } else { Err(BadRule::Message { made }) }
    }
}

impl From<Convention> for CommitRule {
    fn from(convention: Convention) -> Self {
        convention.rule
    }
}

impl Convention {
    pub const fn otherwise(&self) -> Otherwise {
        self.rule.otherwise
    }

    pub fn pattern(&self) -> &str {
        &self.rule.pattern
    }

    /// Whether the first line of a message is as it should be.
    pub fn is_followed(&self, message: &str) -> bool {
        self.pattern.is_match(subject(message))
    }

    /// A first line for a message that has none which follows: as much of `was` as the pattern lets stand.
    pub fn subject_for(&self, was: &str) -> String {
        let filled = |subject: &str| self.rule.message.replace("{subject}", subject);
        let ends: Vec<usize> = was.char_indices().map(|(at, c)| at + c.len_utf8()).take(LONGEST_SUBJECT).collect();
        let cuts = ends.into_iter().rev().map(|end| filled(was[..end].trim()));
        cuts.into_iter().find(|made| self.pattern.is_match(made)).unwrap_or_else(|| filled(NO_SUBJECT))
    }

    /// The message as it is if it follows, else below a first line that does.
    pub fn fitted(&self, message: &str) -> String {
        if self.is_followed(message) {
            return message.to_owned();
        }
        format!("{}\n\n{message}", self.subject_for(subject(message)))
    }
}

/// The first line of a message.
pub fn subject(message: &str) -> &str {
    message.trim_start().lines().next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(pattern: &str, message: &str) -> CommitRule {
        CommitRule { pattern: pattern.to_owned(), message: message.to_owned(), otherwise: Otherwise::default() }
    }

    fn convention(pattern: &str, message: &str) -> Convention {
        Convention::try_from(rule(pattern, message)).expect("a sound rule")
    }

    #[test]
    fn only_the_first_line_counts() {
        let convention = convention("^(feat|fix): .+[^.]$", "fix: {subject}");
        for (message, follows) in [
            ("feat: add it", true),
            ("feat: add it\n\nAt length.", true),
            ("\n\nfix: it \n", true),
            ("Add it", false),
            ("Add it\n\nfeat: not here", false),
            ("", false),
        ] {
            assert_eq!(convention.is_followed(message), follows, "{message:?}");
        }
    }

    #[test]
    fn what_does_not_follow_is_kept_below_a_line_that_does() {
        let convention = convention("^chore: [a-z].{0,19}$", "chore: {subject}");
        assert_eq!(convention.fitted("chore: fine\n\nx"), "chore: fine\n\nx");
        assert_eq!(convention.fitted("wip\n\nmore\n"), "chore: wip\n\nwip\n\nmore\n");
        assert_eq!(
            convention.fitted("tidy up what nobody ever calls"),
            "chore: tidy up what nobody\n\ntidy up what nobody ever calls"
        );
        assert_eq!(convention.subject_for("WIP"), "chore: work of the agent", "no part of it would do");
        assert_eq!(convention.subject_for(""), "chore: work of the agent");
    }

    #[test]
    fn a_rule_that_cannot_be_kept_to_is_refused_with_the_key_at_fault() {
        let wrong = |pattern, message| Convention::try_from(rule(pattern, message)).expect_err("refused");
        let bad = wrong("^(feat", "feat: {subject}");
        assert_eq!(
            (bad.key(), bad.to_string().as_str()),
            ("pattern", "`^(feat` is not a regular expression: unclosed group")
        );
        let bad = wrong("^feat: ", "{subject}");
        assert_eq!(bad.key(), "message");
        assert!(bad.to_string().contains("`work of the agent`"), "{bad}");
        assert_eq!(wrong("(?:a{1000}){1000}", "a").key(), "pattern", "too large");
    }

    #[test]
    fn a_convention_is_written_as_its_rule_and_read_back_only_when_it_is_sound() {
        let convention = convention("^x", "x {subject}");
        let json = serde_json::to_value(&convention).expect("json");
        assert_eq!(json, serde_json::json!({ "pattern": "^x", "message": "x {subject}", "otherwise": "reword" }));
        let read: Convention = serde_json::from_value(json).expect("a sound rule");
        assert_eq!(CommitRule::from(read), CommitRule::from(convention));
        assert!(serde_json::from_str::<Convention>(r#"{"pattern": "(", "message": "x"}"#).is_err());
    }

    proptest! {
        #[test]
        fn whatever_was_said_can_be_made_to_follow(message in "\\PC{0,40}(\n\\PC{0,10}){0,2}") {
            for (pattern, made) in [("^(feat|fix)(\\(.+\\))?: [a-z].{0,40}$", "fix: {subject}"), ("^[A-Z]+-[0-9]+ ", "X-1 {subject}")] {
                let fitted = convention(pattern, made).fitted(&message);
                prop_assert!(convention(pattern, made).is_followed(&fitted), "{:?}", fitted);
                prop_assert!(fitted.ends_with(&message));
            }
        }
    }
}
