//! `[secrets]`: where the worker finds values, and who may see them. Holds no value.

use std::path::{Path, PathBuf};

use fleet_protocol::secret::FORGE_TOKENS;
use serde::Deserialize;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) source: SecretSource,
    pub(crate) audience: Audience,
}

/// Where a secret's value is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// A variable of the worker's environment.
    Env(String),
    /// A file; trailing line ends are not part of the value.
    File(PathBuf),
    /// A program and its arguments, whose output is the value.
    Command(Vec<String>),
}

/// Who may see a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Audience {
    /// Agents whose task names it.
    Agent,
    /// What the worker itself does for a job, and no agent.
    Helper,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    env: Option<String>,
    file: Option<PathBuf>,
    command: Option<Vec<String>>,
    #[serde(rename = "for")]
    audience: Option<Audience>,
}

impl Written {
    /// The entry of this name; a file is relative to `folder`. None unless it names exactly one place.
    ///
    /// Tokens of forges are for helpers unless the entry says otherwise.
    pub(super) fn read(self, name: &str, folder: &Path) -> Option<Secret> {
        let source = match (self.env, self.file, self.command) {
            (Some(variable), None, None) => SecretSource::Env(variable),
            (None, Some(file), None) => SecretSource::File(folder.join(file)),
            (None, None, Some(argv)) => SecretSource::Command(argv),
            _ => return None,
        };
        let usual = if FORGE_TOKENS.contains(&name) { Audience::Helper } else { Audience::Agent };
        Some(Secret { source, audience: self.audience.unwrap_or(usual) })
    }
}

impl Secret {
    /// What may be shown: arguments of a command may themselves be secret.
    pub(crate) fn shown(&self) -> String {
        let mask = super::layers::MASK;
        let from = match &self.source {
            SecretSource::Env(name) => format!("from the variable {name}"),
            SecretSource::File(path) => format!("from the file {}", path.display()),
            SecretSource::Command(argv) => format!("printed by {}", argv.first().map_or("nothing", String::as_str)),
        };
        match self.audience {
            Audience::Agent => format!("{mask} ({from})"),
            Audience::Helper => format!("{mask} ({from}; no agent is given it)"),
        }
    }
}
