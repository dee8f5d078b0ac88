//! The coordinator in this process, open on this fleet's state.

use std::{path::PathBuf, sync::Arc};

use fleet_coordinator::{
    Clock, Coordinator, FileClock, Grace, Options, ProfileOrigin, ProfileSource, Randomness, Retention, SystemClock,
};

use super::{fault::Fault, worker::engine_names};
use crate::{
    catalogue::{self, Entry, Folders, Source},
    client::Client,
    config::Config,
};

/// The coordinator in this process, open on this fleet's state.
pub(crate) struct Embedded {
    pub(crate) client: Client,
    /// None where a test answers instead.
    pub(super) coordinator: Option<Coordinator>,
}

impl Embedded {
    /// Answers through `client` alone (tests of the command line).
    #[cfg(test)]
    pub(crate) const fn answering(client: Client) -> Self {
        Self { client, coordinator: None }
    }
}

/// The program's clock: the machine's, or the file of test mode.
pub(crate) fn clock(config: &Config) -> Result<Arc<dyn Clock>, Fault> {
    Ok(match &config.clock_file {
        Some(path) => Arc::new(FileClock::open(path.clone())?),
        None => Arc::new(SystemClock),
    })
}

/// Opens the coordinator on the fleet's state; its folders exist.
pub(crate) fn open(config: &Config) -> Result<Embedded, Fault> {
    let state = place(config)?.state.clone();
    Ok(embedded(config, Coordinator::open(&state, options(config)?, clock(config)?, randomness())?))
}

/// Whether there is any state to open.
pub(crate) fn has_state(config: &Config) -> Result<bool, Fault> {
    Ok(place(config)?.state.join("fleet.db").exists())
}

/// A coordinator that knows no job, in memory alone: for looking where there is no fleet yet.
pub(crate) fn open_nothing(config: &Config) -> Result<Embedded, Fault> {
    let logs = place(config)?.state.clone();
    Ok(embedded(config, Coordinator::in_memory(&logs, options(config)?, clock(config)?, randomness())?))
}

fn embedded(config: &Config, coordinator: Coordinator) -> Embedded {
    let client = Client::embedded(coordinator.router(), &config.product, &config.actor);
    Embedded { client, coordinator: Some(coordinator) }
}

fn options(config: &Config) -> Result<Options, Fault> {
    Ok(Options {
        product: config.product.clone(),
        lease_ttl: config.coordinator.lease_ttl,
        reap_every: config.coordinator.reap_every,
        start_limit: config.coordinator.start_limit,
        stall_after: config.coordinator.stall_after,
        unknown_dep_after: config.coordinator.unknown_dep_after,
        // Here a holder can renew whether or not this process runs.
        grace: Grace::None,
        retention: Retention { max_age: config.retention.max_age, max_jobs: config.retention.max_jobs },
        defaults: config.defaults.clone(),
        projects: config.projects.clone(),
        // Every factory of this coordinator is this machine.
        engines: Some(engine_names(config)),
        profiles: entries(config)?.into_iter().map(source).collect(),
    })
}

fn randomness() -> Randomness {
    Arc::new(|| getrandom::u64().expect("the system gives randomness"))
}

/// Where queue and state lie.
pub(super) fn place(config: &Config) -> Result<&crate::config::Place, Fault> {
    config.place().map_err(|error| {
        Fault::new(
            fleet_protocol::ExitCode::Usage,
            error.to_string(),
            Some("`git init`, or `fleet init` in a folder of its own"),
        )
    })
}

/// The profiles there are, by name; of two with one name the nearer one only.
pub(super) fn entries(config: &Config) -> Result<Vec<Entry>, Fault> {
    let project = config.place().ok().map(|place| place.root.join("profiles"));
    Ok(catalogue::load(&Folders { project, user: config.user_folder.as_ref().map(|folder| folder.join("profiles")) })?)
}

fn source(entry: Entry) -> ProfileSource {
    let source = match entry.source {
        Source::Project(_) => ProfileOrigin::Project,
        Source::User(_) => ProfileOrigin::User,
        Source::BuiltIn => ProfileOrigin::BuiltIn,
    };
    ProfileSource { profile: entry.profile, text: entry.text, source }
}

/// This program's own file, for what it starts from itself.
pub(super) fn exe() -> Result<PathBuf, Fault> {
    std::env::current_exe().map_err(|error| {
        Fault::new(fleet_protocol::ExitCode::Failed, format!("cannot find this program's own file: {error}"), None)
    })
}
