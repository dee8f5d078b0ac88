//! Writes one change inside a transaction that is open already. The caller gives it a savepoint and undoes it on error.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    column::{Count, Json, Millis},
    commit::{Answer, Commit, Content, Expect, Extension, Grant, LeaseChange, Offer, Refused},
    deps,
    error::CommitError,
    render::Rendered,
    row::{Columns, Sorting},
};
use crate::lifecycle::Draft;

/// A change of a job, new or old.
pub(super) fn commit(conn: &Connection, commit: &Commit, rendered: &Rendered) -> Result<(), CommitError> {
    let pk = match commit.expect {
        Expect::New => insert(conn, commit, &rendered.job)?,
        Expect::Unchanged { rev, lease_expires_at } => {
            let pk = find(conn, commit, rev, lease_expires_at)?;
            if let Some(grant) = &commit.lease.granted {
                check_seats(conn, commit, grant)?;
            }
            update(conn, pk, commit, &rendered.job)?;
            pk
        }
    };
    if let Some(content) = &commit.content {
        write_content(conn, pk, commit, content)?;
    }
    if let (Some(run), Some(doc)) = (&commit.run, &rendered.run) {
        write_run(conn, (pk, run.number), doc)?;
    }
    write_lease(conn, pk, commit, &commit.lease)?;
    for (event, data) in commit.events.iter().zip(&rendered.events) {
        write_event(conn, pk, (event, data), commit.at)?;
    }
    if let Some(answer) = &commit.answer {
        write_answer(conn, &commit.job.product, answer, commit.at)?;
    }
    Ok(())
}

fn insert(conn: &Connection, commit: &Commit, doc: &str) -> Result<i64, CommitError> {
    let job = &commit.job;
    let (columns, sorting) = (Columns::of(job), Sorting::of(job));
    let fingerprint = commit.content.as_ref().map_or("", |content| content.fingerprint.as_str());
    conn.prepare_cached(
        "INSERT INTO jobs (id, product, file, idempotency_key, fingerprint, stage, priority, route, tagset, lock, \
         engine, parent_id, held, dep_failed, retry_not_before, rev, lease_epoch, created_at, updated_at, doc) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, ?16, ?17, ?18, ?19)",
    )?
    .execute(params![
        job.id.as_str(),
        job.product,
        job.file,
        job.idempotency_key,
        fingerprint,
        columns.stage,
        sorting.priority,
        sorting.route,
        sorting.tagset,
        sorting.lock,
        columns.engine,
        columns.parent_id,
        columns.held,
        columns.dep_failed,
        columns.retry_not_before,
        columns.lease_epoch,
        Millis(job.created_at),
        columns.updated_at,
        doc,
    ])?;
    Ok(conn.last_insert_rowid())
}

/// The row of the job, if it is as it was read.
fn find(conn: &Connection, commit: &Commit, rev: u64, lease_expires_at: Option<Timestamp>) -> Result<i64, CommitError> {
    // Looked up first: `RETURNING` would build a table in memory for its one number.
    conn.prepare_cached("SELECT pk FROM jobs WHERE id = ?1 AND product = ?2 AND rev = ?3 AND lease_expires_at IS ?4")?
        .query_row(
            params![commit.job.id.as_str(), commit.job.product, Count(rev), lease_expires_at.map(Millis)],
            |row| row.get(0),
        )
        .optional()?
        .ok_or(CommitError::Conflict)
}

fn update(conn: &Connection, pk: i64, commit: &Commit, doc: &str) -> Result<(), CommitError> {
    let columns = Columns::of(&commit.job);
    // The columns of a submission (route, lock, priority, …) are left alone here: their indexes need no new entry.
    conn.prepare_cached(
        "UPDATE jobs SET rev = rev + 1, stage = ?2, engine = ?3, held = ?4, dep_failed = ?5, retry_not_before = ?6, \
         lease_epoch = ?7, lease_holder = ?8, lease_at_epoch = ?9, lease_expires_at = ?10, lease_status = ?11, \
         updated_at = ?12, doc = ?13 WHERE pk = ?1",
    )?
    .execute(params![
        pk,
        columns.stage,
        columns.engine,
        columns.held,
        columns.dep_failed,
        columns.retry_not_before,
        columns.lease_epoch,
        columns.lease_holder,
        columns.lease_at_epoch,
        columns.lease_expires_at,
        columns.lease_status,
        columns.updated_at,
        doc,
    ])?;
    Ok(())
}

fn write_content(conn: &Connection, pk: i64, commit: &Commit, content: &Content) -> Result<(), CommitError> {
    let job = &commit.job;
    if commit.expect != Expect::New {
        let sorting = Sorting::of(job);
        conn.prepare_cached(
            "UPDATE jobs SET fingerprint = ?2, priority = ?3, route = ?4, tagset = ?5, lock = ?6 WHERE pk = ?1",
        )?
        .execute(params![
            pk,
            content.fingerprint,
            sorting.priority,
            sorting.route,
            sorting.tagset,
            sorting.lock
        ])?;
        conn.prepare_cached("DELETE FROM tags WHERE job = ?1")?.execute([pk])?;
        conn.prepare_cached("DELETE FROM deps WHERE job = ?1")?.execute([pk])?;
    }
    conn.prepare_cached("INSERT OR REPLACE INTO texts (job, source, body) VALUES (?1, ?2, ?3)")?.execute(params![
        pk,
        content.source,
        content.body
    ])?;
    for tag in job.tags.iter().collect::<BTreeSet<_>>() {
        conn.prepare_cached("INSERT INTO tags (job, tag) VALUES (?1, ?2)")?.execute(params![pk, tag])?;
    }
    if content.linked {
        for dep in job.deps.iter().collect::<BTreeSet<_>>() {
            conn.prepare_cached("INSERT INTO deps (product, dep, job) VALUES (?1, ?2, ?3)")?.execute(params![
                job.product,
                dep,
                pk
            ])?;
        }
        // Judged here, where nobody else can add the other half of a circle meanwhile.
        if let Some(path) = deps::circle(conn, job)? {
            return Err(CommitError::Cycle { path });
        }
    }
    if let Some(profile) = &content.profile {
        conn.prepare_cached(
            "INSERT OR IGNORE INTO profiles (name, version, text, first_used) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![profile.name, profile.version, profile.text, Millis(commit.at)])?;
    }
    Ok(())
}

fn write_run(conn: &Connection, (pk, number): (i64, u32), doc: &str) -> Result<(), CommitError> {
    conn.prepare_cached(
        "INSERT INTO runs (job, number, doc) VALUES (?1, ?2, ?3) ON CONFLICT (job, number) DO UPDATE SET doc = excluded.doc",
    )?
    .execute(params![pk, number, doc])?;
    Ok(())
}

fn write_lease(conn: &Connection, pk: i64, commit: &Commit, change: &LeaseChange) -> Result<(), CommitError> {
    if let Some((epoch, status)) = change.ended {
        let seen = match commit.expect {
            Expect::Unchanged { lease_expires_at, .. } => lease_expires_at.map(Millis),
            Expect::New => None,
        };
        conn.prepare_cached(
            "UPDATE leases SET status = ?3, ended_at = ?4, expires_at = coalesce(?5, expires_at) \
             WHERE job = ?1 AND epoch = ?2 AND status = 'active'",
        )?
        .execute(params![pk, Count(epoch), status.as_str(), Millis(commit.at), seen])?;
    }
    if let Some(grant) = &change.granted {
        grant_lease(conn, pk, commit, grant)?;
    }
    Ok(())
}

/// Looked at before anything is written: a refusal is common, and leaves nothing to be undone.
fn check_seats(conn: &Connection, commit: &Commit, grant: &Grant) -> Result<(), CommitError> {
    let Some(seats) = grant.seats else { return Ok(()) };
    let taken: u32 = conn
        .prepare_cached("SELECT count(*) FROM leases WHERE product = ?1 AND holder = ?2 AND status = 'active'")?
        .query_row(params![commit.job.product, grant.holder], |row| row.get(0))?;
    if taken >= seats { Err(CommitError::NoSeat) } else { Ok(()) }
}

fn grant_lease(conn: &Connection, pk: i64, commit: &Commit, grant: &Grant) -> Result<(), CommitError> {
    let (key, hash) = grant.asked.as_ref().map(|(key, hash)| (key, hash)).unzip();
    conn.prepare_cached(
        "INSERT INTO leases (job, epoch, product, holder, status, claimed_at, expires_at, claim_key, claim_hash) \
         VALUES (?1, ?2, ?3, ?4, 'active', ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        pk,
        Count(grant.epoch),
        commit.job.product,
        grant.holder,
        Millis(commit.at),
        Millis(grant.expires_at),
        key,
        hash,
    ])?;
    Ok(())
}

fn write_event(conn: &Connection, pk: i64, (event, data): (&Draft, &str), at: Timestamp) -> Result<(), CommitError> {
    // The number is given here, under the write lock, and taken back with the change: no gap, no double.
    conn.prepare_cached(
        "INSERT INTO events (job, seq, type, at, actor, stage_from, stage_to, lease_epoch, data) \
         VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE job = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        pk,
        event.event_type.as_str(),
        Millis(at),
        event.actor,
        event.stage_from.map(|stage| stage.as_str()),
        event.stage_to.map(|stage| stage.as_str()),
        Count(event.lease_epoch),
        data,
    ])?;
    Ok(())
}

fn write_answer(conn: &Connection, product: &str, answer: &Answer, at: Timestamp) -> Result<(), CommitError> {
    conn.prepare_cached(
        "INSERT INTO answers (product, key, request, status, body, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![product, answer.key, answer.request, answer.status, answer.body, Millis(at)])?;
    Ok(())
}

/// A renewed lease. Touches no index and raises no `rev`: a heartbeat is no change that anyone waits for.
pub(super) fn extend(conn: &Connection, extension: &Extension) -> Result<(), CommitError> {
    let changed = conn
        .prepare_cached(
            "UPDATE jobs SET lease_expires_at = ?5 \
             WHERE id = ?1 AND product = ?2 AND rev = ?3 AND lease_expires_at IS ?4 AND lease_status = 'active'",
        )?
        .execute(params![
            extension.id.as_str(),
            extension.product,
            Count(extension.rev),
            Millis(extension.seen),
            Millis(extension.expires_at),
        ])?;
    if changed == 1 { Ok(()) } else { Err(CommitError::Conflict) }
}

/// A refused write of a former holder; true when it was the first of its epoch and the history has a new line.
pub(super) fn refuse(conn: &Connection, refused: &Refused) -> Result<bool, CommitError> {
    let Some(pk) = super::row::find_pk(conn, &refused.product, &refused.id)? else { return Ok(false) };
    let first = conn
        .prepare_cached("UPDATE leases SET refused_at = ?3 WHERE job = ?1 AND epoch = ?2 AND refused_at IS NULL")?
        .execute(params![pk, Count(refused.epoch), Millis(refused.at)])?;
    if first == 0 {
        return Ok(false);
    }
    write_event(conn, pk, (&refused.event, &refused.event.data.to_string()), refused.at)?;
    Ok(true)
}

/// Forgets answers given before `before`, some at a time.
pub(super) fn prune_answers(conn: &Connection, before: Timestamp) -> Result<(), CommitError> {
    conn.prepare_cached(
        "DELETE FROM answers WHERE (product, key) IN (SELECT product, key FROM answers WHERE at < ?1 LIMIT 500)",
    )?
    .execute([Millis(before)])?;
    Ok(())
}

/// What a factory offers from now on.
pub(super) fn offer(conn: &Connection, offer: &Offer) -> Result<(), CommitError> {
    conn.prepare_cached(
        "INSERT INTO offers (product, factory, offer, at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (product, factory) DO UPDATE SET offer = excluded.offer, at = excluded.at",
    )?
    .execute(params![offer.product, offer.claim.factory_id, Json(&offer.claim), Millis(offer.at)])?;
    Ok(())
}
