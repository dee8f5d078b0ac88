//! What is looked at on this machine before a task is queued: its engine's name, and the repository it is to work on.

use fleet_protocol::{ExitCode, Manifest, manifest};

use super::{fault::Fault, worker::engines};
use crate::{config::Config, engine::Catalogue, workspace::Source};

/// Refuses what would only fail later: an engine that does not exist, a repository that nothing can be built on.
///
/// `repo` is where the submitter stands. An engine that is known but not installed is no obstacle here: it may be on the
/// `PATH` of the runner.
pub(crate) fn check_submission(config: &Config, manifest: &Manifest, repo: &str) -> Result<(), Fault> {
    if let Some(name) = &manifest.engine {
        let known = engines(config)?;
        if known.get(name).is_none() {
            return Err(unknown_engine("", name, &known));
        }
    }
    let repo = manifest::repository(manifest, Some(repo));
    let site = manifest::site(manifest, repo.as_deref()).unwrap_or_default();
    Source::open(&site, manifest.base.as_deref())?;
    Ok(())
}

/// The refusal of an engine's name; `place` says where it stands.
pub(super) fn unknown_engine(place: &str, name: &str, known: &Catalogue) -> Fault {
    let names: Vec<&str> = known.iter().map(|engine| engine.name.as_str()).collect();
    let help =
        format!("fleet knows {}; any other program is a few lines of [engines.{name}] in fleet.toml", names.join(", "));
    Fault::new(ExitCode::Usage, format!("{place}unknown engine `{name}`"), Some(&help))
}
