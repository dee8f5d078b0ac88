//! What is wrong with a file, where, and what would be right.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One mistake in a task file, a profile or a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mistake {
    /// Counts from 1; 0 where there is no text to point into (a manifest that came as JSON).
    pub line: usize,
    /// Counts characters from 1; 0 like `line`.
    pub column: usize,
    /// The key whose value is wrong, as its writer spells it and with a dot where it is nested; none where it is no key's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// Something that is not wrong but probably not meant, for example an unknown key.
pub type Warning = Mistake;

/// How the rules word it when what they refuse may be a secret itself.
const ON_A_SECRET: [&str; 3] = ["holds a password", "takes names of secrets", "holds what looks like"];

impl Mistake {
    /// Whether the line that it stands on may hold a secret, and so must not be shown again.
    pub fn may_stand_on_a_secret(&self) -> bool {
        ON_A_SECRET.iter().any(|words| self.message.contains(words))
    }
}

impl fmt::Display for Mistake {
    /// `line:column: message (help)`, without a position where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Every mistake of one file, in the order of the file. Never empty where it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// `file:line:column: message (help)`, one line each.
    pub fn in_file(&self, file: &str) -> String {
        let line = |mistake: &Mistake| match mistake.line {
            0 => format!("{file}: {mistake}"),
            _ => format!("{file}:{mistake}"),
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Mistakes {
    /// One mistake a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_shown_only_where_there_is_one() {
        let mut mistake = Mistake { line: 3, column: 7, key: None, message: "no".into(), help: Some("yes".into()) };
        let both = Mistakes(vec![mistake.clone(), Mistake { line: 0, column: 0, help: None, ..mistake.clone() }]);
        assert_eq!(both.to_string(), "3:7: no (yes)\nno");
        assert_eq!(both.in_file("a.md"), "a.md:3:7: no (yes)\na.md: no");
        mistake.line = 0;
        assert_eq!(mistake.to_string(), "no (yes)");
    }
}
