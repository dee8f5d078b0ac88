//! The one thread that writes. It takes what waits, writes all of it in one transaction, and answers after the commit.
//!
//! A change that is refused takes nothing of the others with it. Most refusals come before anything is written; should
//! one come halfway, the batch is undone and done again with a savepoint for each change. While one commit is
//! on its way to the disk, the next batch gathers by itself. Those who were just answered are given a moment to ask
//! again, a fraction of what the commit took; a writer that nobody presses waits for nobody.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    apply,
    commit::{Commit, Extension, Offer, Refused, Urgency},
    error::{CommitError, StoreError},
    expiry::{self, Expired},
    place::{Place, Role},
    render::Rendered,
    wake::Wake,
};

const BEGIN: &str = "BEGIN IMMEDIATE";
/// Changes that may wait.
const WAITING: usize = 2_048;
/// Most changes, bytes and time of one transaction. The time bounds how long the first one waits for the last.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_TIME: Duration = Duration::from_millis(4);
/// The part of the last commit's time that the next batch may wait for those whom the last one answered.
const COURTESY: u32 = 4;
/// A log that is worth a checkpoint when the program ends; below it, the next program finds its pages soon enough.
const WORTH_A_CHECKPOINT: u64 = 1024 * 1024;

/// Something to write.
#[derive(Debug)]
pub(super) enum Op {
    Commit(Arc<Commit>, Rendered),
    Extend(Extension),
    Refuse(Box<Refused>),
    Offer(Box<Offer>),
    PruneAnswers(Timestamp),
    Expire(Expired),
    /// Writes nothing; shows that it could.
    Probe,
}

type Outcome = Result<(), CommitError>;

#[derive(Debug)]
struct Request {
    op: Op,
    reply: oneshot::Sender<Outcome>,
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct Writer {
    sender: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(place: Place, wake: Arc<Wake>) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("fleet-writer".to_owned())
            .spawn(move || {
                Work { place, wake, conn: None, left: VecDeque::new(), last: Last::default(), time: BATCH_TIME }
                    .run(&receiver);
            })
            .map_err(|error| StoreError::Unknown { reason: format!("cannot start the writing thread: {error}") })?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Hands a change over; comes back when it is on the disk, or refused.
    pub(super) async fn write(&self, op: Op) -> Outcome {
        let sender = self.sender.as_ref().expect("the way to the thread is closed only at the end");
        let (reply, answer) = oneshot::channel();
        sender.try_send(Request { op, reply }).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Full,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        answer.await.unwrap_or(Err(CommitError::Store(StoreError::Closed)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without a sender the thread ends after what it has; waiting for it takes one batch at most.
        drop(self.sender.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread ended in a panic");
        }
    }
}

/// What the thread owns.
struct Work {
    place: Place,
    wake: Arc<Wake>,
    /// Given up after any failure that leaves its state in doubt, and opened anew.
    conn: Option<Connection>,
    /// Taken from the channel, but too many for one transaction.
    left: VecDeque<Request>,
    last: Last,
    /// Most time of one transaction.
    time: Duration,
}

/// The batch before: how many were answered, and how long it took.
#[derive(Debug, Default)]
struct Last {
    answered: usize,
    took: Duration,
}

impl Work {
    fn run(mut self, receiver: &Receiver<Request>) {
        loop {
            if self.left.is_empty() {
                match receiver.recv() {
                    Ok(request) => self.left.push_back(request),
                    Err(_) => break,
                }
            }
            let batch = self.gather(receiver);
            let (start, answered) = (Instant::now(), batch.len());
            self.write(batch);
            self.last = Last { answered, took: start.elapsed() };
        }
        self.leave();
    }

    /// Everything that waits already, up to the caps, the most urgent first.
    fn gather(&mut self, receiver: &Receiver<Request>) -> Vec<Request> {
        let mut batch: Vec<Request> = Vec::new();
        let mut bytes = 0;
        let (start, courtesy) = (Instant::now(), self.last.took / COURTESY);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let waiting = self.left.pop_front().or_else(|| receiver.try_recv().ok());
            let returning = || {
                let missed = batch.len() < self.last.answered;
                let left = courtesy.checked_sub(start.elapsed()).filter(|_| missed)?;
                receiver.recv_timeout(left).ok()
            };
            let Some(request) = waiting.or_else(returning) else { break };
            bytes += request.op.weight();
            batch.push(request);
        }
        batch.sort_by_key(|request| request.op.urgency());
        batch
    }

    fn write(&mut self, batch: Vec<Request>) {
        let conn = match self.conn.take().map_or_else(|| self.place.connect(Role::Writer), Ok) {
            Ok(conn) => conn,
            Err(error) => return refuse_all(batch, &error),
        };
        if let Err(error) = run(&conn, BEGIN) {
            if conn.is_autocommit() {
                self.conn = Some(conn);
            }
            return refuse_all(batch, &error);
        }
        let mut batch = batch;
        match apply_all(&conn, &batch, self.time).and_then(|applied| commit(&conn, applied)) {
            Ok((version, outcomes)) => {
                if let Some(version) = version {
                    self.wake.publish(version);
                }
                self.conn = Some(conn);
                for request in batch.drain(outcomes.len()..).rev() {
                    self.left.push_front(request);
                }
                for (Request { op, reply }, outcome) in batch.into_iter().zip(outcomes) {
                    // Whoever asked gets its share of the change back with the answer.
                    drop(op);
                    // It may have gone; what was written stays written.
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                // The connection is dropped with its transaction, whose fate only the file knows.
                tracing::error!(%error, "a commit failed");
                for request in batch {
                    let unknown = StoreError::Unknown { reason: error.to_string() };
                    let _ = request.reply.send(Err(unknown.into()));
                }
            }
        }
    }

    /// At the end of the program.
    fn leave(self) {
        let Some(conn) = self.conn else { return };
        let size = self.place.wal().and_then(|wal| wal.metadata().ok()).map_or(0, |file| file.len());
        if size < WORTH_A_CHECKPOINT {
            return;
        }
        // Not worth waiting for: whoever is in the way makes the next one.
        let outcome = conn
            .busy_timeout(Duration::ZERO)
            .and_then(|()| conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = outcome {
            tracing::debug!(%error, "no checkpoint at the end");
        }
    }
}

impl Op {
    /// A change of a job, with its documents.
    pub(super) fn commit(commit: Arc<Commit>) -> Result<Self, StoreError> {
        let rendered = Rendered::of(&commit).map_err(|error| StoreError::Database {
            doing: "write",
            source: rusqlite::Error::ToSqlConversionFailure(error.into()),
        })?;
        Ok(Self::Commit(commit, rendered))
    }

    fn weight(&self) -> usize {
        match self {
            Self::Commit(commit, _) => commit.weight(),
            _ => 256,
        }
    }

    fn urgency(&self) -> Urgency {
        match self {
            Self::Extend(_) => Urgency::Report,
            Self::Commit(commit, _) => commit.urgency,
            Self::Refuse(_) | Self::Offer(_) | Self::PruneAnswers(_) | Self::Expire(_) | Self::Probe => Urgency::Reap,
        }
    }
}

/// What became of the changes of a batch, as far as its time went.
#[derive(Default)]
struct Applied {
    outcomes: Vec<Outcome>,
    /// Whether the queue is different for those who watch it.
    changed: bool,
}

/// How changes of one transaction are kept apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// Not at all: for as long as none fails halfway, there is nothing to be undone.
    Not,
    /// Each has a savepoint of its own. SQLite then keeps a copy of every page that a change touches.
    BySavepoints,
}

/// Applies each change of the batch. An error means that the whole transaction is lost.
fn apply_all(conn: &Connection, batch: &[Request], time: Duration) -> rusqlite::Result<Applied> {
    if let Some(applied) = apply_some(conn, batch, (Apart::Not, time))? {
        return Ok(applied);
    }
    run(conn, "ROLLBACK")?;
    run(conn, BEGIN)?;
    Ok(apply_some(conn, batch, (Apart::BySavepoints, time))?.expect("with savepoints no change spoils the others"))
}

/// Applies changes for as long as there is time; none when one of them failed halfway and nothing keeps it apart.
fn apply_some(
    conn: &Connection,
    batch: &[Request],
    (apart, time): (Apart, Duration),
) -> rusqlite::Result<Option<Applied>> {
    let start = Instant::now();
    let mut applied = Applied::default();
    for Request { op, .. } in batch {
        let rows = conn.total_changes();
        let outcome = match apart {
            Apart::Not => apply_one(conn, op),
            Apart::BySavepoints => apply_apart(conn, op),
        };
        if conn.is_autocommit() {
            // Disk full, I/O error: SQLite has undone everything, not only this change.
            return Err(gone(outcome.err().map(|error| error.to_string())));
        }
        if apart == Apart::Not && outcome.is_err() && conn.total_changes() != rows {
            return Ok(None);
        }
        applied.outcomes.push(outcome.map(|counts| applied.changed |= counts));
        if start.elapsed() > time {
            break;
        }
    }
    Ok(Some(applied))
}

/// Applies one change inside a savepoint, which takes it back when it fails.
fn apply_apart(conn: &Connection, op: &Op) -> Result<bool, CommitError> {
    run(conn, "SAVEPOINT change")?;
    let outcome = apply_one(conn, op);
    if outcome.is_err() && !conn.is_autocommit() {
        run(conn, "ROLLBACK TO change")?;
    }
    if !conn.is_autocommit() {
        run(conn, "RELEASE change")?;
    }
    outcome
}

/// Applies one change; true when it changes the queue for those who watch it.
fn apply_one(conn: &Connection, op: &Op) -> Result<bool, CommitError> {
    match op {
        Op::Commit(commit, rendered) => apply::commit(conn, commit, rendered).map(|()| true),
        Op::Extend(extension) => apply::extend(conn, extension).map(|()| false),
        Op::Refuse(refused) => apply::refuse(conn, refused),
        Op::Offer(offer) => apply::offer(conn, offer).map(|()| false),
        Op::PruneAnswers(before) => apply::prune_answers(conn, *before).map(|()| false),
        Op::Expire(expired) => expiry::note(conn, expired).map(|()| false),
        Op::Probe => Ok(false),
    }
}

fn commit(conn: &Connection, applied: Applied) -> rusqlite::Result<(Option<u64>, Vec<Outcome>)> {
    let version = if applied.changed { Some(super::queue::raise_version(conn)?) } else { None };
    run(conn, "COMMIT")?;
    Ok((version, applied.outcomes))
}

fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

fn gone(reason: Option<String>) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
        Some(reason.unwrap_or_else(|| "the transaction was undone".to_owned())),
    )
}

fn refuse_all(batch: Vec<Request>, error: &rusqlite::Error) {
    let reason = error.to_string();
    tracing::warn!(%error, changes = batch.len(), "no transaction could be begun");
    for request in batch {
        let refused = StoreError::Busy { reason: reason.clone() };
        let _ = request.reply.send(Err(refused.into()));
    }
}

#[cfg(test)]
mod tests;
