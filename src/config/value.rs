//! The types that settings have, and how each is read from a variable or flag. (From the file they come by serde.)

use std::{num::NonZeroU32, path::PathBuf};

use fleet_protocol::{
    ByteSize, Span,
    convention::CommitRule,
    manifest::{CommandLine, ReviewPolicy, RuntimeName},
};
use serde::{Serialize, de::DeserializeOwned};
use toml::de::DeValue;

use super::model::{Identity, LogFormat};
use crate::confinement::Mode;

/// A type that a setting can have.
pub(crate) trait Setting: Serialize + DeserializeOwned {
    /// What a right value looks like, after "expected".
    const EXPECTED: &'static str;

    /// Reads it as a person types it on the command line or in a variable.
    fn from_text(text: &str) -> Option<Self>;
}

impl Setting for String {
    const EXPECTED: &'static str = "text";
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }
}

impl Setting for NonZeroU32 {
    const EXPECTED: &'static str = "a whole number from 1";
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_text(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl Setting for Span {
    const EXPECTED: &'static str = "a duration such as 90s, 45m, 2h or 1d";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Setting for ByteSize {
    const EXPECTED: &'static str = "a size such as 512MiB or 4GiB";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = "a list of texts";
    fn from_text(text: &str) -> Option<Self> {
        Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

impl Setting for CommandLine {
    const EXPECTED: &'static str = "a command: one line of text, or a list of arguments";
    fn from_text(text: &str) -> Option<Self> {
        Some(Self::Line(text.to_owned()))
    }
}

impl Setting for ReviewPolicy {
    const EXPECTED: &'static str = "auto, manual, or a table such as { approvals = 2, reviewers = [\"ann\"] }";
    fn from_text(text: &str) -> Option<Self> {
        match text.trim() {
            "auto" => Some(Self::Auto),
            "manual" => Some(Self::Manual),
            _ => None,
        }
    }
}

impl Setting for CommitRule {
    const EXPECTED: &'static str = "a table such as { pattern = \"^(feat|fix): \", message = \"fix: {subject}\" }";
    /// The table as it would stand in the file.
    fn from_text(text: &str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Line {
            rule: CommitRule,
        }
        toml::from_str::<Line>(&format!("rule = {text}")).ok().map(|line| line.rule)
    }
}

impl Setting for RuntimeName {
    const EXPECTED: &'static str = "local or docker";
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

impl Setting for Identity {
    const EXPECTED: &'static str = "a name and an address, such as Ann <ann@example.org>";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "auto, text or json";
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

impl Setting for Mode {
    const EXPECTED: &'static str = "auto, required or off";
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

/// Names a value of the file for people: after "found".
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() <= 40 => format!("the text \"{}\"", text.escape_debug()),
        DeValue::String(_) => "a long text".to_owned(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(truth) => format!("{truth}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
