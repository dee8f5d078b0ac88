//! Reads for those who look for work, or at the queue as a whole. All of them go by an index; none grows with what has
//! been done already.

use std::collections::BTreeMap;

use fleet_protocol::{Job, Stage, api::ClaimRequest, manifest::Priority};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{
    column::{Count, Json, Millis, Word},
    row::{self, COLUMNS},
};

/// Claimable jobs that are equally urgent and suit the same factories, in the order in which they get their turn. Of those
/// that stand in line for one lock it has only the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub priority: Priority,
    /// What all of them demand.
    pub route: String,
    pub kind: LaneKind,
}

/// How the jobs of a lane are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneKind {
    /// The oldest comes first.
    Ready,
    /// They waited for a retry time that has come by this moment; the one that was due first comes first.
    Due(Timestamp),
}

/// A job, and its place among those that are looked through.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub job: Job,
    pub place: Place,
}

/// Where a job lies among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    due: i64,
    pk: i64,
}

impl Place {
    /// Before the first.
    pub const START: Self = Self { due: i64::MIN, pk: 0 };
}

pub(super) fn read_version(conn: &Connection) -> rusqlite::Result<u64> {
    conn.prepare_cached("SELECT version FROM meta")?.query_row([], |row| row.get::<_, Count>(0)).map(|count| count.0)
}

pub(super) fn raise_version(conn: &Connection) -> rusqlite::Result<u64> {
    conn.prepare_cached("UPDATE meta SET version = version + 1 RETURNING version")?
        .query_row([], |row| row.get::<_, Count>(0))
        .map(|count| count.0)
}

/// The routes of claimable jobs of one urgency. Each costs one step in the index, however many jobs it has.
const READY_ROUTES: &str = "WITH RECURSIVE found (route) AS (
         SELECT (SELECT min(route) FROM jobs INDEXED BY jobs_ready WHERE product = ?1 AND priority = ?2
                 AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL AND front = 1)
         UNION ALL
         SELECT (SELECT min(route) FROM jobs INDEXED BY jobs_ready WHERE product = ?1 AND priority = ?2
                 AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL AND front = 1
                 AND route > found.route)
         FROM found WHERE found.route IS NOT NULL
     ) SELECT route FROM found WHERE route IS NOT NULL";

/// Likewise of those that wait, or waited, for a retry time.
const DUE_ROUTES: &str = "WITH RECURSIVE found (route) AS (
         SELECT (SELECT min(route) FROM jobs INDEXED BY jobs_due WHERE product = ?1 AND priority = ?2
                 AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL AND front = 1)
         UNION ALL
         SELECT (SELECT min(route) FROM jobs INDEXED BY jobs_due WHERE product = ?1 AND priority = ?2
                 AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL AND front = 1
                 AND route > found.route)
         FROM found WHERE found.route IS NOT NULL
     ) SELECT route FROM found WHERE route IS NOT NULL";

/// The lanes of one urgency at a moment.
pub(super) fn lanes(
    conn: &Connection,
    product: &str,
    priority: Priority,
    now: Timestamp,
) -> rusqlite::Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for (sql, kind) in [(READY_ROUTES, LaneKind::Ready), (DUE_ROUTES, LaneKind::Due(now))] {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query((product, priority.rank()))?;
        while let Some(row) = rows.next()? {
            lanes.push(Lane { priority, route: row.get(0)?, kind });
        }
    }
    Ok(lanes)
}

const READY_PLACES: &str = "SELECT 0, pk FROM jobs INDEXED BY jobs_ready
     WHERE product = ?1 AND priority = ?2 AND route = ?3 AND pk > ?4
     AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL AND front = 1 ORDER BY pk LIMIT ?5";

const DUE_PLACES: &str = "SELECT retry_not_before, pk FROM jobs INDEXED BY jobs_due
     WHERE product = ?1 AND priority = ?2 AND route = ?3 AND (retry_not_before, pk) > (?4, ?5) AND retry_not_before <= ?6
     AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL AND front = 1
     ORDER BY retry_not_before, pk LIMIT ?7";

/// Up to `limit` places of a lane after `after`. The jobs themselves are not touched.
pub(super) fn places(
    conn: &Connection,
    product: &str,
    lane: &Lane,
    (after, limit): (Place, u32),
) -> rusqlite::Result<Vec<Place>> {
    let rank = lane.priority.rank();
    let place = |row: &Row<'_>| Ok(Place { due: row.get(0)?, pk: row.get(1)? });
    match lane.kind {
        LaneKind::Ready => conn
            .prepare_cached(READY_PLACES)?
            .query_map((product, rank, &lane.route, after.pk, limit), place)?
            .collect(),
        LaneKind::Due(now) => conn
            .prepare_cached(DUE_PLACES)?
            .query_map((product, rank, &lane.route, after.due, after.pk, Millis(now), limit), place)?
            .collect(),
    }
}

/// The job at a place.
pub(super) fn at(conn: &Connection, place: Place) -> rusqlite::Result<Job> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE pk = ?1"))?.query_row([place.pk], row::read)
}

/// How many steps of SQLite's machine the looks for work on this connection took, since this was asked last.
#[cfg(test)]
pub(super) fn steps(conn: &Connection) -> rusqlite::Result<i32> {
    let at = format!("SELECT {COLUMNS} FROM jobs WHERE pk = ?1");
    let mut steps = 0;
    for sql in [READY_ROUTES, DUE_ROUTES, READY_PLACES, DUE_PLACES, &at] {
        steps += conn.prepare_cached(sql)?.reset_status(rusqlite::StatementStatus::VmStep);
    }
    Ok(steps)
}

/// Queued jobs of one route and urgency, the oldest first, whether or not they are the first of their line. Looks at the
/// whole queue.
pub(super) fn of_route(
    conn: &Connection,
    product: &str,
    (route, priority): (&str, Priority),
    limit: u32,
) -> rusqlite::Result<Vec<Job>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY jobs_stage
         WHERE product = ?1 AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL
         AND route = ?2 AND priority = ?3 ORDER BY pk LIMIT ?4"
    ))?
    .query_map((product, route, priority.rank(), limit), row::read)?
    .collect()
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate { job: row::read(row)?, place: Place { due: row.get(19)?, pk: row.get(20)? } })
}

/// The next moment after `now` at which a delayed job may be claimed.
pub(super) fn next_due(conn: &Connection, product: &str, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let mut first = conn.prepare_cached(
        "SELECT min(retry_not_before) FROM jobs INDEXED BY jobs_delayed
         WHERE product = ?1 AND priority = ?2 AND retry_not_before > ?3
         AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL",
    )?;
    let mut next: Option<Timestamp> = None;
    for priority in Priority::ALL {
        let due = first.query_row((product, priority.rank(), Millis(now)), |row| row.get::<_, Option<Millis>>(0))?;
        next = [next, due.map(|millis| millis.0)].into_iter().flatten().min();
    }
    Ok(next)
}

/// Jobs that some factory holds; of one product, or of all.
pub(super) fn held(conn: &Connection, product: Option<&str>) -> rusqlite::Result<Vec<(Job, Timestamp)>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, leases.claimed_at FROM leases JOIN jobs ON jobs.pk = leases.job
         WHERE leases.status = 'active' AND (?1 IS NULL OR leases.product = ?1) ORDER BY jobs.pk"
    ))?
    .query_map([product], |row| Ok((row::read(row)?, row.get::<_, Millis>(19)?.0)))?
    .collect()
}

/// Lock keys of the jobs that are held.
pub(super) fn locks(conn: &Connection, product: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(
        "SELECT lock FROM jobs INDEXED BY jobs_lock
         WHERE product = ?1 AND lock IS NOT NULL AND stage IN ('assigned', 'building')",
    )?
    .query_map([product], |row| row.get(0))?
    .collect()
}

/// How many jobs a factory holds.
pub(super) fn seats_taken(conn: &Connection, product: &str, factory: &str) -> rusqlite::Result<u32> {
    conn.prepare_cached("SELECT count(*) FROM leases WHERE product = ?1 AND holder = ?2 AND status = 'active'")?
        .query_row((product, factory), |row| row.get(0))
}

/// The job that was granted under a claim's key and is still held, and what had been asked.
pub(super) fn granted(conn: &Connection, product: &str, key: &str) -> rusqlite::Result<Option<(Job, String)>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, leases.claim_hash FROM leases JOIN jobs ON jobs.pk = leases.job
         WHERE leases.product = ?1 AND leases.claim_key = ?2 AND leases.status = 'active'"
    ))?
    .query_row((product, key), |row| Ok((row::read(row)?, row.get(19)?)))
    .optional()
}

/// Jobs by stage; stages without jobs are left out.
pub(super) fn counts(conn: &Connection, product: &str) -> rusqlite::Result<BTreeMap<Stage, u64>> {
    conn.prepare_cached("SELECT stage, count(*) FROM jobs WHERE product = ?1 GROUP BY stage")?
        .query_map([product], |row| Ok((row.get::<_, Word<_>>(0)?.0, row.get::<_, Count>(1)?.0)))?
        .collect()
}

/// Jobs whose retry time lies after `now`.
pub(super) fn delayed(conn: &Connection, product: &str, now: Timestamp) -> rusqlite::Result<u64> {
    conn.prepare_cached(
        "SELECT count(*) FROM jobs INDEXED BY jobs_delayed
         WHERE product = ?1 AND retry_not_before > ?2
         AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL",
    )?
    .query_row((product, Millis(now)), |row| row.get::<_, Count>(0))
    .map(|count| count.0)
}

/// A job that waits for dependencies, if there is one.
pub(super) fn one_blocked(conn: &Connection, product: &str) -> rusqlite::Result<Option<Job>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE product = ?1 AND stage = 'blocked' LIMIT 1"))?
        .query_row([product], row::read)
        .optional()
}

/// A queued job that an operator keeps back, if there is one.
pub(super) fn one_held_back(conn: &Connection, product: &str) -> rusqlite::Result<Option<Job>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY jobs_held_back
         WHERE product = ?1 AND stage = 'queued' AND held = 1 LIMIT 1"
    ))?
    .query_row([product], row::read)
    .optional()
}

/// A job whose retry time lies after `now`, if there is one.
pub(super) fn one_delayed(conn: &Connection, product: &str, now: Timestamp) -> rusqlite::Result<Option<Job>> {
    let mut first = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY jobs_delayed
         WHERE product = ?1 AND priority = ?2 AND retry_not_before > ?3
         AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL LIMIT 1"
    ))?;
    for priority in Priority::ALL {
        if let Some(job) = first.query_row((product, priority.rank(), Millis(now)), row::read).optional()? {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Up to `limit` blocked jobs after `after`, of all products.
pub(super) fn blocked(conn: &Connection, after: Place, limit: u32) -> rusqlite::Result<Vec<Candidate>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, 0, jobs.pk FROM jobs INDEXED BY jobs_blocked
         WHERE stage = 'blocked' AND pk > ?1 ORDER BY pk LIMIT ?2"
    ))?
    .query_map((after.pk, limit), candidate)?
    .collect()
}

/// Blocked jobs with a dependency that has failed.
pub(super) fn dep_failed(conn: &Connection, product: &str, limit: u32) -> rusqlite::Result<Vec<Job>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs INDEXED BY jobs_dep_failed WHERE product = ?1 AND dep_failed = 1 ORDER BY pk LIMIT ?2"
    ))?
    .query_map((product, limit), row::read)?
    .collect()
}

/// What each factory offered last.
pub(super) fn offers(conn: &Connection, product: &str) -> rusqlite::Result<Vec<ClaimRequest>> {
    conn.prepare_cached("SELECT offer FROM offers WHERE product = ?1 ORDER BY factory")?
        .query_map([product], |row| row.get::<_, Json<_>>(0).map(|json| json.0))?
        .collect()
}
