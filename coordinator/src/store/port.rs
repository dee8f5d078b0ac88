//! The store as the service sees it. Narrow and dull on purpose: another database has to offer just this.
//!
//! Reads come back at once (they take microseconds from a warm cache, and block for a page at most); writes come back
//! when they are on the disk.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use fleet_protocol::{Event, Job, JobId, Run, Stage, api::ClaimRequest, api::JobsQuery, lease::Lease};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    commit::{Answer, Commit, Extension, Offer, Refused},
    deps::{self, Target},
    error::{CommitError, OpenError, StoreError},
    expiry::{self, Expired, Expiry},
    look::Look,
    place::Place,
    queue::{self, Candidate, Place as Cursor},
    readers::Readers,
    records::{self, Page, Snapshot},
    wake::{Wake, Watcher},
    writer::{Op, Writer},
};

/// All that is kept: jobs, runs, leases, events, texts, profiles, answers.
#[derive(Debug)]
pub struct Store {
    place: Place,
    readers: Readers,
    wake: Arc<Wake>,
    /// Started by the first write: a command that only looks needs no thread.
    writer: OnceLock<Writer>,
}

impl Store {
    /// Opens the database, creates or migrates it.
    pub fn open(place: Place) -> Result<Self, OpenError> {
        let first = place.prepare()?;
        Ok(Self {
            readers: Readers::new(place.clone(), first),
            wake: Arc::new(Wake::new(place.clone())),
            writer: OnceLock::new(),
            place,
        })
    }

    /// The file that grows with every commit, and whom to tell that it did; none in memory.
    pub fn watcher(&self) -> Option<(PathBuf, Watcher)> {
        Some((self.place.wal()?, Watcher::of(Arc::clone(&self.wake))))
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        if let Some(writer) = self.writer.get() {
            return Ok(writer);
        }
        let started = Writer::start(self.place.clone(), Arc::clone(&self.wake))?;
        // Two first writes at once start two threads; the one that comes second ends at once, having written nothing.
        Ok(self.writer.get_or_init(|| started))
    }

    /// Writes one change of one job, whole or not at all. Gives the job as it stands then.
    pub async fn job_commit(&self, commit: Box<Commit>) -> Result<Box<Job>, CommitError> {
        let commit: Arc<Commit> = Arc::from(commit);
        self.writer()?.write(Op::commit(Arc::clone(&commit))?).await?;
        // The writer has given its share back.
        Ok(Arc::unwrap_or_clone(commit).into_outcome())
    }

    /// Moves the expiry of a lease.
    pub async fn lease_extend(&self, extension: Extension) -> Result<(), CommitError> {
        self.writer()?.write(Op::Extend(extension)).await
    }

    /// Notes that a former holder was refused; once for each of its leases.
    pub async fn refusal_note(&self, refused: Refused) -> Result<(), CommitError> {
        self.writer()?.write(Op::Refuse(Box::new(refused))).await
    }

    /// Keeps what a factory offers.
    pub async fn offer_put(&self, offer: Offer) -> Result<(), CommitError> {
        self.writer()?.write(Op::Offer(Box::new(offer))).await
    }

    /// Forgets some of the answers given before `before`; a second call forgets more.
    pub async fn answers_prune(&self, before: Timestamp) -> Result<(), CommitError> {
        if self.readers.read("look for old answers", |conn| records::any_answer_before(conn, before))? {
            self.writer()?.write(Op::PruneAnswers(before)).await?;
        }
        Ok(())
    }

    /// Notes that the output of a job's runs was let go.
    pub async fn logs_expire(&self, expired: Expired) -> Result<(), CommitError> {
        self.writer()?.write(Op::Expire(expired)).await
    }

    /// What was let go of the output of a job's runs.
    pub fn logs_expiry(&self, product: &str, id: &JobId) -> Result<Option<Expiry>, StoreError> {
        self.readers.read("look up an expiry", |conn| expiry::of_job(conn, product, id))
    }

    /// Finished jobs of all products that still have output and changed last at `before` or earlier, the oldest first.
    pub fn expirable_older(&self, before: Timestamp, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.readers.read("look for old output", |conn| expiry::older(conn, before, limit))
    }

    /// Finished jobs of all products that still have output, without the `newest`.
    pub fn expirable_beyond(&self, newest: u32, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.readers.read("look for output beyond the newest", |conn| expiry::beyond(conn, newest, limit))
    }

    /// Shows that the database can be written.
    pub async fn probe(&self) -> Result<(), CommitError> {
        self.writer()?.write(Op::Probe).await
    }

    /// Several reads of one moment.
    pub fn look<T, E: From<StoreError>>(&self, read: impl FnOnce(Look<'_>) -> Result<T, E>) -> Result<T, E> {
        self.readers.look(read)
    }

    /// A job and its newest run.
    pub fn job_load(&self, product: &str, id: &JobId) -> Result<Option<Snapshot>, StoreError> {
        self.readers.read("read a job", |conn| records::snapshot(conn, product, id))
    }

    /// The job with an idempotency key, and the fingerprint of its content.
    pub fn job_by_key(&self, product: &str, key: &str) -> Result<Option<(Job, String)>, StoreError> {
        self.readers.read("look up a key", |conn| records::by_key(conn, product, key))
    }

    /// At most two jobs that `name` may mean: an id, a key, the beginning of an id.
    pub fn jobs_named(&self, product: &str, name: &str) -> Result<Vec<Job>, StoreError> {
        self.readers.read("look up a name", |conn| records::named(conn, product, name))
    }

    /// A page of jobs that fit `query` (its `name`, `limit` and `cursor` are not looked at), the oldest first.
    pub fn jobs_page(&self, product: &str, query: &JobsQuery, after: i64, limit: u32) -> Result<Page<Job>, StoreError> {
        self.readers.read("list jobs", |conn| records::page(conn, product, query, (after, limit)))
    }

    /// Whether a file name is taken.
    pub fn file_taken(&self, product: &str, file: &str) -> Result<bool, StoreError> {
        self.readers.read("look up a file name", |conn| records::file_taken(conn, product, file))
    }

    /// The runs of a job, the oldest first.
    pub fn runs_list(&self, product: &str, id: &JobId) -> Result<Vec<Run>, StoreError> {
        self.readers.read("list runs", |conn| records::runs(conn, product, id))
    }

    /// A page of a job's events after `seq`.
    pub fn events_page(&self, product: &str, id: &JobId, after: i64, limit: u32) -> Result<Page<Event>, StoreError> {
        self.readers.read("list events", |conn| records::events(conn, product, id, (after, limit)))
    }

    /// Every lease ever granted on a job.
    pub fn leases_list(&self, product: &str, id: &JobId) -> Result<Vec<Lease>, StoreError> {
        self.readers.read("list leases", |conn| records::leases(conn, product, id))
    }

    /// The task file as submitted, and the body.
    pub fn texts_load(&self, product: &str, id: &JobId) -> Result<Option<(String, String)>, StoreError> {
        self.readers.read("read a task file", |conn| records::texts(conn, product, id))
    }

    /// The text of a profile's version.
    pub fn profile_load(&self, name: &str, version: &str) -> Result<Option<String>, StoreError> {
        self.readers.read("read a profile", |conn| records::profile(conn, name, version))
    }

    /// The answer that was given under a key.
    pub fn answer_load(&self, product: &str, key: &str) -> Result<Option<Answer>, StoreError> {
        self.readers.read("look up an answer", |conn| records::answer(conn, product, key))
    }

    /// What a dependency names.
    pub fn dep_resolve(&self, product: &str, dep: &str) -> Result<Option<Target>, StoreError> {
        self.readers.read("look up a dependency", |conn| deps::resolve(conn, product, dep))
    }

    /// The queued and blocked jobs that depend on a job.
    pub fn deps_dependants(&self, product: &str, id: &JobId, key: Option<&str>) -> Result<Vec<JobId>, StoreError> {
        self.readers.read("look up dependants", |conn| deps::dependants(conn, product, id, key))
    }

    /// Blocked jobs of all products after `after`, with one of them the place to go on from.
    pub fn blocked_page(&self, after: Cursor, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        self.readers.read("list blocked jobs", |conn| queue::blocked(conn, after, limit))
    }

    /// When the next delayed job is due.
    pub fn next_due(&self, product: &str, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.readers.read("look for delayed jobs", |conn| queue::next_due(conn, product, now))
    }

    /// The jobs that are held, each with the moment of its claim; of one product, or of all.
    pub fn held_list(&self, product: Option<&str>) -> Result<Vec<(Job, Timestamp)>, StoreError> {
        self.readers.read("list held jobs", |conn| queue::held(conn, product))
    }

    /// The lock keys of jobs that are held.
    pub fn locks_list(&self, product: &str) -> Result<Vec<String>, StoreError> {
        self.readers.read("list locks", |conn| queue::locks(conn, product))
    }

    /// How many jobs a factory holds.
    pub fn seats_taken(&self, product: &str, factory: &str) -> Result<u32, StoreError> {
        self.readers.read("count seats", |conn| queue::seats_taken(conn, product, factory))
    }

    /// Jobs by stage.
    pub fn stage_counts(&self, product: &str) -> Result<BTreeMap<Stage, u64>, StoreError> {
        self.readers.read("count jobs", |conn| queue::counts(conn, product))
    }

    /// Jobs whose retry time lies ahead.
    pub fn delayed_count(&self, product: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.readers.read("count delayed jobs", |conn| queue::delayed(conn, product, now))
    }

    /// Blocked jobs with a failed dependency.
    pub fn dep_failed_list(&self, product: &str, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.readers.read("list failed dependencies", |conn| queue::dep_failed(conn, product, limit))
    }

    /// What each factory offered last.
    pub fn offers_list(&self, product: &str) -> Result<Vec<ClaimRequest>, StoreError> {
        self.readers.read("list offers", |conn| queue::offers(conn, product))
    }

    /// A number that differs after every change of the queue, by whichever process.
    pub fn version(&self) -> Result<u64, StoreError> {
        self.readers.read("read the queue's version", queue::read_version)
    }

    /// Comes back once the version is above `seen`, or at `until`. Costs next to nothing while nothing happens.
    pub async fn version_above(&self, seen: u64, until: Instant) -> Result<(), StoreError> {
        self.wake.wait_above(seen, until).await
    }
}
