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

/// Claimable jobs that are equally urgent, in the order in which they get their turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub kind: LaneKind,
    pub priority: Priority,
}

/// What the jobs of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneKind {
    /// They suit the same factories; the oldest comes first.
    Route(String),
    /// They waited for a retry time that has come by this moment; the one that was due first comes first.
    Due(Timestamp),
}

/// The next jobs of a lane.
#[derive(Debug, Clone, PartialEq)]
pub struct LanePage {
    pub jobs: Vec<Job>,
    /// Where to go on.
    pub after: Place,
    /// Whether there is nothing to go on to.
    pub at_end: bool,
    /// How many were left to somebody else.
    pub left: u32,
}

/// A job, and its place among those that are looked through.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub job: Job,
    pub place: Place,
}

/// How far a lane has been looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// Every route that has a claimable job. Each costs one step in the index, however many jobs it has.
pub(super) fn routes(conn: &Connection, product: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(
        "WITH RECURSIVE found (route) AS (
             SELECT (SELECT min(route) FROM jobs INDEXED BY jobs_ready
                     WHERE product = ?1 AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL)
             UNION ALL
             SELECT (SELECT min(route) FROM jobs INDEXED BY jobs_ready
                     WHERE product = ?1 AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL
                     AND route > found.route)
             FROM found WHERE found.route IS NOT NULL
         ) SELECT route FROM found WHERE route IS NOT NULL",
    )?
    .query_map([product], |row| row.get(0))?
    .collect()
}

/// A part of a lane: up to `limit` places after `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub after: Place,
    pub limit: u32,
}

/// The jobs in a window of a lane. Jobs that `left` says are somebody else's are not even taken apart.
pub(super) fn lane(
    conn: &Connection,
    product: &str,
    lane: &Lane,
    Window { after, limit }: Window,
    left: &dyn Fn(&str) -> bool,
) -> rusqlite::Result<LanePage> {
    let rank = lane.priority.rank();
    let mut page = LanePage { jobs: Vec::new(), after, at_end: true, left: 0 };
    let mut places = 0;
    let mut take = |row: &Row<'_>| {
        places += 1;
        page.after = Place { due: row.get(19)?, pk: row.get(20)? };
        if left(row.get_ref(0)?.as_str()?) {
            page.left += 1;
        } else {
            page.jobs.push(row::read(row)?);
        }
        Ok(())
    };
    match &lane.kind {
        LaneKind::Route(route) => conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, 0, jobs.pk FROM jobs INDEXED BY jobs_ready
                 WHERE product = ?1 AND route = ?2 AND priority = ?3 AND pk > ?4
                 AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL ORDER BY pk LIMIT ?5"
            ))?
            .query_map((product, route, rank, after.pk, limit), &mut take)?
            .collect::<rusqlite::Result<()>>()?,
        LaneKind::Due(now) => conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, jobs.retry_not_before, jobs.pk FROM jobs INDEXED BY jobs_delayed
                 WHERE product = ?1 AND priority = ?2 AND retry_not_before <= ?3
                 AND (retry_not_before, pk) > (?4, ?5)
                 AND stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL
                 ORDER BY retry_not_before, pk LIMIT ?6"
            ))?
            .query_map((product, rank, Millis(*now), after.due, after.pk, limit), &mut take)?
            .collect::<rusqlite::Result<()>>()?,
    }
    page.at_end = places < limit;
    Ok(page)
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
