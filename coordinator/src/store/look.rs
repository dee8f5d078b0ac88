//! One moment of the store, for whoever has to read several things that belong together: all of it comes from one read
//! transaction, which ends with the look.

use fleet_protocol::{Job, JobId, Run, manifest::Priority};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    error::StoreError,
    queue::{self, Lane, Place as Cursor},
    records,
};

/// What stands in the store at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    conn: &'a Connection,
}

impl<'a> Look<'a> {
    pub(super) const fn on(conn: &'a Connection) -> Self {
        Self { conn }
    }

    /// The queue's version.
    pub fn version(&self) -> Result<u64, StoreError> {
        queue::read_version(self.conn).map_err(StoreError::doing("read the queue's version"))
    }

    /// The job granted under a claim's key while its lease lives, and what had been asked.
    pub fn granted(&self, product: &str, key: &str) -> Result<Option<(Job, String)>, StoreError> {
        queue::granted(self.conn, product, key).map_err(StoreError::doing("look up a claim"))
    }

    /// How many jobs a factory holds.
    pub fn seats_taken(&self, product: &str, factory: &str) -> Result<u32, StoreError> {
        queue::seats_taken(self.conn, product, factory).map_err(StoreError::doing("count seats"))
    }

    /// The lock keys of jobs that are held.
    pub fn locks(&self, product: &str) -> Result<Vec<String>, StoreError> {
        queue::locks(self.conn, product).map_err(StoreError::doing("list locks"))
    }

    /// The lanes of one urgency that have jobs, or will have them at their time.
    pub fn lanes(&self, product: &str, priority: Priority, now: Timestamp) -> Result<Vec<Lane>, StoreError> {
        queue::lanes(self.conn, product, priority, now).map_err(StoreError::doing("look for lanes"))
    }

    /// Up to `limit` places of a lane after `after`.
    pub fn places(&self, product: &str, lane: &Lane, (after, limit): (Cursor, u32)) -> Result<Vec<Cursor>, StoreError> {
        queue::places(self.conn, product, lane, (after, limit)).map_err(StoreError::doing("look for work"))
    }

    /// The job at a place that this look has given out.
    pub fn at(&self, place: Cursor) -> Result<Job, StoreError> {
        queue::at(self.conn, place).map_err(StoreError::doing("read a job"))
    }

    /// The steps that looks for work took since this was asked last.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> Result<i32, StoreError> {
        queue::steps(self.conn).map_err(StoreError::doing("count steps"))
    }

    /// Queued jobs of one route and urgency, the oldest first; looks at the whole queue.
    pub fn of_route(&self, product: &str, lane: &Lane, limit: u32) -> Result<Vec<Job>, StoreError> {
        queue::of_route(self.conn, product, (&lane.route, lane.priority), limit)
            .map_err(StoreError::doing("list the jobs of a route"))
    }

    /// A job and its newest run.
    pub fn job(&self, product: &str, id: &JobId) -> Result<Option<records::Snapshot>, StoreError> {
        records::snapshot(self.conn, product, id).map_err(StoreError::doing("read a job"))
    }

    /// A job that waits for dependencies.
    pub fn one_blocked(&self, product: &str) -> Result<Option<Job>, StoreError> {
        queue::one_blocked(self.conn, product).map_err(StoreError::doing("look for blocked jobs"))
    }

    /// A queued job that an operator keeps back.
    pub fn one_held_back(&self, product: &str) -> Result<Option<Job>, StoreError> {
        queue::one_held_back(self.conn, product).map_err(StoreError::doing("look for jobs on hold"))
    }

    /// A job whose retry time lies after `now`.
    pub fn one_delayed(&self, product: &str, now: Timestamp) -> Result<Option<Job>, StoreError> {
        queue::one_delayed(self.conn, product, now).map_err(StoreError::doing("look for delayed jobs"))
    }

    /// The task file as submitted, and the body.
    pub fn texts(&self, product: &str, id: &JobId) -> Result<Option<(String, String)>, StoreError> {
        records::texts(self.conn, product, id).map_err(StoreError::doing("read a task file"))
    }

    /// The runs of a job, the oldest first.
    pub fn runs(&self, product: &str, id: &JobId) -> Result<Vec<Run>, StoreError> {
        records::runs(self.conn, product, id).map_err(StoreError::doing("list runs"))
    }

    /// The text of a profile's version.
    pub fn profile(&self, name: &str, version: &str) -> Result<Option<String>, StoreError> {
        records::profile(self.conn, name, version).map_err(StoreError::doing("read a profile"))
    }
}
