//! What a runner writes down of its run so that another one can go on with it: `run.json` and `values.json`.
//!
//! Both are in the run's folder before its agent is started, for this user only. `run.json` holds no secret, and is there
//! until the run's last word was heard. The values to mask are in `values.json` alone; they go with the output that may
//! hold them (`docs/adr/0010-adoption.md`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fleet_protocol::{api::Claimed, job::Usage};
use serde::{Deserialize, Serialize};

use super::{input::EarlierCommit, journal::Moment, last_word::LastWord};
use crate::{
    engine::Output,
    runtime::{RunDir, RuntimeError},
    workspace::FileStat,
};

const RUN: &str = "run.json";
const VALUES: &str = "values.json";

/// A run under way. No `Debug`: it holds the task.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// As the coordinator granted it.
    pub(super) claimed: Claimed,
    /// When the claim was taken up.
    pub(super) begun: Moment,
    pub(super) engine: String,
    /// How the engine's output is read, whatever the configuration says by now.
    pub(super) output: Output,
    /// Milliseconds from the claim to the agent's start.
    pub(super) provision_ms: u64,
    pub(super) ground: Ground,
    pub(super) launch: Launched,
    /// What is to be said at the end, once that is known: from then on nothing is looked at again.
    pub(super) last_word: Option<LastWord>,
}

/// What the agent is told of how its workspace came to be.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ground {
    pub(super) commits: Vec<EarlierCommit>,
    /// Why the checkpoint could not be used, if it could not.
    pub(super) fresh_because: Option<String>,
    pub(super) conflicts: Vec<String>,
    /// Files of the repository that say how to work in it.
    pub(super) notes: Vec<String>,
    /// What the work of earlier runs changed so far.
    pub(super) work: Vec<FileStat>,
}

/// The launch that the run is at.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Launched {
    /// Its folder in the run's.
    pub(super) name: String,
    /// It was to go on with an earlier session, which may turn out to be lost.
    pub(super) resumes: bool,
    /// What that session had cost.
    pub(super) before: Usage,
    /// How much of `stdout` and `stderr` an earlier launch of the run wrote.
    pub(super) offsets: (u64, u64),
    /// For the verify command: the agent's without the job's secrets. What holds a value to mask is in `values.json`.
    pub(super) environment: BTreeMap<String, String>,
}

/// What must not be seen of a run. No `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Values {
    /// To be masked wherever output goes.
    pub(super) masked: Vec<String>,
    /// Variables of the verify command that hold one of them.
    pub(super) variables: BTreeMap<String, String>,
}

impl Record {
    /// The record of the run in `folder`; none when its agent was not started, or the run is over.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, RuntimeError> {
        RunDir::at(folder).read(RUN, "the record of a run")
    }

    /// Puts it in place, whole, so that it survives whatever ends this process. A power cut ends the agent too.
    pub(super) fn write(&self, folder: &Path) -> Result<(), RuntimeError> {
        RunDir::at(folder).write(RUN, self)
    }

    /// Whether the run in `folder` is one to go on with. Costs one look at a file.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(RUN).exists()
    }

    /// The run is over.
    pub(super) fn remove(folder: &Path) -> Result<(), RuntimeError> {
        RunDir::at(folder).remove(RUN).map(drop)
    }

    /// The folder of the launch in the run's.
    pub(super) fn launch_in(&self, folder: &Path) -> PathBuf {
        folder.join(&self.launch.name)
    }
}

impl Values {
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, RuntimeError> {
        // A reader must not quote a value that it cannot read.
        match RunDir::at(folder).read(VALUES, "values to mask") {
            Err(RuntimeError::Garbled { .. }) => Ok(None),
            read => read,
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), RuntimeError> {
        RunDir::at(folder).write(VALUES, self)
    }

    pub(super) fn are_in(folder: &Path) -> bool {
        folder.join(VALUES).exists()
    }

    pub(super) fn remove(folder: &Path) -> Result<(), RuntimeError> {
        RunDir::at(folder).remove(VALUES).map(drop)
    }

    /// Splits the verify command's variables: what may lie beside the run, and what holds one of `masked`.
    pub(super) fn split(
        environment: BTreeMap<String, String>,
        masked: &[String],
    ) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        environment.into_iter().partition(|(_, value)| !masked.iter().any(|secret| value.contains(secret.as_str())))
    }
}

/// The folders of a run's launches, those of agents first, each kind in the order in which they were started.
pub(crate) fn launches(folder: &Path) -> Vec<PathBuf> {
    ["agent", "verify"].into_iter().flat_map(|kind| launches_of(folder, kind)).collect()
}

/// The same of one kind.
pub(super) fn launches_of(folder: &Path, kind: &str) -> Vec<PathBuf> {
    (1..).map(|nth| folder.join(launch_name(kind, nth))).take_while(|launch| launch.exists()).collect()
}

/// `agent`, `agent-2` and so on.
pub(super) fn launch_name(kind: &str, nth: usize) -> String {
    if nth == 1 { kind.to_owned() } else { format!("{kind}-{nth}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_holds_a_secret_is_kept_apart() {
        let environment = [("PATH", "/bin"), ("KEY", "s3cret"), ("URL", "https://me:s3cret@host")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (plain, hidden) = Values::split(environment, &["s3cret".to_owned()]);
        assert_eq!(plain.keys().collect::<Vec<_>>(), ["PATH"]);
        assert_eq!(hidden.keys().collect::<Vec<_>>(), ["KEY", "URL"]);
    }

    #[test]
    fn launches_are_found_in_the_order_of_their_start() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["verify", "agent-2", "tmp", "agent", "verify-3"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = launches(folder.path());
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["agent", "agent-2", "verify"], "what would come after a gap was never started");
    }
}
