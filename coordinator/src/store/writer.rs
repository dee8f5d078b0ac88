//! The one thread that writes. It takes what waits, writes all of it in one transaction, and answers after the commit.
//!
//! Each change has a savepoint of its own: one that is refused takes nothing of the others with it. While one commit is
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
    wake::Wake,
};

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
    Commit(Box<Commit>),
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
                Work { place, wake, conn: None, left: VecDeque::new(), last: Last::default() }.run(&receiver);
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
        if let Err(error) = conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])) {
            if conn.is_autocommit() {
                self.conn = Some(conn);
            }
            return refuse_all(batch, &error);
        }
        let mut written = Vec::with_capacity(batch.len());
        match self.apply(&conn, batch, &mut written).and_then(|changed| commit(&conn, changed)) {
            Ok(version) => {
                if let Some(version) = version {
                    self.wake.publish(version);
                }
                self.conn = Some(conn);
                for (reply, outcome) in written {
                    // Whoever asked may have gone; what was written stays written.
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                // The connection is dropped with its transaction, whose fate only the file knows.
                tracing::error!(%error, "a commit failed");
                for (reply, _) in written {
                    let unknown = StoreError::Unknown { reason: error.to_string() };
                    let _ = reply.send(Err(unknown.into()));
                }
            }
        }
    }

    /// Applies each change of the batch; true when the queue is different afterwards. An error means that the whole
    /// transaction is lost.
    fn apply(
        &mut self,
        conn: &Connection,
        batch: Vec<Request>,
        written: &mut Vec<(oneshot::Sender<Outcome>, Outcome)>,
    ) -> rusqlite::Result<bool> {
        let start = Instant::now();
        let mut changed = false;
        let mut batch = batch.into_iter();
        for Request { op, reply } in batch.by_ref() {
            let outcome = apply_one(conn, &op);
            let lost = conn.is_autocommit();
            let outcome = outcome.map(|counts| changed |= counts);
            let reason = outcome.as_ref().err().map(ToString::to_string);
            written.push((reply, outcome));
            if lost {
                // Disk full, I/O error: SQLite has undone everything, not only this savepoint.
                written.extend(batch.map(|request| (request.reply, Ok(()))));
                return Err(gone(reason));
            }
            if start.elapsed() > BATCH_TIME {
                break;
            }
        }
        for request in batch.rev() {
            self.left.push_front(request);
        }
        Ok(changed)
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
    fn weight(&self) -> usize {
        match self {
            Self::Commit(commit) => commit.weight(),
            _ => 256,
        }
    }

    fn urgency(&self) -> Urgency {
        match self {
            Self::Extend(_) => Urgency::Report,
            Self::Commit(commit) => commit.urgency,
            Self::Refuse(_) | Self::Offer(_) | Self::PruneAnswers(_) | Self::Expire(_) | Self::Probe => Urgency::Reap,
        }
    }
}

/// Applies one change inside a savepoint; true when it changes the queue for those who watch it.
fn apply_one(conn: &Connection, op: &Op) -> Result<bool, CommitError> {
    run(conn, "SAVEPOINT change")?;
    let outcome = match op {
        Op::Commit(commit) => apply::commit(conn, commit).map(|()| true),
        Op::Extend(extension) => apply::extend(conn, extension).map(|()| false),
        Op::Refuse(refused) => apply::refuse(conn, refused),
        Op::Offer(offer) => apply::offer(conn, offer).map(|()| false),
        Op::PruneAnswers(before) => apply::prune_answers(conn, *before).map(|()| false),
        Op::Expire(expired) => expiry::note(conn, expired).map(|()| false),
        Op::Probe => Ok(false),
    };
    if outcome.is_err() && !conn.is_autocommit() {
        run(conn, "ROLLBACK TO change")?;
    }
    if !conn.is_autocommit() {
        run(conn, "RELEASE change")?;
    }
    outcome
}

fn commit(conn: &Connection, changed: bool) -> rusqlite::Result<Option<u64>> {
    let version = if changed { Some(super::queue::raise_version(conn)?) } else { None };
    run(conn, "COMMIT")?;
    Ok(version)
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
mod tests {
    use super::*;
    use crate::store::tests::fixture::newcomer;

    fn request(op: Op) -> Request {
        Request { op, reply: oneshot::channel().0 }
    }

    fn commit(urgency: Urgency) -> Op {
        Op::Commit(Box::new(Commit { urgency, ..*newcomer(1, fleet_protocol::Manifest::default()) }))
    }

    fn work() -> Work {
        let place = Place::memory();
        Work {
            wake: Arc::new(Wake::new(place.clone())),
            place,
            conn: None,
            left: VecDeque::new(),
            last: Last::default(),
        }
    }

    #[test]
    fn a_report_that_came_in_time_goes_before_the_reaper() {
        let (sender, receiver) = sync_channel(WAITING);
        for urgency in [Urgency::Reap, Urgency::Submit, Urgency::Claim, Urgency::Report, Urgency::Reap] {
            sender.send(request(commit(urgency))).unwrap();
        }
        let order: Vec<Urgency> = work().gather(&receiver).iter().map(|request| request.op.urgency()).collect();
        assert_eq!(order, [Urgency::Report, Urgency::Claim, Urgency::Submit, Urgency::Reap, Urgency::Reap]);
    }

    #[test]
    fn a_batch_has_an_end() {
        let (sender, receiver) = sync_channel(WAITING);
        for _ in 0..BATCH + 1 {
            sender.send(request(Op::Probe)).unwrap();
        }
        let mut work = work();
        assert_eq!((work.gather(&receiver).len(), work.gather(&receiver).len()), (BATCH, 1));
        let mut large = newcomer(1, fleet_protocol::Manifest::default());
        large.content.as_mut().unwrap().source = "x".repeat(BATCH_BYTES);
        for op in [Op::Commit(large), Op::Probe] {
            sender.send(request(op)).unwrap();
        }
        assert_eq!((work.gather(&receiver).len(), work.gather(&receiver).len()), (1, 1));
    }

    /// The transaction is lost under the batch's hands, as when the disk is full; nothing of it may be answered as done.
    #[test]
    fn a_lost_transaction_is_answered_as_unknown() {
        let mut work = work();
        let _kept = work.place.prepare().unwrap();
        let conn = work.place.connect(Role::Writer).unwrap();
        // A trigger that undoes everything stands for the disk.
        conn.execute_batch(
            "CREATE TEMP TRIGGER lost AFTER INSERT ON main.texts WHEN new.source = 'bang'
             BEGIN SELECT RAISE(ROLLBACK, 'lost'); END",
        )
        .unwrap();
        work.conn = Some(conn);
        let mut bad = newcomer(2, fleet_protocol::Manifest::default());
        bad.content.as_mut().unwrap().source = "bang".to_owned();
        let (mut batch, mut answers) = (Vec::new(), Vec::new());
        for op in
            [newcomer(1, fleet_protocol::Manifest::default()), bad, newcomer(3, fleet_protocol::Manifest::default())]
        {
            let (reply, answer) = oneshot::channel();
            batch.push(Request { op: Op::Commit(op), reply });
            answers.push(answer);
        }
        work.write(batch);
        for mut answer in answers {
            let outcome = answer.try_recv().unwrap();
            assert!(matches!(outcome, Err(CommitError::Store(StoreError::Unknown { .. }))), "{outcome:?}");
        }
        let (reply, mut answer) = oneshot::channel();
        let op = Op::Commit(newcomer(1, fleet_protocol::Manifest::default()));
        work.write(vec![Request { op, reply }]);
        assert!(matches!(answer.try_recv().unwrap(), Ok(())), "the next batch has a connection of its own");
    }
}
