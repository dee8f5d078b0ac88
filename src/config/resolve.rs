//! Puts the layers together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fleet_protocol::{
    Span,
    convention::{CommitRule, Convention},
    manifest::{Defaults, RuntimeName, Series},
};
use serde::Deserialize;
use serde_json::Value;
use toml::de::ValueDeserializer;

use super::{
    document::Document,
    env::{self, Environment},
    keys::{self, Key},
    layers::{Entry, Layers, Overrides},
    mistake::{ConfigError, Invalid, Mistake, Warning},
    model::{
        Config, ConfinementSettings, CoordinatorSettings, EngineTable, LogSettings, Logging, NamedFolders,
        RetentionSettings, WorkerSettings, WorkspaceSettings,
    },
    origin::{Origin, Sourced},
    place::{Place, git_root},
    projects,
    search::{self, Chosen},
    secret::{self, Secret},
};

/// What a configuration is made from.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Absolute.
    pub(crate) cwd: PathBuf,
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    pub(crate) overrides: Overrides,
    pub(crate) environment: Environment,
    pub(crate) mode: Mode,
    /// The name of this process's user in the system's list of users, for an environment that names none.
    pub(crate) account: Option<String>,
}

/// Whether the variables for tests are honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Normal,
    Test,
}

/// Reads the file, goes through all layers and answers with the configuration or with every mistake there is.
pub(crate) fn resolve(request: &Request) -> Result<Config, ConfigError> {
    let chosen = search::choose(&request.cwd, request.file.as_deref(), &request.environment);
    let text = match chosen.path() {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?
        }
        None => String::new(),
    };
    let invalid =
        |(mistakes, warnings)| ConfigError::Invalid(Box::new(Invalid { mistakes, warnings, text: text.clone() }));
    let document = match chosen.path() {
        Some(path) => Some(Document::parse(path, &text).map_err(|mistakes| invalid((mistakes, Vec::new())))?),
        None => None,
    };
    let layers = Layers {
        document: document.as_ref(),
        environment: &request.environment,
        overrides: &request.overrides,
        mistakes: document.as_ref().map(Document::shape_mistakes).unwrap_or_default(),
        warnings: document.as_ref().map(Document::unknown).unwrap_or_default(),
        entries: Vec::new(),
    };
    Resolver { request, chosen, layers }.resolve().map_err(invalid)
}

struct Resolver<'a> {
    request: &'a Request,
    chosen: Chosen,
    layers: Layers<'a>,
}

impl Resolver<'_> {
    fn resolve(mut self) -> Result<Config, (Vec<Mistake>, Vec<Warning>)> {
        let product = self.layers.required(&keys::PRODUCT);
        let (named, place) = self.place();
        let worker = self.worker();
        let coordinator = self.coordinator();
        let (workspaces, logs, retention) = (self.workspaces(), self.logs(), self.retention());
        let defaults = self.defaults();
        let confinement = self.confinement();
        let identity = self.layers.optional(&keys::GIT_IDENTITY).map(|identity| identity.value);
        let level = self.layers.optional(&keys::LOG_LEVEL).map(|level| level.value);
        let logging = Logging { level, format: self.layers.required(&keys::LOG_FORMAT).value };
        self.refuse_what_comes_later();
        let engines = self.engines();
        let projects = match self.chosen.path() {
            Some(path) => projects::read(&mut self.layers, path),
            None => Vec::new(),
        };
        let secrets = self.secrets();
        if !self.layers.mistakes.is_empty() {
            self.layers.mistakes.sort_by_key(|mistake| position(&mistake.origin));
            return Err((self.layers.mistakes, self.layers.warnings));
        }
        self.layers
            .entries
            .sort_by_key(|entry| keys::ALL.iter().position(|info| info.name == entry.name).unwrap_or(keys::ALL.len()));
        let environment = &self.request.environment;
        let login = environment.get(env::USER.name).or_else(|| environment.get(env::LOGNAME.name));
        let login = login.or(self.request.account.as_deref()).unwrap_or("unknown");
        Ok(Config {
            cwd: self.request.cwd.clone(),
            file: self.chosen.path().map(Path::to_owned),
            product: product.value,
            place,
            named,
            worker,
            coordinator,
            workspaces,
            logs,
            retention,
            defaults,
            confinement,
            identity,
            logging,
            engines,
            projects,
            secrets,
            actor: format!("operator:{login}"),
            user_folder: search::user_folder(environment),
            clock_file: self.clock_file(),
            warnings: self.layers.warnings,
            entries: self.layers.entries,
        })
    }

    fn place(&mut self) -> (NamedFolders, Option<Place>) {
        let cwd = &self.request.cwd;
        let queue = self.layers.required(&keys::QUEUE);
        let home = self.layers.optional(&keys::HOME);
        let by_name = matches!(queue.origin, Origin::Variable(_) | Origin::Flag(_));
        let named = NamedFolders {
            queue: by_name.then(|| cwd.join(&queue.value)),
            state: home.map(|home| cwd.join(home.value)),
        };
        let root = self.chosen.root().or_else(|| git_root(cwd)).map(Path::to_owned);
        // Without any root, both folders must have been named to know where things are.
        let all_named = named.queue.is_some() && named.state.is_some();
        let place = root.or_else(|| all_named.then(|| cwd.clone())).map(|root| Place {
            queue: named.queue.clone().unwrap_or_else(|| root.join(queue.value)),
            state: named.state.clone().unwrap_or_else(|| root.join(".fleet")),
            root,
        });
        if let Some(place) = &place {
            self.layers.show_path(keys::QUEUE.info, &place.queue);
            self.layers.show_path(keys::HOME.info, &place.state);
        }
        (named, place)
    }

    fn worker(&mut self) -> WorkerSettings {
        let layers = &mut self.layers;
        let runtime = layers.required(&keys::WORKER_RUNTIME);
        if runtime.value == RuntimeName::Docker {
            let message = "worker.runtime: `docker` is not supported here yet".to_owned();
            layers.mistakes.push(Mistake::new(runtime.origin, message).help("leave it out, or write local"));
        }
        WorkerSettings {
            max: layers.required(&keys::WORKER_MAX).value,
            runtime: runtime.value,
            capabilities: layers.required(&keys::WORKER_CAPABILITIES).value,
            checkpoint: self.positive(&keys::WORKER_CHECKPOINT).value,
            memory: self.layers.required(&keys::WORKER_MEMORY).value,
            processes: self.layers.required(&keys::WORKER_PROCESSES).value,
            cpus: self.layers.optional(&keys::WORKER_CPUS).map(|cpus| cpus.value),
            cgroups: self.layers.required(&keys::WORKER_CGROUPS).value,
            silence: self
                .layers
                .optional(&keys::WORKER_SILENCE)
                .map(|span| self.some_time(&keys::WORKER_SILENCE, span)),
            health_every: self.positive(&keys::WORKER_HEALTH_EVERY).value,
            poll: self.positive(&keys::WORKER_POLL).value,
            notify: self.layers.required(&keys::WORKER_NOTIFY).value,
        }
    }

    fn coordinator(&mut self) -> CoordinatorSettings {
        let lease_ttl = self.positive(&keys::LEASE_TTL);
        let stale_after = self.positive(&keys::STALE_AFTER);
        let settings = CoordinatorSettings {
            lease_ttl: lease_ttl.value,
            reap_every: self.positive(&keys::REAP_EVERY).value,
            start_limit: self.positive(&keys::START_LIMIT).value,
            stale_after: stale_after.value,
            stall_after: self.positive(&keys::STALL_AFTER).value,
            unknown_dep_after: self.positive(&keys::UNKNOWN_DEP_AFTER).value,
        };
        self.check_renewal(&settings, &lease_ttl, &stale_after);
        settings
    }

    fn workspaces(&mut self) -> WorkspaceSettings {
        let layers = &mut self.layers;
        let max = layers.required(&keys::WORKSPACES_MAX).value;
        let disk = layers.required(&keys::WORKSPACES_DISK).value;
        WorkspaceSettings { max, disk, min_free: layers.required(&keys::WORKSPACES_MIN_FREE).value }
    }

    fn logs(&mut self) -> LogSettings {
        LogSettings { max_stream: self.layers.required(&keys::LOGS_MAX_STREAM).value }
    }

    fn retention(&mut self) -> RetentionSettings {
        let max_age = self.positive(&keys::RETENTION_MAX_AGE).value;
        let max_jobs = self.layers.optional(&keys::RETENTION_MAX_JOBS).map(|jobs| jobs.value);
        RetentionSettings { max_age, max_jobs }
    }

    /// A worker that renews too rarely would look stale, and lose its jobs, between two signs of life.
    fn check_renewal(
        &mut self,
        settings: &CoordinatorSettings,
        lease_ttl: &Sourced<Span>,
        stale_after: &Sourced<Span>,
    ) {
        let renew = settings.renew_every();
        if renew.millis().saturating_mul(2) <= settings.stale_after.millis() {
            return;
        }
        let set_by_user = if lease_ttl.origin == Origin::Default { stale_after } else { lease_ttl };
        let message = format!(
            "coordinator.lease-ttl: a worker with leases of {} renews every {renew} (a third), which must be at most half \
             of stale-after ({})",
            lease_ttl.value, stale_after.value
        );
        let lease_limit = Span::from_millis(stale_after.value.millis() / 2 * 3);
        let stale_limit = Span::from_millis(renew.millis() * 2);
        self.layers.mistakes.push(
            Mistake::new(set_by_user.origin.clone(), message)
                .help(format!("lease-ttl at most {lease_limit}, or stale-after at least {stale_limit}")),
        );
    }

    /// A duration that must not be zero.
    fn positive(&mut self, key: &Key<Span>) -> Sourced<Span> {
        let span = self.layers.required(key);
        self.some_time(key, span.clone());
        span
    }

    fn some_time(&mut self, key: &Key<Span>, span: Sourced<Span>) -> Span {
        if span.value.millis() == 0 {
            let message = format!("{}: must be longer than nothing", key.info.name);
            self.layers.mistakes.push(Mistake::new(span.origin, message));
        }
        span.value
    }

    fn defaults(&mut self) -> Defaults {
        let commits = self.commits();
        let backoff = Series {
            first: self.positive(&keys::RETRY_BASE).value,
            factor: self.layers.required(&keys::RETRY_MULTIPLIER).value,
            most: self.positive(&keys::RETRY_CAP).value,
        };
        let layers = &mut self.layers;
        Defaults {
            engine: layers.optional(&keys::DEFAULT_ENGINE).map(|engine| engine.value),
            verify: layers.optional(&keys::DEFAULT_VERIFY).map(|verify| verify.value),
            review_policy: Some(layers.required(&keys::DEFAULT_REVIEW_POLICY).value),
            yolo: layers.optional(&keys::DEFAULT_YOLO).map(|yolo| yolo.value),
            commits,
            retry_max: Some(layers.required(&keys::RETRY_MAX).value.get()),
            backoff: Some(backoff),
        }
    }

    /// A rule that no message can be made to follow is a mistake now, not at the end of a run.
    fn commits(&mut self) -> Option<CommitRule> {
        let rule = self.layers.optional(&keys::DEFAULT_COMMITS)?;
        if let Err(bad) = Convention::try_from(rule.value.clone()) {
            let message = format!("{}.{}: {bad}", keys::DEFAULT_COMMITS.info.name, bad.key());
            self.layers.mistakes.push(Mistake::new(rule.origin, message));
        }
        Some(rule.value)
    }

    fn confinement(&mut self) -> ConfinementSettings {
        ConfinementSettings {
            mode: self.layers.required(&keys::CONFINEMENT_MODE).value,
            read: self.places(&keys::CONFINEMENT_READ),
            write: self.places(&keys::CONFINEMENT_WRITE),
        }
    }

    /// Paths as people write them: below their home folder, or relative to the file that names them.
    fn places(&mut self, key: &Key<Vec<String>>) -> Vec<PathBuf> {
        let written = self.layers.required(key);
        let folder = match &written.origin {
            Origin::File { path, .. } => path.parent().unwrap_or(Path::new("/")).to_owned(),
            Origin::Default | Origin::Variable(_) | Origin::Flag(_) => self.request.cwd.clone(),
        };
        let home = self.request.environment.get(env::HOME.name).map(Path::new);
        let below_home = |place: &str| match (place.strip_prefix('~'), home) {
            (Some(""), Some(home)) => Some(home.to_owned()),
            (Some(below), Some(home)) => below.strip_prefix('/').map(|below| home.join(below)),
            (Some(_), None) | (None, _) => None,
        };
        written.value.iter().map(|place| below_home(place).unwrap_or_else(|| folder.join(place))).collect()
    }

    fn refuse_what_comes_later(&mut self) {
        for key in [&keys::FEATURE_WORKER, &keys::FEATURE_ROUTE, &keys::FEATURE_SHADOW, &keys::FEATURE_DASH] {
            let feature = self.layers.required(key);
            if feature.value {
                self.refuse(key.info.name, feature.origin);
            }
        }
        if let Some(api) = self.layers.optional(&keys::API) {
            self.refuse(keys::API.info.name, api.origin);
        }
        if let Some(file) = self.layers.optional(&keys::TOKEN_FILE) {
            self.refuse(keys::TOKEN_FILE.info.name, file.origin);
        }
        self.layers.optional(&keys::TOKEN);
    }

    fn refuse(&mut self, name: &str, origin: Origin) {
        let message = format!("{name}: working with a coordinator elsewhere is not supported here yet");
        self.layers
            .mistakes
            .push(Mistake::new(origin, message).help("leave it out: this machine is its own coordinator"));
    }

    fn engines(&mut self) -> BTreeMap<String, EngineTable> {
        let mut engines = BTreeMap::new();
        let Some((document, path)) = self.layers.document.zip(self.chosen.path()) else { return engines };
        for (name, value) in document.table("engines").into_iter().flatten() {
            let origin = document.origin(name.span());
            let name = name.get_ref().to_string();
            let Ok(table) = toml::Table::deserialize(ValueDeserializer::from(value.clone())) else {
                let message = format!("engines.{name}: expected a table");
                self.layers.mistakes.push(Mistake::new(origin, message).help(format!("write [engines.{name}]")));
                continue;
            };
            for (key, value) in &table {
                let entry = format!("engines.{name}.{key}");
                let value = serde_json::to_value(value).expect("TOML is plain data");
                self.layers.entries.push(Entry { name: entry, value, origin: origin.clone() });
            }
            let line = if let Origin::File { line, .. } = origin { line } else { 1 };
            engines.insert(name, EngineTable { table, file: path.to_owned(), line });
        }
        engines
    }

    fn secrets(&mut self) -> BTreeMap<String, Secret> {
        let mut secrets = BTreeMap::new();
        let Some((document, path)) = self.layers.document.zip(self.chosen.path()) else { return secrets };
        let folder = path.parent().unwrap_or(Path::new("/"));
        for (name, value) in document.table("secrets").into_iter().flatten() {
            let origin = document.origin(value.span());
            let name = name.get_ref().to_string();
            let written = secret::Written::deserialize(ValueDeserializer::from(value.clone()));
            if let Some(secret) = written.ok().and_then(|written| written.read(&name, folder)) {
                let shown = Value::from(secret.shown());
                self.layers.entries.push(Entry { name: format!("secrets.{name}"), value: shown, origin });
                secrets.insert(name, secret);
            } else {
                let message = format!("secrets.{name}: expected a place where the value is found, not the value");
                let help = r#"write { env = "VARIABLE" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }, with for = "agent" or "helper""#;
                self.layers.mistakes.push(Mistake::new(origin, message).help(help).hidden());
            }
        }
        secrets
    }

    fn clock_file(&self) -> Option<PathBuf> {
        match self.request.mode {
            Mode::Normal => None,
            Mode::Test => self.request.environment.get(env::TEST_CLOCK.name).map(|path| self.request.cwd.join(path)),
        }
    }
}

/// Mistakes of the file come first, in its order.
fn position(origin: &Origin) -> (u8, usize) {
    match origin {
        Origin::File { span, .. } => (0, span.start),
        Origin::Variable(_) => (1, 0),
        Origin::Flag(_) => (2, 0),
        Origin::Default => (3, 0),
    }
}
