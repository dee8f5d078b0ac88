//! What can be wrong with a configuration.

use std::{fmt, path::PathBuf};

use super::{env::EnvironmentError, origin::Origin};

/// One mistake in one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) origin: Origin,
    /// What is wrong, lower case, no full stop.
    pub(crate) message: String,
    /// What would be right.
    pub(crate) help: Option<String>,
    pub(crate) excerpt: Excerpt,
}

/// Something that is not wrong but probably not meant, for example an unknown key.
pub(crate) type Warning = Mistake;

/// Whether the line of a mistake may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excerpt {
    Show,
    /// The line may hold a secret.
    Hide,
}

impl Mistake {
    pub(super) fn new(origin: Origin, message: String) -> Self {
        Self { origin, message, help: None, excerpt: Excerpt::Show }
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With its place, and in brackets what would be right: one line.
    pub(crate) fn with_help(&self) -> String {
        match &self.help {
            Some(help) => format!("{self} ({help})"),
            None => self.to_string(),
        }
    }

    #[must_use]
    pub(super) fn hidden(mut self) -> Self {
        self.excerpt = Excerpt::Hide;
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Default => {}
            Origin::File { path, line, column, .. } => write!(f, "{}:{line}:{column}: ", path.display())?,
            origin => write!(f, "{origin}: ")?,
        }
        f.write_str(&self.message)
    }
}

/// Every mistake of every layer, and the text of the file for excerpts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) mistakes: Vec<Mistake>,
    /// What is only odd, told all the same: it may be what led to a mistake.
    pub(crate) warnings: Vec<Warning>,
    /// Empty when no file was read.
    pub(crate) text: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.as_slice() {
            [only] => write!(f, "the configuration is not valid: {only}"),
            several => write!(f, "the configuration has {} mistakes", several.len()),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Invalid(Box<Invalid>),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("there is no fleet here: no fleet.toml in this folder or above, and no git repository around it")]
    NoPlace,
}
