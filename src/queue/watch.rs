//! Wakes the keeper: by the file system's notifications, by changes of the store, and slowly by the clock.
//!
//! A wake-up carries nothing; what is to be done is found by looking. So lost, doubled and late notifications cost
//! time, never a job.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use fleet_protocol::{Bucket, api::QueueStateQuery};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use super::{
    error::QueueError,
    keeper::{Keeper, Report},
    local::is_local,
};
use crate::client::Client;

/// Longest wait for a change of the store in one call.
const STORE_WAIT_MS: u64 = 20_000;
/// How soon a failure is tried again at the latest, however slow the scan is.
const RETRY: Duration = Duration::from_secs(1);
/// How long to let a burst of notifications pass.
const BURST: Duration = Duration::from_millis(20);

/// Where the file system tells of every change, the folder is looked at so many times as rarely: only in case that it
/// did not.
const RARELY: u32 = 30;

/// How a folder is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watching {
    /// The folder is looked at this often where nothing tells of changes; never zero.
    pub(crate) scan: Duration,
    pub(crate) notifications: Notifications,
}

impl Default for Watching {
    fn default() -> Self {
        Self { scan: Duration::from_secs(1), notifications: Notifications::On }
    }
}

/// Whether the file system is asked to notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notifications {
    On,
    Off,
}

/// Keeps the folder until `stop` turns true (or its sender is gone). Failures are logged when they begin, and tried
/// again.
pub(crate) async fn keep(mut keeper: Keeper, watching: Watching, mut stop: watch::Receiver<bool>) {
    let changed = Arc::new(Notify::new());
    let mut eyes = Eyes::new(watching.notifications, Arc::clone(&changed));
    let mut complaints = Complaints::default();
    loop {
        let found = keeper.reconcile().await;
        complaints.hear(&found);
        if eyes.follow(&keeper) {
            // Nobody was told of what happened until now.
            continue;
        }
        let (soon, healthy) = match &found {
            Ok(report) => (report.look_again, report.problems.is_empty()),
            Err(_) => (Some(RETRY), false),
        };
        let pause = if healthy { eyes.pause(watching.scan) } else { watching.scan };
        let pause = soon.map_or(pause, |soon| soon.min(pause));
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = eyes.rest(&keeper, pause, watching.scan) => {}
            // After a failure only the clock wakes: what was tried in vain touched the folder, too.
            () = changed.notified(), if healthy => sleep(BURST).await,
            () = store_changed(keeper.client(), keeper.version()), if healthy => {}
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: nobody can stop us any more, so we do.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Returns when the queue has another version than `seen`; never when the store cannot be asked, the clock then wakes.
async fn store_changed(client: Client, seen: Option<u64>) {
    let query = QueueStateQuery { after: seen, wait_ms: Some(STORE_WAIT_MS) };
    loop {
        match client.queue_state(&query).await {
            Ok(version) if Some(version) != seen => return,
            Ok(_) => {}
            Err(_) => std::future::pending().await,
        }
    }
}

/// The watcher, and which folders it watches: a bucket that was deleted and made again is another folder.
struct Eyes {
    notifications: Notifications,
    changed: Arc<Notify>,
    watcher: Option<(RecommendedWatcher, Vec<Identity>)>,
    /// Nobody but this machine changes what is watched.
    local: bool,
    complained: bool,
}

impl Eyes {
    const fn new(notifications: Notifications, changed: Arc<Notify>) -> Self {
        Self { notifications, changed, watcher: None, local: false, complained: false }
    }

    /// How long nobody needs to look when nothing is noticed.
    fn pause(&self, scan: Duration) -> Duration {
        if self.watcher.is_some() && self.local { scan.saturating_mul(RARELY) } else { scan }
    }

    /// Rests for `pause`, or until other folders lie where the watched ones were: of that nothing need tell.
    async fn rest(&self, keeper: &Keeper, pause: Duration, glance: Duration) {
        let start = Instant::now();
        while let Some(left) = pause.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            sleep(left.min(glance)).await;
            let watched = self.watcher.as_ref().map(|(_, watched)| watched);
            if watched.is_some_and(|watched| identities(keeper).as_ref() != Some(watched)) {
                return;
            }
        }
    }

    /// Watches the folders that are there now; true when others were watched until now, or none.
    fn follow(&mut self, keeper: &Keeper) -> bool {
        if self.notifications == Notifications::Off {
            return false;
        }
        let paths = paths(keeper);
        let Some(now) = identities(keeper) else {
            self.watcher = None;
            return false;
        };
        if self.watcher.as_ref().is_some_and(|(_, watched)| *watched == now) {
            return false;
        }
        match watcher(&paths, Arc::clone(&self.changed)) {
            Ok(watcher) => {
                self.watcher = Some((watcher, now));
                self.local = paths.iter().all(|path| is_local(path));
                return true;
            }
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "the queue folder cannot be watched; it is looked at regularly instead");
            }
            Err(_) => {}
        }
        false
    }
}

/// Which folder it is. The time it was made belongs to it, because file systems use the numbers of deleted ones again.
type Identity = (u64, Option<SystemTime>);

fn paths(keeper: &Keeper) -> Vec<PathBuf> {
    Bucket::ALL.iter().map(|bucket| keeper.folder().bucket(*bucket)).collect()
}

fn identities(keeper: &Keeper) -> Option<Vec<Identity>> {
    paths(keeper).iter().map(|path| identity(path)).collect()
}

fn identity(folder: &Path) -> Option<Identity> {
    let found = fs::metadata(folder).ok()?;
    Some((found.ino(), found.created().ok()))
}

fn watcher(paths: &[PathBuf], changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Whatever else comes (an overflow, an error) wakes too: looking once too often is harmless. But our own
        // reading must not wake us.
        if !event.is_ok_and(|event| is_reading(&event.kind)) {
            changed.notify_one();
        }
    })?;
    for path in paths {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

const fn is_reading(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if !matches!(access, AccessKind::Close(AccessMode::Write)))
}

/// Says each failure once, when it begins, and once that all is well again.
#[derive(Default)]
struct Complaints {
    current: Vec<String>,
}

impl Complaints {
    fn hear(&mut self, found: &Result<Report, QueueError>) {
        let now: Vec<String> = match found {
            Ok(report) => report.problems.iter().map(QueueError::with_cause).collect(),
            Err(error) => vec![error.with_cause()],
        };
        for problem in now.iter().filter(|problem| !self.current.contains(problem)) {
            tracing::warn!(problem, "the queue folder is not up to date; trying again");
        }
        if now.is_empty() && !self.current.is_empty() {
            tracing::info!("the queue folder is up to date again");
        }
        self.current = now;
    }
}
