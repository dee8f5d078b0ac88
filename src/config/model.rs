//! The configuration, resolved: plain values for the rest of the program.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
};

use fleet_protocol::{
    ByteSize, Project, Span,
    manifest::{Defaults, RuntimeName},
};
use serde::{Deserialize, Serialize};

use super::{
    layers::Entry,
    mistake::{ConfigError, Warning},
    place::Place,
    secret::Secret,
};
use crate::confinement::Mode;

/// Everything the user configured. Paths are absolute.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the program was started.
    pub(crate) cwd: PathBuf,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    pub(crate) product: String,
    /// Where queue and state lie; none outside of any fleet and repository.
    pub(super) place: Option<Place>,
    /// Folders that were named by variable or flag: they hold wherever a fleet lies.
    pub(super) named: NamedFolders,
    pub(crate) worker: WorkerSettings,
    pub(crate) coordinator: CoordinatorSettings,
    pub(crate) workspaces: WorkspaceSettings,
    pub(crate) logs: LogSettings,
    pub(crate) retention: RetentionSettings,
    pub(crate) defaults: Defaults,
    pub(crate) confinement: ConfinementSettings,
    /// Who commits; none for the user as git knows them.
    pub(crate) identity: Option<Identity>,
    pub(crate) logging: Logging,
    /// `[engines.NAME]` as written.
    pub(crate) engines: BTreeMap<String, EngineTable>,
    /// `[projects.NAME]`, by name; a repository is an absolute path or an address.
    pub(crate) projects: Vec<Project>,
    /// `[secrets]`: where the worker finds values.
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// The person at the keyboard, for the history: `operator:NAME`.
    pub(crate) actor: String,
    /// The user's own folder of `fleet`, `$XDG_CONFIG_HOME/fleet`; it need not exist.
    pub(crate) user_folder: Option<PathBuf>,
    /// Holds "now" in test mode.
    pub(crate) clock_file: Option<PathBuf>,
    /// Each setting with its origin, for `fleet config`.
    pub(crate) entries: Vec<Entry>,
    pub(crate) warnings: Vec<Warning>,
}

impl Config {
    /// Where queue and state lie; an error that says what to do when there is no such place.
    pub(crate) fn place(&self) -> Result<&Place, ConfigError> {
        self.place.as_ref().ok_or(ConfigError::NoPlace)
    }

    /// Where queue and state of a new fleet in `root` lie.
    pub(crate) fn new_place(&self, root: &Path) -> Place {
        Place {
            root: root.to_owned(),
            queue: self.named.queue.clone().unwrap_or_else(|| root.join("tasks")),
            state: self.named.state.clone().unwrap_or_else(|| root.join(".fleet")),
        }
    }
}

/// Folders named by variable or flag, absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NamedFolders {
    pub(super) queue: Option<PathBuf>,
    pub(super) state: Option<PathBuf>,
}

/// `[worker]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    /// Seats.
    pub(crate) max: NonZeroU32,
    pub(crate) runtime: RuntimeName,
    /// Added to what is detected.
    pub(crate) capabilities: Vec<String>,
    pub(crate) checkpoint: Span,
    /// Ceiling of one run's process tree.
    pub(crate) memory: ByteSize,
    pub(crate) processes: NonZeroU32,
    /// Processors; none is no ration.
    pub(crate) cpus: Option<NonZeroU32>,
    pub(crate) cgroups: bool,
    /// How long an agent may say nothing; none is for ever.
    pub(crate) silence: Option<Span>,
    pub(crate) health_every: Span,
    pub(crate) poll: Span,
    /// Whether the queue folder is watched, too.
    pub(crate) notify: bool,
}

/// `[coordinator]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoordinatorSettings {
    pub(crate) lease_ttl: Span,
    pub(crate) reap_every: Span,
    pub(crate) start_limit: Span,
    pub(crate) stale_after: Span,
    pub(crate) stall_after: Span,
    pub(crate) unknown_dep_after: Span,
}

impl CoordinatorSettings {
    /// How often a worker renews: a third of the lease.
    pub(crate) const fn renew_every(&self) -> Span {
        Span::from_millis(self.lease_ttl.millis() / 3)
    }
}

/// `[workspaces]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkspaceSettings {
    /// How many there may be.
    pub(crate) max: NonZeroU32,
    /// How much they may fill together.
    pub(crate) disk: ByteSize,
    /// What the disk must have left.
    pub(crate) min_free: ByteSize,
}

/// `[logs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// How much of one stream of one run is kept.
    pub(crate) max_stream: ByteSize,
}

/// `[retention]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetentionSettings {
    pub(crate) max_age: Span,
    /// None: of all.
    pub(crate) max_jobs: Option<NonZeroU32>,
}

/// `[confinement]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfinementSettings {
    pub(crate) mode: Mode,
    /// Absolute.
    pub(crate) read: Vec<PathBuf>,
    /// Absolute.
    pub(crate) write: Vec<PathBuf>,
}

/// `git.identity`: a name and an address, as git writes them: `Ann <ann@example.org>`. Neither is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) email: String,
}

impl FromStr for Identity {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "no name and address";
        let (name, rest) = text.split_once('<').ok_or(WRONG)?;
        let email = rest.trim_end().strip_suffix('>').ok_or(WRONG)?;
        let (name, email) = (name.trim(), email.trim());
        let is_right = |part: &str| !part.is_empty() && !part.contains(['<', '>', '\n', '\r', '\0']);
        let both = is_right(name) && is_right(email);
        both.then(|| Self { name: name.to_owned(), email: email.to_owned() }).ok_or(WRONG)
    }
}

impl TryFrom<String> for Identity {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        format!("{} <{}>", identity.name, identity.email)
    }
}

/// `[logging]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logging {
    /// A level or filter directives; each verb has its own level when left out.
    pub(crate) level: Option<String>,
    pub(crate) format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// One `[engines.NAME]`, not looked into here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EngineTable {
    pub(crate) table: toml::Table,
    /// The file it stands in; a relative program is relative to its folder.
    pub(crate) file: PathBuf,
    /// Line of its header, from 1.
    pub(crate) line: usize,
}
