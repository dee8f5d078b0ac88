//! Which jobs' output may be old, and which was let go already.

use fleet_protocol::{Job, JobId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    column::Millis,
    error::CommitError,
    row::{self, COLUMNS},
};

/// Output that was let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Of all runs up to this one.
    pub runs: u32,
    pub at: Timestamp,
}

/// Output that was let go just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub product: String,
    pub id: JobId,
    pub expiry: Expiry,
}

/// As the index has it, word for word: only then does SQLite believe that it fits.
const EXPIRABLE: &str = "stage IN ('shipped', 'failed', 'dead_letter') AND held = 0 \
     AND (logs_expired_at IS NULL OR logs_expired_at <= updated_at)";

/// Finished jobs that still have output and changed last at `before` or earlier, the oldest first.
pub(super) fn older(conn: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<Vec<Job>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY jobs_expirable WHERE {EXPIRABLE} AND updated_at <= ?1
         ORDER BY updated_at LIMIT ?2"
    ))?
    .query_map(params![Millis(before), limit], row::read)?
    .collect()
}

/// Finished jobs that still have output, without the `newest`, the newer first.
pub(super) fn beyond(conn: &Connection, newest: u32, limit: u32) -> rusqlite::Result<Vec<Job>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY jobs_expirable WHERE {EXPIRABLE}
         ORDER BY updated_at DESC LIMIT ?2 OFFSET ?1"
    ))?
    .query_map(params![newest, limit], row::read)?
    .collect()
}

/// What was let go of a job's output.
pub(super) fn of_job(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Option<Expiry>> {
    conn.prepare_cached(
        "SELECT logs_expired_runs, logs_expired_at FROM jobs
         WHERE id = ?1 AND product = ?2 AND logs_expired_at IS NOT NULL",
    )?
    .query_row((id.as_str(), product), |row| Ok(Expiry { runs: row.get(0)?, at: row.get::<_, Millis>(1)?.0 }))
    .optional()
}

/// Notes what was let go. It is a fact, whatever the job is by now, and no change of it.
pub(super) fn note(conn: &Connection, expired: &Expired) -> Result<(), CommitError> {
    conn.prepare_cached(
        "UPDATE jobs SET logs_expired_runs = max(logs_expired_runs, ?3), logs_expired_at = ?4
         WHERE id = ?1 AND product = ?2",
    )?
    .execute(params![expired.id.as_str(), expired.product, expired.expiry.runs, Millis(expired.expiry.at)])?;
    Ok(())
}
