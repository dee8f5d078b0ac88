//! `fleet db`: the database looked at from outside, and copied while it is in use.

use std::path::{Path, PathBuf};

use fleet_coordinator::store::{self, Audit, BackupError};
use fleet_protocol::ExitCode;
use serde::Serialize;

use super::{
    embedded::{has_state, place},
    fault::Fault,
};
use crate::config::Config;

/// A database that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Examined {
    pub(crate) file: PathBuf,
    pub(crate) jobs: u64,
    pub(crate) events: u64,
    /// Nothing is wrong when there is none.
    pub(crate) findings: Vec<Broken>,
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Broken {
    /// The rule, a stable word.
    pub(crate) code: &'static str,
    pub(crate) job: Option<String>,
    pub(crate) message: String,
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BackedUp {
    pub(crate) bytes: u64,
    /// What looking at the copy showed.
    #[serde(flatten)]
    pub(crate) examined: Examined,
}

/// Looks whether all that must hold holds: in `file`, or in this fleet's own database.
pub(crate) fn check_database(config: &Config, file: Option<&Path>) -> Result<Examined, Fault> {
    let file = match file {
        Some(file) => file.to_owned(),
        None => own_file(config)?,
    };
    if !file.exists() {
        let message = format!("there is no database {}", file.display());
        return Err(Fault::new(ExitCode::NotFound, message, None));
    }
    let Audit { findings, jobs, events } = store::audit(&file)?;
    let findings =
        findings.into_iter().map(|found| Broken { code: found.code, job: found.job, message: found.message }).collect();
    Ok(Examined { file, jobs, events, findings })
}

/// Copies this fleet's database to a new file, and looks at the copy.
pub(crate) fn back_up_database(config: &Config, to: &Path) -> Result<BackedUp, Fault> {
    let bytes = store::backup(&own_file(config)?, to)?;
    Ok(BackedUp { bytes, examined: check_database(config, Some(to))? })
}

fn own_file(config: &Config) -> Result<PathBuf, Fault> {
    let file = place(config)?.state.join("fleet.db");
    if has_state(config)? {
        return Ok(file);
    }
    let message = format!("there is no database {} yet", file.display());
    Err(Fault::new(ExitCode::NotFound, message, Some("it is made by the first `fleet submit` or `fleet run`")))
}

impl From<BackupError> for Fault {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Open(error) => error.into(),
            BackupError::Exists { .. } => {
                Self::of(ExitCode::Conflict, error, Some("nothing is overwritten; name a new file"))
            }
            BackupError::Locked => Self::of(ExitCode::Unreachable, error, Some("try again")),
            error => Self::of(ExitCode::Failed, error, None),
        }
    }
}
