//! What the rest of the program sees of the coordinator: open it, mount its router, let it tick.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::Router;

use crate::{
    clock::{Clock, Randomness},
    http,
    logs::Logs,
    maintenance,
    service::{Options, Service},
    store::{OpenError, Place, Store, Watcher},
};

/// The one keeper of rules and state, on the state folder of one project. Several may be open on the same folder, in
/// one process or in many.
#[derive(Clone)]
pub struct Coordinator {
    service: Arc<Service>,
}

impl Coordinator {
    /// Opens the state in `state_dir`: the database `fleet.db`, made or brought up to date where needed, and `logs/`.
    /// Takes a few milliseconds and starts nothing.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, or the database is another program's, a newer fleet's, or cannot be opened.
    pub fn open(
        state_dir: &Path,
        options: Options,
        clock: Arc<dyn Clock>,
        randomness: Randomness,
    ) -> Result<Self, OpenError> {
        make_private(state_dir).map_err(|source| OpenError::Folder { path: state_dir.to_owned(), source })?;
        Self::on(Place::File(state_dir.join("fleet.db")), state_dir, options, (clock, randomness))
    }

    /// The same with its database in memory, gone with the last that uses it; the output of runs is kept under
    /// `logs_dir`. For tests and demos.
    ///
    /// # Errors
    ///
    /// When SQLite cannot open it.
    pub fn in_memory(
        logs_dir: &Path,
        options: Options,
        clock: Arc<dyn Clock>,
        randomness: Randomness,
    ) -> Result<Self, OpenError> {
        Self::on(Place::memory(), logs_dir, options, (clock, randomness))
    }

    fn on(
        place: Place,
        state_dir: &Path,
        options: Options,
        (clock, randomness): (Arc<dyn Clock>, Randomness),
    ) -> Result<Self, OpenError> {
        let store = Store::open(place)?;
        let logs = Logs::new(state_dir.join("logs"));
        Ok(Self { service: Arc::new(Service::new(store, logs, options, clock, randomness)) })
    }

    /// Every route, for callers in this process: no token is asked for.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.service))
    }

    /// The file that grows with every change that any process makes, and whom to tell that it did. While the watcher
    /// lives, the coordinator looks for others' changes when it is told to, and otherwise rarely. None in memory.
    pub fn watcher(&self) -> Option<(PathBuf, Watcher)> {
        self.service.store.watcher()
    }

    /// Does what only time asks for: takes back jobs whose holder went silent, moves what waits for others. Call it
    /// every `reap_every`; calling it more often, or from several processes, does no harm.
    pub async fn tick(&self) {
        maintenance::tick(&self.service).await;
    }
}

/// The state folder holds prompts and output: nobody else's business.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
