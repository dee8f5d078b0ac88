//! What the coordinator is measured against: the same schema and settings, written by a loop that decides nothing. One
//! thread takes what waits, writes it in one transaction without savepoints, and answers after the commit.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
};

use rusqlite::{Connection, config::DbConfig, params};
use tokio::sync::oneshot;

use super::desk::{Desk, all, share};

/// Most of one transaction; the same as the coordinator's.
const BATCH: usize = 256;

/// What to write.
pub(crate) enum Write {
    /// The next job that waits goes to this factory: its row, a run, a lease, an event.
    Claim { factory: String, key: String },
    /// A new job: its row, its texts, an event.
    Submit { id: String, text: String },
}

type Request = (Write, oneshot::Sender<()>);

/// The loop, and the way to it.
pub(crate) struct Loop {
    sender: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Loop {
    /// On a database that a coordinator has made and nobody else has open.
    pub(crate) fn start(state: &Path) -> Self {
        let conn = open(state);
        let (sender, receiver) = sync_channel(2_048);
        let thread = std::thread::spawn(move || work(&conn, &receiver));
        Self { sender: Some(sender), thread: Some(thread) }
    }

    async fn write(sender: SyncSender<Request>, write: Write) {
        let (reply, answer) = oneshot::channel();
        sender.send((write, reply)).expect("the loop runs");
        answer.await.expect("the loop answers");
    }

    /// Writes what `make` gives, `count` times by so many clients.
    pub(crate) async fn write_by(
        &self,
        clients: usize,
        count: usize,
        make: impl Fn(usize, usize) -> Write + Clone + Send + 'static,
    ) {
        let sender = self.sender.as_ref().expect("it is there until the end");
        let work = (0..clients).map(|client| {
            let (sender, make) = (sender.clone(), make.clone());
            tokio::spawn(async move {
                for number in 0..share(count, clients, client) {
                    Self::write(sender.clone(), make(client, number)).await;
                }
            })
        });
        all(work).await;
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A database with `queued` jobs, as a coordinator leaves it.
pub(crate) async fn prepare(state: &Path, queued: usize) {
    let desk = Desk::open(state);
    desk.fill(queued, "").await;
}

/// With the settings of the coordinator's writer.
pub(crate) fn open(state: &Path) -> Connection {
    let conn = Connection::open(state.join("fleet.db")).expect("the database opens");
    conn.set_prepared_statement_cache_capacity(128);
    let pragmas = [("synchronous", "FULL"), ("foreign_keys", "ON"), ("temp_store", "MEMORY"), ("cache_size", "-16384")];
    for (name, value) in pragmas.into_iter().chain([("wal_autocheckpoint", "4000")]) {
        conn.pragma_update(None, name, value).expect("a setting is taken");
    }
    for switch in [DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG] {
        conn.set_db_config(switch, true).expect("a setting is taken");
    }
    conn
}

fn work(conn: &Connection, receiver: &Receiver<Request>) {
    while let Ok(first) = receiver.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = receiver.try_recv()
        {
            batch.push(next);
        }
        run(conn, "BEGIN IMMEDIATE");
        for (write, _) in &batch {
            apply(conn, write);
        }
        run(conn, "COMMIT");
        for (_, reply) in batch {
            reply.send(()).expect("who asked waits for the answer");
        }
    }
}

/// One change, one transaction.
pub(crate) fn one(conn: &Connection, write: &Write) {
    run(conn, "BEGIN IMMEDIATE");
    apply(conn, write);
    run(conn, "COMMIT");
}

fn run(conn: &Connection, sql: &str) {
    let mut statement = conn.prepare_cached(sql).expect("the statement is right");
    statement.execute([]).expect("the statement is done");
}

fn apply(conn: &Connection, write: &Write) {
    match write {
        Write::Claim { factory, key } => claim(conn, factory, key),
        Write::Submit { id, text } => submit(conn, id, text),
    }
    .expect("the change is written");
}

fn claim(conn: &Connection, factory: &str, key: &str) -> rusqlite::Result<()> {
    let (pk, doc): (i64, String) = conn
        .prepare_cached(
            "SELECT pk, doc FROM jobs INDEXED BY jobs_ready
             WHERE product = 'default' AND stage = 'queued' AND held = 0 AND retry_not_before IS NULL AND front = 1
             ORDER BY priority, route, pk LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    conn.prepare_cached(
        "UPDATE jobs SET rev = rev + 1, stage = 'assigned', lease_epoch = lease_epoch + 1, lease_holder = ?2,
         lease_at_epoch = lease_epoch + 1, lease_expires_at = 90000, lease_status = 'active', updated_at = 0, doc = ?3
         WHERE pk = ?1",
    )?
    .execute(params![pk, factory, doc])?;
    // As long as a run that has just begun.
    conn.prepare_cached("INSERT INTO runs (job, number, doc) VALUES (?1, 1, ?2)")?
        .execute(params![pk, "r".repeat(400)])?;
    conn.prepare_cached(
        "INSERT INTO leases (job, epoch, product, holder, status, claimed_at, expires_at, claim_key, claim_hash)
         VALUES (?1, 1, 'default', ?2, 'active', 0, 90000, ?3, ?4)",
    )?
    .execute(params![pk, factory, key, "h".repeat(64)])?;
    event(conn, pk, ("claimed", Some("queued"), "assigned"), 2)
}

fn submit(conn: &Connection, id: &str, text: &str) -> rusqlite::Result<()> {
    // As long as the record of a new job.
    let doc = "d".repeat(1_000);
    conn.prepare_cached(
        "INSERT INTO jobs (id, product, file, fingerprint, stage, priority, route, held, dep_failed, rev, lease_epoch,
         created_at, updated_at, doc)
         VALUES (?1, 'default', ?1 || '.md', ?2, 'queued', 1, '{\"capabilities\":[],\"engine\":null}', 0, 0, 1, 0, 0, 0, ?3)",
    )?
    .execute(params![id, "f".repeat(64), doc])?;
    let pk = conn.last_insert_rowid();
    conn.prepare_cached("INSERT INTO texts (job, source, body) VALUES (?1, ?2, ?2)")?.execute(params![pk, text])?;
    event(conn, pk, ("submitted", None, "queued"), 1)
}

fn event(conn: &Connection, pk: i64, (name, from, to): (&str, Option<&str>, &str), seq: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO events (job, seq, type, at, actor, stage_from, stage_to, lease_epoch, data)
         VALUES (?1, ?2, ?3, 0, 'factory:bare', ?4, ?5, 1, '{\"factory\":\"bare\",\"run\":1}')",
    )?
    .execute(params![pk, seq, name, from, to])?;
    Ok(())
}
