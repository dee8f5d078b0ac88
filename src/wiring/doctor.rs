//! `fleet doctor`: what it looks at, put together.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    time::Duration,
};

use fleet_coordinator::{
    Clock, OpenError, SystemClock,
    store::{self, Store},
};
use fleet_protocol::ExitCode;

use super::{
    embedded,
    fault::Fault,
    report::{self, Report, Verdict},
    worker,
};
use crate::{
    config::{Config, Place, SecretSource, env},
    doctor::{self, Check, Configuration, Database, Held, Outcome, Subject, TestClock, examine},
    engine::Catalogue,
    runtime,
    workspace::{self, Identity, Limits, Measure, Source, Usage, WorkspaceError},
};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at each known trouble spot of this machine.
pub(crate) async fn doctor(config: &Config, report: Report<'_>) -> Result<(), Fault> {
    let subject = subject(config).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let looking = tokio::task::spawn_blocking(move || {
        examine(&subject, &mut |check| {
            // Nobody listens any more when the command was ended.
            let _ = tell.send(check);
        });
    });
    while let Some(check) = told.recv().await {
        report(line(check));
    }
    looking.await.map_err(|error| Fault::new(ExitCode::Failed, format!("a check broke: {error}"), None))
}

fn line(check: Check) -> report::Check {
    let (verdict, message, remedy) = match check.outcome {
        Outcome::Ok(found) => (Verdict::Ok, found, None),
        Outcome::Warn { found, remedy } => (Verdict::Warn, found, Some(remedy)),
        Outcome::Fail { found, remedy } => (Verdict::Fail, found, Some(remedy)),
        Outcome::Skip(why) => (Verdict::Skip, why, None),
    };
    report::Check { name: check.name, verdict, message, remedy }
}

async fn subject(config: &Config) -> Subject {
    let (engines, named, mistakes) = engines(config);
    let place = config.place().ok().cloned();
    let repository = Source::open(&config.cwd.to_string_lossy(), None);
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let told = |error: io::Error| error.to_string();
    Subject {
        program: embedded::exe().map_err(|fault| fault.to_string()),
        version: env!("CARGO_PKG_VERSION"),
        configuration: Configuration {
            file: config.file.clone(),
            unknown: config.warnings.iter().map(ToString::to_string).collect(),
            mistakes,
        },
        profiles: embedded::entries(config).map(|entries| entries.len()).map_err(|fault| fault.to_string()),
        database: database(place.as_ref(), &config.product).await,
        identity: identity(&repository).map_err(|error| error.to_string()),
        repository,
        engines,
        named,
        default_engine: config.defaults.engine.clone(),
        yolo: config.defaults.yolo,
        confinement: worker::level(config),
        sockets: doctor::container_sockets(&environment),
        free_space: workspace::free_space(place.as_ref().map_or(&config.cwd, |place| &place.state)).map_err(told),
        min_free: config.workspaces.min_free.0,
        workspaces: workspaces(config, place.as_ref()),
        open_files: doctor::open_files().map_err(told),
        offer: config.worker.cgroups.then(runtime::offer),
        cpus: config.worker.cpus.map(std::num::NonZero::get),
        now: SystemClock.now(),
        test_clock: test_clock(config, &environment),
        secret_files: secret_files(config),
        environment,
        place,
        patience: PATIENCE,
    }
}

/// How workspaces stand to their limits.
fn workspaces(config: &Config, place: Option<&Place>) -> Result<(Limits, Usage), String> {
    let Some(place) = place else { return Err("there is no state here".to_owned()) };
    let usage = Measure::new(&place.state).noted().map_err(|error| error.to_string())?;
    Ok((worker::limits(config), usage))
}

fn secret_files(config: &Config) -> Vec<std::path::PathBuf> {
    let files = config.secrets.values().filter_map(|secret| match &secret.source {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Env(_) | SecretSource::Command(_) => None,
    });
    files.collect()
}

/// The engines, those that the configuration speaks of, and what is wrong with how they are written.
fn engines(config: &Config) -> (Catalogue, BTreeSet<String>, Option<String>) {
    let default = config.defaults.engine.iter();
    match worker::engines(config) {
        Ok(catalogue) => (catalogue, config.engines.keys().chain(default).cloned().collect(), None),
        // What is written wrong says nothing about what is installed.
        Err(fault) => {
            let catalogue = Catalogue::builtin();
            let named = default.filter(|name| catalogue.get(name).is_some()).cloned().collect();
            (catalogue, named, Some(fault.to_string()))
        }
    }
}

/// Who commits: as the repository says, and outside of one as the user's own settings say.
fn identity(repository: &Result<Source, WorkspaceError>) -> Result<Option<Identity>, WorkspaceError> {
    if let Ok(source) = repository {
        return source.identity();
    }
    let Ok(settings) = git2::Config::open_default() else { return Ok(None) };
    let text = |key| settings.get_string(key).ok().filter(|text| !text.trim().is_empty());
    Ok(text("user.name").zip(text("user.email")).map(|(name, email)| Identity { name, email }))
}

/// Opens the database as every command does, reads and writes it. Where there is none, none is made.
async fn database(place: Option<&Place>, product: &str) -> Database {
    let Some(file) = place.map(|place| place.state.join("fleet.db")) else { return Database::Absent };
    if file.metadata().is_ok_and(|meta| meta.len() > 0) { try_database(&file, product).await } else { Database::Absent }
}

async fn try_database(file: &Path, product: &str) -> Database {
    let store = match Store::open(store::Place::File(file.to_owned())) {
        Ok(store) => store,
        Err(error @ OpenError::Newer { .. }) => return Database::Newer(error.to_string()),
        Err(error @ OpenError::Foreign { .. }) => return Database::Foreign(error.to_string()),
        Err(error) => return Database::Unusable(chain(&error)),
    };
    let read = store.stage_counts(product).and_then(|counts| Ok((counts.values().sum(), store.held_list(None)?)));
    let (jobs, held) = match read {
        Ok(read) => read,
        Err(error) => return Database::Unusable(chain(&error)),
    };
    if let Err(error) = store.probe().await {
        return Database::Unusable(chain(&error));
    }
    let held = held.into_iter().map(|(job, _)| Held { job: job.id.to_string(), run: job.runs }).collect();
    Database::Works { jobs, held }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn test_clock(config: &Config, environment: &BTreeMap<String, String>) -> TestClock {
    match &config.clock_file {
        Some(file) => TestClock::Used(file.clone()),
        None if environment.get(env::TEST_CLOCK.name).is_some_and(|value| !value.is_empty()) => TestClock::Ignored,
        None => TestClock::Unset,
    }
}
