//! What a shim is asked to run.
//!
//! `Debug` shows neither arguments nor environment: they hold prompts and secrets.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Grouping, Token};
use crate::confinement::Policy;

/// One agent to run: the whole of what the shim needs to know.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// For people: stands in the shim's command record and status, for example `job/run`.
    pub(crate) label: String,
    /// The program and its arguments; never empty. A program without a slash is looked up in the *agent's* `PATH`.
    pub(crate) argv: Vec<String>,
    /// All that the agent gets, beside `FLEET_LAUNCH`.
    pub(crate) env: Environment,
    pub(crate) cwd: PathBuf,
    pub(crate) stdin: Stdin,
    /// File name in the run's folder that standard output is appended to.
    pub(crate) stdout: String,
    /// The same for standard error.
    pub(crate) stderr: String,
    pub(crate) limits: Limits,
    /// What the agent and all below it are held to; none: whatever the user may do.
    #[serde(default)]
    pub(crate) confinement: Option<Policy>,
    #[serde(default)]
    pub(crate) ceilings: Ceilings,
    #[serde(default)]
    pub(crate) grouping: Grouping,
    /// Marks every process of this launch through its environment. The agent knows it.
    pub(crate) token: Token,
    /// Opens the control socket. The agent is not told.
    pub(crate) key: Token,
}

/// What ends a run that does not end by itself. Milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Working time: stands still while the run is paused. Ends it as `timeout`.
    pub(crate) timeout_ms: Option<u64>,
    /// Time since the start, pauses included. Ends it as `budget`. Of the two the one that is reached first names the
    /// end; a tie is a `timeout`.
    pub(crate) wall_ms: Option<u64>,
    /// How long a worker may be silent before the run counts as unowned and is ended as `owner_gone`.
    pub(crate) owner_silence_ms: Option<u64>,
    /// How long nothing may come from the agent, pauses not counted, before it is ended as `stalled`.
    #[serde(default)]
    pub(crate) silence_ms: Option<u64>,
    /// The run is looked at this often at least: whether it lives, what it uses, whether it says anything.
    #[serde(default = "Limits::health_ms")]
    pub(crate) health_ms: u64,
    /// Between the request to end and the force.
    pub(crate) grace_ms: u64,
}

/// How much the processes of a run may use together. None is no ceiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ceilings {
    /// Bytes.
    pub(crate) memory: Option<u64>,
    pub(crate) processes: Option<u32>,
    /// Processors; only kept where the kernel keeps it.
    pub(crate) cpus: Option<f64>,
}

impl Limits {
    /// The usual time to end by itself.
    pub(crate) const GRACE_MS: u64 = 10_000;

    /// The usual time between two looks.
    pub(crate) const fn health_ms() -> u64 {
        30_000
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout_ms: None,
            wall_ms: None,
            owner_silence_ms: None,
            silence_ms: None,
            health_ms: Self::health_ms(),
            grace_ms: Self::GRACE_MS,
        }
    }
}

/// Where the agent's standard input comes from. Never a pipe: some agents wait for its end for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stdin {
    Null,
    /// Absolute, or relative to the run's folder.
    File(PathBuf),
}

/// Environment variables; `Debug` shows their names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Environment(pub(crate) BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("label", &self.label)
            .field("program", &self.argv.first())
            .field("env", &self.env)
            .field("cwd", &self.cwd)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
