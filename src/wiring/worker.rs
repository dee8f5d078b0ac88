//! The worker of this machine, made of what was configured.

use std::{collections::BTreeMap, time::Duration};

use fleet_protocol::{ExitCode, Span};

use super::{embedded, fault::Fault};
use crate::{
    config::{self, Config},
    confinement::{Level, NotConfined, RealDisk, credentials, expanded, support, too_wide, within},
    engine::{Catalogue, DefinitionPatch},
    runtime::{Ceilings, Grouping},
    worker::{self, Bounds, Confinement, Options},
    workspace::{Identity, Limits},
};

/// The longest that a run goes on which sets no limit itself.
const LONGEST_RUN: Duration = Duration::from_secs(4 * 60 * 60);
/// Between asking an agent to end and ending it.
const GRACE: Duration = Duration::from_secs(5);
/// The factory of a fleet that has only this machine.
pub(super) const FACTORY: &str = "local";

/// The worker's settings.
pub(super) fn options(config: &Config) -> Result<Options, Fault> {
    let engines = engines(config)?;
    Ok(Options {
        factory: FACTORY.to_owned(),
        seats: config.worker.max.get(),
        capabilities: config.worker.capabilities.clone(),
        default_engine: config.defaults.engine.clone(),
        state: embedded::place(config)?.state.clone(),
        exe: embedded::exe()?,
        environment: environment(),
        secrets: config.secrets.iter().map(|(name, entry)| (name.clone(), secret(entry))).collect(),
        checkpoint: config.worker.checkpoint.duration(),
        wall: LONGEST_RUN,
        grace: GRACE,
        committer: committer(config),
        bounds: bounds(config),
        limits: limits(config),
        max_stream: config.logs.max_stream.0,
        yolo: config.defaults.yolo,
        confinement: confinement(config, &engines)?,
        engines,
    })
}

/// How runs are confined here. What is refused is refused before anything runs.
fn confinement(config: &Config, engines: &Catalogue) -> Result<Confinement, Fault> {
    let settings = &config.confinement;
    let level = level(config).map_err(|error| {
        let help = "see `fleet doctor`; with `confinement.mode` `auto` runs go on unconfined, and say so";
        Fault::new(ExitCode::Refused, error.to_string(), Some(help))
    })?;
    let place = embedded::place(config)?;
    let home = std::env::home_dir();
    let mut protected = home.as_deref().map(credentials).unwrap_or_default();
    protected.extend([place.state.clone(), place.queue.clone(), place.root.join(".git")]);
    let environment = environment();
    let places = engines.iter().flat_map(|engine| engine.folders.iter().chain(&engine.files));
    protected.extend(places.filter_map(|place| expanded(place, &environment)));
    let grants = [settings.read.as_slice(), settings.write.as_slice()].concat();
    if let Some((grant, taken)) = too_wide(&grants, home.as_deref(), &protected, &RealDisk).into_iter().next() {
        let message = format!("confinement: {} is too wide, it takes {} along", grant.display(), taken.display());
        return Err(Fault::new(ExitCode::Usage, message, Some("name the folders in it that runs really need")));
    }
    let kept = vec![place.queue.clone(), place.root.clone()];
    if let Some((grant, holder)) = within(&settings.write, &kept, &RealDisk) {
        let message = format!("confinement: {} lies in {}, which no run writes to", grant.display(), holder.display());
        return Err(Fault::new(
            ExitCode::Usage,
            message,
            Some("a run has a clone of its own; name a folder elsewhere"),
        ));
    }
    let (read, write) = (settings.read.clone(), settings.write.clone());
    Ok(Confinement { level, read, write, kept })
}

/// What protects the user from runs on this machine.
pub(super) fn level(config: &Config) -> Result<Level, NotConfined> {
    Level::decide(config.confinement.mode, &support())
}

/// How much there may be of workspaces.
pub(super) fn limits(config: &Config) -> Limits {
    let settings = &config.workspaces;
    Limits { number: settings.max.get(), disk: settings.disk.0, min_free: settings.min_free.0 }
}

fn bounds(config: &Config) -> Bounds {
    let worker = &config.worker;
    Bounds {
        start: config.coordinator.start_limit.duration(),
        silence: worker.silence.map(Span::duration),
        health: worker.health_every.duration(),
        ceilings: Ceilings {
            memory: Some(worker.memory.0),
            processes: Some(worker.processes.get()),
            cpus: worker.cpus.map(|cpus| f64::from(cpus.get())),
        },
        grouping: if worker.cgroups { Grouping::Auto } else { Grouping::Off },
    }
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

/// Names of all engines. What is configured of them is not looked into.
pub(super) fn engine_names(config: &Config) -> Vec<String> {
    let builtin = Catalogue::builtin();
    let mut names: Vec<String> = builtin.iter().map(|engine| engine.name.clone()).collect();
    names.extend(config.engines.keys().filter(|name| builtin.get(name).is_none()).cloned());
    names
}

/// This process's environment, for engines to be given the allowed part of. What is no UTF-8 cannot be passed on.
pub(super) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

pub(super) fn secret(secret: &config::Secret) -> worker::Secret {
    let source = match &secret.source {
        config::SecretSource::Env(variable) => worker::SecretSource::Env(variable.clone()),
        config::SecretSource::File(path) => worker::SecretSource::File(path.clone()),
        config::SecretSource::Command(argv) => worker::SecretSource::Command(argv.clone()),
    };
    let audience = match secret.audience {
        config::Audience::Agent => worker::Audience::Agent,
        config::Audience::Helper => worker::Audience::Helper,
    };
    worker::Secret { source, audience }
}
