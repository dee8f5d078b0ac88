//! Who waits for a change of the queue hears of it: at once when this process made it, within the poll's period when
//! another did.
//!
//! The file is asked every 100 ms; more rarely while somebody watches it, and at once when that one saw a write.
//!
//! A wake-up carries only the queue's version; whoever is woken reads the store. Of all who wait, one looks for other
//! processes' commits; when nobody waits, nobody looks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    sync::{Mutex, Notify, watch},
    time::Instant,
};

use super::{
    error::StoreError,
    place::{Place, Role},
};

/// How long another process's commit may go unseen.
const POLL: Duration = Duration::from_millis(100);
/// The same at most while somebody watches the file and tells of every write.
const POLL_WATCHED: Duration = Duration::from_secs(2);
/// A write is seen before its commit is done: looks follow at twice the distance each, from this one on.
const AFTER_A_WRITE: Duration = Duration::from_millis(1);

/// Tells of changes.
#[derive(Debug)]
pub(super) struct Wake {
    version: watch::Sender<u64>,
    poll: Mutex<Poll>,
    /// Somebody saw a write of the file.
    written: Notify,
    /// The pause between looks meanwhile.
    watched: Duration,
    /// How many watch it.
    watchers: AtomicUsize,
}

/// Tells the store that its file was written to. While there is one, the store itself looks rarely.
#[derive(Debug)]
pub struct Watcher(Arc<Wake>);

impl Watcher {
    pub(super) fn of(wake: Arc<Wake>) -> Self {
        wake.watchers.fetch_add(1, Ordering::Relaxed);
        Self(wake)
    }

    /// The file was written to, perhaps by this very process. Costs next to nothing; once too often does no harm.
    pub fn saw_a_write(&self) {
        self.0.written.notify_one();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connection that asks SQLite whether anyone else has committed. It must always be the same one.
#[derive(Debug)]
struct Poll {
    place: Place,
    conn: Option<Connection>,
}

impl Wake {
    pub(super) fn new(place: Place) -> Self {
        Self {
            version: watch::Sender::new(0),
            poll: Mutex::new(Poll { place, conn: None }),
            written: Notify::new(),
            watched: POLL_WATCHED,
            watchers: AtomicUsize::new(0),
        }
    }

    /// The queue has this version now.
    pub(super) fn publish(&self, version: u64) {
        self.version.send_if_modified(|known| {
            let newer = version > *known;
            *known = version.max(*known);
            newer
        });
    }

    /// Returns once the version is above `seen`, or at `until`.
    pub(super) async fn wait_above(&self, seen: u64, until: Instant) -> Result<(), StoreError> {
        let mut changes = self.version.subscribe();
        tokio::select! {
            _ = changes.wait_for(|version| *version > seen) => Ok(()),
            failed = self.look() => failed,
            () = tokio::time::sleep_until(until) => Ok(()),
        }
    }

    /// The longest that a commit may go unseen.
    fn longest(&self) -> Duration {
        if self.watchers.load(Ordering::Relaxed) > 0 { self.watched } else { POLL }
    }

    /// Looks for others' commits for as long as it is polled; comes back only with an error.
    async fn look(&self) -> Result<(), StoreError> {
        let mut poll = self.poll.lock().await;
        let mut known = None;
        let mut pause = self.longest();
        loop {
            let mark = poll.mark()?;
            if known != Some(mark) {
                known = Some(mark);
                self.publish(poll.version()?);
            }
            tokio::select! {
                () = self.written.notified() => pause = AFTER_A_WRITE,
                () = tokio::time::sleep(pause) => pause = pause.saturating_mul(2).min(self.longest()),
            }
        }
    }
}

impl Poll {
    fn conn(&mut self) -> Result<&Connection, StoreError> {
        if self.conn.is_none() {
            self.conn = Some(self.place.connect(Role::Reader).map_err(StoreError::doing("open a connection"))?);
        }
        Ok(self.conn.as_ref().expect("it was opened above"))
    }

    /// A number that differs after any other connection's commit; read from shared memory.
    fn mark(&mut self) -> Result<i64, StoreError> {
        self.conn()?
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(StoreError::doing("look for changes"))
    }

    fn version(&mut self) -> Result<u64, StoreError> {
        super::queue::read_version(self.conn()?).map_err(StoreError::doing("read the queue's version"))
    }
}

#[cfg(test)]
mod tests {
    use fleet_protocol::Manifest;

    use super::*;
    use crate::store::{
        tests::fixture::newcomer,
        writer::{Op, Writer},
    };

    #[tokio::test]
    async fn a_change_of_this_process_is_told_without_looking() {
        let place = Place::memory();
        let _kept = place.prepare().unwrap();
        let wake = Arc::new(Wake::new(place.clone()));
        let writer = Writer::start(place, Arc::clone(&wake)).unwrap();
        let nobody_looks = wake.poll.lock().await;
        let until = Instant::now() + Duration::from_secs(20);
        let op = Op::commit(Arc::from(newcomer(1, Manifest::default()))).unwrap();
        let (_, written) = tokio::join!(wake.wait_above(1, until), writer.write(op));
        written.unwrap();
        assert!(Instant::now() < until, "it was not woken, it timed out");
        drop(nobody_looks);
    }

    /// Another process commits some time after its write was seen; the clock alone would not tell.
    #[tokio::test]
    async fn a_write_that_was_seen_is_looked_after_until_its_commit_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::File(folder.path().join("fleet.db"));
        let _kept = place.prepare().unwrap();
        let ours = Arc::new(Wake { watched: Duration::from_secs(3_600), ..Wake::new(place.clone()) });
        let watcher = Watcher::of(Arc::clone(&ours));
        let seen = Poll { place: place.clone(), conn: None }.version().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let theirs = async {
            watcher.saw_a_write();
            tokio::time::sleep(Duration::from_millis(10)).await;
            let stranger = Connection::open(place.path()).unwrap();
            stranger.execute_batch("UPDATE meta SET version = version + 1").unwrap();
        };
        let (told, ()) = tokio::join!(ours.wait_above(seen, until), theirs);
        told.unwrap();
        assert!(Instant::now() < until, "it was not woken, it timed out");
    }
}
