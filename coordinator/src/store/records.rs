//! Reads of single records and pages of them: jobs, runs, events, leases, texts, answers.

use fleet_protocol::{
    Event, Job, JobId, Run, Stage,
    api::JobsQuery,
    id::MIN_PREFIX,
    lease::{Lease, LeaseStatus},
};
use rusqlite::{Connection, OptionalExtension, ToSql};

use super::{
    column::{Count, Json, Millis, Word},
    commit::Answer,
    row::{self, COLUMNS},
};

/// A job with its newest run, as a step needs them.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub job: Job,
    pub run: Option<Run>,
}

/// A page, and where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None at the end.
    pub next: Option<i64>,
}

pub(super) fn snapshot(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Option<Snapshot>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, (SELECT doc FROM runs WHERE runs.job = jobs.pk ORDER BY number DESC LIMIT 1)
         FROM jobs WHERE id = ?1 AND product = ?2"
    ))?
    .query_row((id.as_str(), product), |row| {
        Ok(Snapshot { job: row::read(row)?, run: row.get::<_, Option<Json<Run>>>(19)?.map(|json| json.0) })
    })
    .optional()
}

/// The job with an idempotency key, and the fingerprint of what it was submitted with.
pub(super) fn by_key(conn: &Connection, product: &str, key: &str) -> rusqlite::Result<Option<(Job, String)>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, jobs.fingerprint FROM jobs WHERE product = ?1 AND idempotency_key = ?2"
    ))?
    .query_row((product, key), |row| Ok((row::read(row)?, row.get(19)?)))
    .optional()
}

/// The jobs that `name` may mean, at most two: by id, else by key, else by the beginning of an id.
pub(super) fn named(conn: &Connection, product: &str, name: &str) -> rusqlite::Result<Vec<Job>> {
    if let Ok(id) = name.parse()
        && let Some(snapshot) = snapshot(conn, product, &id)?
    {
        return Ok(vec![snapshot.job]);
    }
    if let Some((job, _)) = by_key(conn, product, name)? {
        return Ok(vec![job]);
    }
    if name.len() < MIN_PREFIX || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(Vec::new());
    }
    // `{` follows `z`: every id that begins with the name lies between the two.
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs WHERE id >= ?2 AND id < ?3 AND +product = ?1 ORDER BY id LIMIT 2"
    ))?
    .query_map((product, name, format!("{name}{{")), row::read)?
    .collect()
}

/// A page of jobs, in the order of their submission: what is added meanwhile comes at the end.
pub(super) fn page(
    conn: &Connection,
    product: &str,
    query: &JobsQuery,
    (after, limit): (i64, u32),
) -> rusqlite::Result<Page<Job>> {
    let priority = query.priority.map(|priority| priority.rank());
    let stage = query.stage.map(Stage::as_str);
    let beyond = i64::from(limit) + 1;
    let mut conditions = vec!["jobs.product = ?", "jobs.pk > ?"];
    let mut values: Vec<&dyn ToSql> = vec![&product, &after];
    let mut filter = |condition, value: Option<_>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    };
    filter("jobs.stage = ?", stage.as_ref().map(|stage| stage as &dyn ToSql));
    filter("jobs.priority = ?", priority.as_ref().map(|rank| rank as &dyn ToSql));
    filter("jobs.engine = ?", query.engine.as_ref().map(|engine| engine as &dyn ToSql));
    filter("jobs.parent_id = ?", query.parent.as_ref().map(|parent| parent as &dyn ToSql));
    filter(
        "EXISTS (SELECT 1 FROM tags WHERE tags.job = jobs.pk AND tags.tag = ?)",
        query.tag.as_ref().map(|tag| tag as &dyn ToSql),
    );
    values.push(&beyond);
    // Left alone, SQLite would rather sort every job of the product than walk them in their order.
    let way = if query.stage.is_some() { "INDEXED BY jobs_stage" } else { "NOT INDEXED" };
    let conditions = conditions.join(" AND ");
    let sql = format!("SELECT {COLUMNS}, jobs.pk FROM jobs {way} WHERE {conditions} ORDER BY jobs.pk LIMIT ?");
    let rows = conn
        .prepare_cached(&sql)?
        .query_map(values.as_slice(), |row| Ok((row.get::<_, i64>(19)?, row::read(row)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(cut(rows, limit))
}

/// Every run of a job, the oldest first.
pub(super) fn runs(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Vec<Run>> {
    conn.prepare_cached(
        "SELECT runs.doc FROM runs JOIN jobs ON jobs.pk = runs.job
         WHERE jobs.id = ?1 AND jobs.product = ?2 ORDER BY runs.number",
    )?
    .query_map((id.as_str(), product), |row| row.get::<_, Json<Run>>(0).map(|json| json.0))?
    .collect()
}

/// A page of a job's history.
pub(super) fn events(
    conn: &Connection,
    product: &str,
    id: &JobId,
    (after, limit): (i64, u32),
) -> rusqlite::Result<Page<Event>> {
    let rows = conn
        .prepare_cached(
            "SELECT events.seq, events.type, events.at, events.actor, events.stage_from, events.stage_to,
                 events.lease_epoch, events.data
             FROM events JOIN jobs ON jobs.pk = events.job
             WHERE jobs.id = ?1 AND jobs.product = ?2 AND events.seq > ?3 ORDER BY events.seq LIMIT ?4",
        )?
        .query_map((id.as_str(), product, after, i64::from(limit) + 1), |row| {
            Ok((row.get::<_, i64>(0)?, event(id, row)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(cut(rows, limit))
}

fn event(id: &JobId, row: &rusqlite::Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        job_id: id.clone(),
        seq: row.get::<_, Count>(0)?.0,
        event_type: row.get::<_, Word<_>>(1)?.0,
        at: row.get::<_, Millis>(2)?.0,
        actor: row.get(3)?,
        stage_from: row.get::<_, Option<Word<_>>>(4)?.map(|word| word.0),
        stage_to: row.get::<_, Option<Word<_>>>(5)?.map(|word| word.0),
        lease_epoch: row.get::<_, Count>(6)?.0,
        data: row.get::<_, Json<_>>(7)?.0,
    })
}

/// One row more was read than asked for: it shows that there is a next page.
fn cut<T>(mut rows: Vec<(i64, T)>, limit: u32) -> Page<T> {
    let full = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if full {
        rows.pop();
    }
    let next = if full { rows.last().map(|(place, _)| *place) } else { None };
    Page { items: rows.into_iter().map(|(_, item)| item).collect(), next }
}

/// Every lease ever granted on a job, the oldest first.
pub(super) fn leases(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Vec<Lease>> {
    conn.prepare_cached(
        "SELECT leases.holder, leases.epoch, leases.status,
             CASE leases.status WHEN 'active' THEN jobs.lease_expires_at ELSE leases.expires_at END
         FROM leases JOIN jobs ON jobs.pk = leases.job
         WHERE jobs.id = ?1 AND jobs.product = ?2 ORDER BY leases.epoch",
    )?
    .query_map((id.as_str(), product), |row| {
        Ok(Lease {
            holder_factory_id: row.get(0)?,
            lease_epoch: row.get::<_, Count>(1)?.0,
            status: row.get::<_, Word<LeaseStatus>>(2)?.0,
            expires_at: row.get::<_, Millis>(3)?.0,
        })
    })?
    .collect()
}

/// The task file as submitted, and what the agent is told.
pub(super) fn texts(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Option<(String, String)>> {
    conn.prepare_cached(
        "SELECT texts.source, texts.body FROM texts JOIN jobs ON jobs.pk = texts.job
         WHERE jobs.id = ?1 AND jobs.product = ?2",
    )?
    .query_row((id.as_str(), product), |row| Ok((row.get(0)?, row.get(1)?)))
    .optional()
}

/// Whether a file name is taken in a product.
pub(super) fn file_taken(conn: &Connection, product: &str, file: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM jobs WHERE product = ?1 AND file = ?2)")?
        .query_row((product, file), |row| row.get(0))
}

pub(super) fn profile(conn: &Connection, name: &str, version: &str) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT text FROM profiles WHERE name = ?1 AND version = ?2")?
        .query_row((name, version), |row| row.get(0))
        .optional()
}

/// The answer that was given under an idempotency key.
pub(super) fn answer(conn: &Connection, product: &str, key: &str) -> rusqlite::Result<Option<Answer>> {
    conn.prepare_cached("SELECT key, request, status, body FROM answers WHERE product = ?1 AND key = ?2")?
        .query_row((product, key), |row| {
            Ok(Answer { key: row.get(0)?, request: row.get(1)?, status: row.get(2)?, body: row.get(3)? })
        })
        .optional()
}

/// Whether an answer is older than `before`.
pub(super) fn any_answer_before(conn: &Connection, before: jiff::Timestamp) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM answers WHERE at < ?1)")?
        .query_row([Millis(before)], |row| row.get(0))
}
