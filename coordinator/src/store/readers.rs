//! A few reading connections, opened when two reads happen at once and kept for the next.
//!
//! Reads are short: a page at most, never a cursor held open, so that no reader keeps the write-ahead log from shrinking.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::{
    error::StoreError,
    look::Look,
    place::{Place, Role},
};

/// Connections kept while nobody reads.
const KEPT: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    place: Place,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(place: Place, first: Connection) -> Self {
        Self { place, idle: Mutex::new(vec![first]) }
    }

    /// Runs `read` on a connection that nobody else uses meanwhile.
    pub(super) fn read<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let conn = self.take()?;
        let outcome = read(&conn).map_err(StoreError::doing(doing));
        self.give_back(conn);
        outcome
    }

    /// The same for several reads of one moment.
    pub(super) fn look<T, E: From<StoreError>>(&self, read: impl FnOnce(Look<'_>) -> Result<T, E>) -> Result<T, E> {
        let conn = self.take()?;
        run(&conn, "BEGIN").map_err(StoreError::doing("begin to read"))?;
        let outcome = read(Look::on(&conn));
        // A connection whose transaction does not end is of no use to anyone.
        run(&conn, "COMMIT").map_err(StoreError::doing("end a read"))?;
        self.give_back(conn);
        outcome
    }

    fn take(&self) -> Result<Connection, StoreError> {
        match self.idle().pop() {
            Some(conn) => Ok(conn),
            None => self.place.connect(Role::Reader).map_err(StoreError::doing("open a connection")),
        }
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(conn);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // A list of connections is whole whatever its last user panicked over.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}
