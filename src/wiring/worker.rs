//! The worker of this machine, made of what was configured.

use std::{collections::BTreeMap, time::Duration};

use fleet_protocol::ExitCode;

use super::{embedded, fault::Fault};
use crate::{
    config::{Config, SecretSource},
    engine::{Catalogue, DefinitionPatch},
    worker::{self, Options},
    workspace::Identity,
};

/// The longest that a run goes on which sets no limit itself.
const LONGEST_RUN: Duration = Duration::from_secs(4 * 60 * 60);
/// Between asking an agent to end and ending it.
const GRACE: Duration = Duration::from_secs(5);
/// The factory of a fleet that has only this machine.
pub(super) const FACTORY: &str = "local";

/// The worker's settings.
pub(super) fn options(config: &Config) -> Result<Options, Fault> {
    Ok(Options {
        factory: FACTORY.to_owned(),
        seats: config.worker.max.get(),
        capabilities: config.worker.capabilities.clone(),
        engines: engines(config)?,
        default_engine: config.defaults.engine.clone(),
        state: embedded::place(config)?.state.clone(),
        exe: embedded::exe()?,
        environment: environment(),
        secrets: config.secrets.iter().map(|(name, source)| (name.clone(), secret(source))).collect(),
        checkpoint: config.worker.checkpoint.duration(),
        wall: LONGEST_RUN,
        grace: GRACE,
        committer: committer(config),
        yolo: config.defaults.yolo.unwrap_or(false),
    })
}

/// Who commits, where that was configured.
pub(super) fn committer(config: &Config) -> Option<Identity> {
    config.identity.as_ref().map(|who| Identity { name: who.name.clone(), email: who.email.clone() })
}

/// Every engine: the built-in ones, and `[engines]` over or after them.
pub(super) fn engines(config: &Config) -> Result<Catalogue, Fault> {
    let mut catalogue = Catalogue::builtin();
    let mut wrong = Vec::new();
    for (name, engine) in &config.engines {
        let at = format!("{}:{}: [engines.{name}]", engine.file.display(), engine.line);
        let patch: Result<DefinitionPatch, _> = engine.table.clone().try_into();
        let mut patch = match patch {
            Ok(patch) => patch,
            Err(error) => {
                wrong.push(format!("{at} {}", error.to_string().trim().replace('\n', " ")));
                continue;
            }
        };
        wrong.extend(patch.unknown_keys().map(|key| format!("{at} has no key `{key}`")));
        if let Some(folder) = engine.file.parent() {
            patch.anchor(folder);
        }
        catalogue.lay(name, patch);
        let mistakes = catalogue.get(name).map(|definition| definition.validate()).unwrap_or_default();
        wrong.extend(mistakes.iter().map(|mistake| format!("{at} {mistake}")));
    }
    if wrong.is_empty() {
        return Ok(catalogue);
    }
    Err(Fault::new(ExitCode::Usage, wrong.join("\n"), Some("docs/engines.md lists the keys of an engine")))
}

/// This process's environment, for engines to be given the allowed part of. What is no UTF-8 cannot be passed on.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn secret(source: &SecretSource) -> worker::SecretSource {
    match source {
        SecretSource::Env(variable) => worker::SecretSource::Env(variable.clone()),
        SecretSource::File(path) => worker::SecretSource::File(path.clone()),
        SecretSource::Command(argv) => worker::SecretSource::Command(argv.clone()),
    }
}
