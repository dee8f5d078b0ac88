//! The net of dependencies: who waits for whom, how a dependency stands, and whether a circle closes.
//!
//! A dependency is written as an id or as an idempotency key; an id wins. It may name a job that is not there yet.

use std::collections::BTreeSet;

use fleet_protocol::{Job, JobId, Stage};
use rusqlite::{Connection, OptionalExtension};

use super::column::Word;

/// The job that a dependency names, as far as a dependant cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub id: JobId,
    pub stage: Stage,
    pub idempotency_key: Option<String>,
}

/// What `dep` names, when there is one.
pub(super) fn resolve(conn: &Connection, product: &str, dep: &str) -> rusqlite::Result<Option<Target>> {
    conn.prepare_cached(
        "SELECT id, stage, idempotency_key FROM (
             SELECT 0 AS place, id, stage, idempotency_key FROM jobs WHERE id = ?2 AND product = ?1
             UNION ALL
             SELECT 1, id, stage, idempotency_key FROM jobs WHERE product = ?1 AND idempotency_key = ?2
         ) ORDER BY place LIMIT 1",
    )?
    .query_row((product, dep), |row| {
        Ok(Target { id: row.get::<_, Word<_>>(0)?.0, stage: row.get::<_, Word<_>>(1)?.0, idempotency_key: row.get(2)? })
    })
    .optional()
}

/// The jobs that name `id` or `key` as a dependency and have not started.
pub(super) fn dependants(
    conn: &Connection,
    product: &str,
    id: &JobId,
    key: Option<&str>,
) -> rusqlite::Result<Vec<JobId>> {
    conn.prepare_cached(
        "SELECT DISTINCT jobs.id FROM deps JOIN jobs ON jobs.pk = deps.job
         WHERE deps.product = ?1 AND deps.dep IN (?2, ?3) AND jobs.stage IN ('blocked', 'queued')",
    )?
    .query_map((product, id.as_str(), key), |row| row.get::<_, Word<_>>(0).map(|word| word.0))?
    .collect()
}

/// The circle that `job` would close, from its own name back to it; none when there is none.
///
/// `job` and its dependencies stand in the tables already. Only a job that somebody names can close one.
pub(super) fn circle(conn: &Connection, job: &Job) -> rusqlite::Result<Option<Vec<String>>> {
    if job.deps.is_empty() {
        return Ok(None);
    }
    let named: bool = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM deps WHERE product = ?1 AND dep IN (?2, ?3))")?
        .query_row((&job.product, job.id.as_str(), &job.idempotency_key), |row| row.get(0))?;
    if !named {
        return Ok(None);
    }
    // Every dependency met, with the place of the one that led to it.
    let mut met: Vec<(String, Option<usize>)> = job.deps.iter().map(|dep| (dep.clone(), None)).collect();
    let mut seen = BTreeSet::new();
    let mut next = 0;
    while let Some((name, _)) = met.get(next) {
        if let Some(target) = resolve(conn, &job.product, name)? {
            if target.id == job.id {
                return Ok(Some(way_to(&met, next, job)));
            }
            if seen.insert(target.id.clone()) {
                met.extend(names_of(conn, &job.product, &target.id)?.into_iter().map(|name| (name, Some(next))));
            }
        }
        next += 1;
    }
    Ok(None)
}

fn way_to(met: &[(String, Option<usize>)], end: usize, job: &Job) -> Vec<String> {
    let mut way: Vec<String> =
        std::iter::successors(Some(end), |&place| met[place].1).map(|place| met[place].0.clone()).collect();
    way.push(job.idempotency_key.clone().unwrap_or_else(|| job.id.to_string()));
    way.reverse();
    way
}

fn names_of(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached(
        "SELECT deps.dep FROM deps JOIN jobs ON jobs.pk = deps.job WHERE jobs.id = ?2 AND jobs.product = ?1",
    )?
    .query_map((product, id.as_str()), |row| row.get(0))?
    .collect()
}
