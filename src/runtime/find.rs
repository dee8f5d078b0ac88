//! Finds out how a run stands from its folder alone, whoever started it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    ExitRecord, Running, RuntimeError, Token,
    cgroup::Group,
    identity::{Identity, Liveness},
    run_dir::{EXIT, RunDir, SHIM, SPEC},
};

/// The name that a spec gets when a worker takes it back before a shim took it.
const WITHDRAWN: &str = "withdrawn.json";

/// What a shim writes down about itself before it starts anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ShimFile {
    #[serde(flatten)]
    pub(super) identity: Identity,
    pub(super) key: Token,
    pub(super) label: String,
    /// Where the run's processes are listed by the kernel, if anywhere.
    #[serde(default)]
    pub(super) group: Option<Group>,
}

/// How a run stands.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is over, with a record.
    Finished(ExitRecord),
    /// Its shim lives.
    Alive(Running),
    /// Its shim is dead and left no record, or never was. Processes of the agent may be left: see
    /// [`end_orphan`](super::end_orphan).
    Gone,
    /// Cannot be told now; never to be taken for dead.
    Unknown(String),
}

/// Looks at a run's folder. A launch that no shim has taken up yet is withdrawn by this, so that `Gone` stays true.
pub(crate) fn find(run_dir: &Path) -> Result<Found, RuntimeError> {
    let dir = RunDir::at(run_dir);
    if let Some(record) = exit_record(&dir)? {
        return Ok(Found::Finished(record));
    }
    let Some(shim) = shim_file(&dir)? else { return Ok(Found::Gone) };
    match shim.identity.liveness() {
        Liveness::Unknown(why) => Ok(Found::Unknown(why)),
        Liveness::Alive(_) => Ok(Found::Alive(Running::found(dir, shim))),
        // It may have ended between the two looks; the record is the last thing that it writes.
        Liveness::Dead => Ok(exit_record(&dir)?.map_or(Found::Gone, Found::Finished)),
    }
}

/// Takes hold of a launch that a shim took up, whether it still runs or is over: [`Running::wait`] then tells which.
pub(crate) fn reattach(run_dir: &Path) -> Result<Running, RuntimeError> {
    let dir = RunDir::at(run_dir);
    match dir.read(SHIM, "a shim's identity")? {
        Some(shim) => Ok(Running::found(dir, shim)),
        None => Err(RuntimeError::NoRecord { path: run_dir.to_owned() }),
    }
}

pub(super) fn exit_record(dir: &RunDir) -> Result<Option<ExitRecord>, RuntimeError> {
    dir.read(EXIT, "an exit record")
}

/// Who the shim is or was. None when there is none and, from now on, will be none: a shim says who it is *before* it
/// takes the spec, so if the spec can be taken away from it, it has not started anything and never will.
pub(super) fn shim_file(dir: &RunDir) -> Result<Option<ShimFile>, RuntimeError> {
    if let Some(file) = dir.read(SHIM, "a shim's identity")? {
        return Ok(Some(file));
    }
    match dir.rename(SPEC, WITHDRAWN) {
        Ok(()) => {
            // It holds the agent's secrets.
            dir.remove(WITHDRAWN)?;
            Ok(None)
        }
        Err(RuntimeError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            dir.read(SHIM, "a shim's identity")
        }
        Err(error) => Err(error),
    }
}
