//! Who waits for a change of the queue hears of it: at once when this process made it, within the poll's period when
//! another did.
//!
//! A wake-up carries only the queue's version; whoever is woken reads the store. Of all who wait, one looks for other
//! processes' commits; when nobody waits, nobody looks.

use std::time::Duration;

use rusqlite::Connection;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use super::{
    error::StoreError,
    place::{Place, Role},
};

/// How long another process's commit may go unseen.
const POLL: Duration = Duration::from_millis(100);

/// Tells of changes.
#[derive(Debug)]
pub(super) struct Wake {
    version: watch::Sender<u64>,
    poll: Mutex<Poll>,
}

/// The connection that asks SQLite whether anyone else has committed. It must always be the same one.
#[derive(Debug)]
struct Poll {
    place: Place,
    conn: Option<Connection>,
}

impl Wake {
    pub(super) fn new(place: Place) -> Self {
        Self { version: watch::Sender::new(0), poll: Mutex::new(Poll { place, conn: None }) }
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

    /// Looks for others' commits for as long as it is polled; comes back only with an error.
    async fn look(&self) -> Result<(), StoreError> {
        let mut poll = self.poll.lock().await;
        let mut known = None;
        loop {
            let mark = poll.mark()?;
            if known != Some(mark) {
                known = Some(mark);
                self.publish(poll.version()?);
            }
            tokio::time::sleep(POLL).await;
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
    use std::sync::Arc;

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
}
