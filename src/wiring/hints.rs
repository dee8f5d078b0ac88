//! Tells the coordinator when another process has written to the database, instead of letting it ask ten times a second.

use fleet_coordinator::Coordinator;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Watches for as long as it lives; none where the file system cannot be asked to tell.
pub(super) fn watch(coordinator: &Coordinator) -> Option<RecommendedWatcher> {
    let (file, told) = coordinator.watcher()?;
    let tell = move |event: notify::Result<notify::Event>| {
        // Whatever else comes (an overflow, an error) is worth a look; but looking must not wake us.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            told.saw_a_write();
        }
    };
    let watching = notify::recommended_watcher(tell).and_then(|mut watcher| {
        watcher.watch(&file, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching.inspect_err(|error| tracing::debug!(%error, "the database is looked at regularly instead")).ok()
}
