//! What a worker is told about this machine and its configuration. Values only; where they come from is not its business.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Bounds, confine::Confinement, secret::Secret};
use crate::{
    engine::Catalogue,
    workspace::{Identity, Limits},
};

/// A worker's settings.
#[derive(Debug)]
pub(crate) struct Options {
    /// The name under which it claims.
    pub(crate) factory: String,
    /// How many jobs it works on at once.
    pub(crate) seats: u32,
    /// What it offers besides what is detected, for example `gpu`.
    pub(crate) capabilities: Vec<String>,
    pub(crate) engines: Catalogue,
    /// Engine for jobs that name none.
    pub(crate) default_engine: Option<String>,
    /// Where workspaces and run folders lie, for this user only.
    pub(crate) state: PathBuf,
    /// This program: shims and the scripted engine are started from it.
    pub(crate) exe: PathBuf,
    /// This process's own environment, for engines to be given parts of.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// Between two saves of a running agent's work.
    pub(crate) checkpoint: Duration,
    /// Longest time of a run that sets no limit itself.
    pub(crate) wall: Duration,
    /// Between asking an agent to end and ending it.
    pub(crate) grace: Duration,
    /// Who commits; the user of the repository when left out.
    pub(crate) committer: Option<Identity>,
    pub(crate) bounds: Bounds,
    /// How much there may be of workspaces.
    pub(crate) limits: Limits,
    /// How many bytes of each stream of a run are kept.
    pub(crate) max_stream: u64,
    /// Whether an agent may do everything unasked when its task does not say; none: where it is confined.
    pub(crate) yolo: Option<bool>,
    pub(crate) confinement: Confinement,
}

impl Options {
    /// The folder of a job's workspace. The same for each run, so that an engine finds its session by its folder.
    pub(super) fn workspace(&self, job: &str) -> PathBuf {
        self.workspaces().join(job)
    }

    /// The folder of all workspaces.
    pub(super) fn workspaces(&self) -> PathBuf {
        self.state.join("work")
    }

    /// The folder of one run: what was started, what it printed, how it ended.
    pub(super) fn run_folder(&self, job: &str, run: u32) -> PathBuf {
        self.runs().join(job).join(run.to_string())
    }

    /// The folder of all jobs' runs.
    pub(super) fn runs(&self) -> PathBuf {
        runs_of(&self.state)
    }
}

/// The folder of all jobs' runs in a fleet's state folder.
pub(super) fn runs_of(state: &Path) -> PathBuf {
    state.join("runs")
}
