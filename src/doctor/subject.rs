//! What is looked at: plain values, put together by whoever knows where they come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    config::Place,
    confinement::{Level, NotConfined},
    engine::Catalogue,
    runtime::Offer,
    workspace::{Identity, Limits, Source, Usage, WorkspaceError},
};

/// One machine, as one user sees it from one folder. What could not be read is kept as the reason.
#[derive(Debug)]
pub(crate) struct Subject {
    /// This program's own file.
    pub(crate) program: Result<PathBuf, String>,
    pub(crate) version: &'static str,
    pub(crate) configuration: Configuration,
    /// How many profiles there are.
    pub(crate) profiles: Result<usize, String>,
    /// Where queue and state lie; none outside of any fleet and repository.
    pub(crate) place: Option<Place>,
    pub(crate) database: Database,
    /// The repository that one stands in.
    pub(crate) repository: Result<Source, WorkspaceError>,
    /// Who the user's settings say commits.
    pub(crate) identity: Result<Option<Identity>, String>,
    pub(crate) engines: Catalogue,
    /// Engines that the configuration speaks of: they are wanted, not just known.
    pub(crate) named: BTreeSet<String>,
    /// The engine of jobs that name none, where one is configured.
    pub(crate) default_engine: Option<String>,
    /// Whether agents may do everything unasked when their task does not say.
    pub(crate) yolo: Option<bool>,
    /// Files that hold a secret, as `[secrets]` names them.
    pub(crate) secret_files: Vec<PathBuf>,
    /// What protects the user from runs.
    pub(crate) confinement: Result<Level, NotConfined>,
    /// Sockets of container engines that this user may use.
    pub(crate) sockets: Vec<PathBuf>,
    /// This process's own.
    pub(crate) environment: BTreeMap<String, String>,
    /// Bytes that this user may still write where the state lies.
    pub(crate) free_space: Result<u64, String>,
    /// Bytes there below which no job starts.
    pub(crate) min_free: u64,
    /// How much there may be of workspaces, and how much there is.
    pub(crate) workspaces: Result<(Limits, Usage), String>,
    /// Files that one process may have open.
    pub(crate) open_files: Result<u64, String>,
    /// What control groups give a run here; none where they are not to be used.
    pub(crate) offer: Option<Offer>,
    /// The ration of processors that is configured.
    pub(crate) cpus: Option<u32>,
    /// By the machine's clock.
    pub(crate) now: Timestamp,
    pub(crate) test_clock: TestClock,
    /// How long a program may take to say its version.
    pub(crate) patience: Duration,
}

/// What was configured, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configuration {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// Keys that mean nothing, each with its place.
    pub(crate) unknown: Vec<String>,
    /// Engines that cannot be as they are written, a line each.
    pub(crate) mistakes: Option<String>,
}

/// How the database took being opened.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// There is none yet, and none was made.
    Absent,
    /// It was read and written.
    Works {
        jobs: u64,
        /// Jobs that a worker holds.
        held: Vec<Held>,
    },
    /// A later version of this program wrote it.
    Newer(String),
    /// It is not this program's.
    Foreign(String),
    /// It cannot be opened, read or written.
    Unusable(String),
}

/// A job that a worker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) job: String,
    /// The number of its run.
    pub(crate) run: u32,
}

/// Whether the clock of tests stands in for the machine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestClock {
    Unset,
    /// It is set, but this is not test mode.
    Ignored,
    /// This file is the clock.
    Used(PathBuf),
}
