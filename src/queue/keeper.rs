//! Keeps the folder in step with the store: look, plan, do, until there is nothing left to do.
//!
//! One keeper at a time works on a folder (a lock file); any process may. It can be stopped between any two steps and
//! the next one goes on. Everything but a failure to look at store or folder is reported, not returned: one file that
//! cannot be moved must not stop the others.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use fleet_protocol::{
    JobId,
    api::{JobsQuery, QueueStateQuery},
};

use super::{
    error::QueueError,
    execute::{Outcome, Round},
    files::{self, Content},
    folder::{Folder, is_safe},
    journal::Journal,
    lock::RedrawLock,
    plan::{Card, Plan, View, doubtful, plan},
    port::Acts,
    scan::{Scan, scan},
    settle::Settling,
};
use crate::client::Client;

/// Rounds of looking and doing in one go; two are enough unless the world moves meanwhile.
const ROUNDS: usize = 8;

/// Keeps one queue folder.
pub(crate) struct Keeper {
    pub(super) folder: Folder,
    pub(super) client: Client,
    pub(super) acts: Arc<dyn Acts>,
    /// Repository of tasks that name none; an absolute path.
    pub(super) repo: Option<String>,
    pub(super) journal: Journal,
    settling: Settling,
    listed: Option<Listed>,
    pub(super) pace: Pace,
}

/// The jobs, as of a version of the queue.
struct Listed {
    version: u64,
    cards: Arc<[Card]>,
    unsafe_names: Vec<(JobId, String)>,
}

/// How long the keeper waits for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long nobody may have written to a file before it is taken in.
    pub(super) quiet: Duration,
    /// How long a file must be missing before it is written again: it may just be on its way.
    pub(super) missing: Duration,
    /// How long another process may hold the folder.
    pub(super) patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(1500),
            missing: Duration::from_millis(100),
            patience: Duration::from_secs(60),
        }
    }
}

/// What a reconciliation did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Steps done; zero when folder and store agreed.
    pub(crate) changes: usize,
    /// Jobs made from files that were dropped in.
    pub(crate) taken_in: Vec<JobId>,
    /// What could not be done and will be tried again, for example on a full disk.
    pub(crate) problems: Vec<QueueError>,
    /// When to look again without being woken: a file is still being written.
    pub(crate) look_again: Option<Duration>,
}

impl Report {
    pub(super) fn look_again_in(&mut self, wait: Duration) {
        self.look_again = Some(self.look_again.map_or(wait, |other| other.min(wait)));
    }
}

impl Keeper {
    /// A keeper of `folder`. `acts` does what moving a file asks for; `repo` is the repository of tasks that name none.
    pub(crate) fn new(folder: Folder, client: Client, acts: Arc<dyn Acts>, repo: Option<String>) -> Self {
        let journal = Journal::new(folder.state_file("queue.jsonl"));
        let settling = Settling::default();
        Self { folder, client, acts, repo, journal, settling, listed: None, pace: Pace::default() }
    }

    #[cfg(test)]
    pub(super) fn at_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The folder that is kept.
    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The version of the queue that the folder was last compared with.
    pub(super) fn version(&self) -> Option<u64> {
        self.listed.as_ref().map(|listed| listed.version)
    }

    /// Brings folder and store together: takes in what was dropped, asks for what was moved, redraws the rest. What
    /// every command that changes a job calls after it; with nothing to do it costs one listing.
    pub(crate) async fn reconcile(&mut self) -> Result<Report, QueueError> {
        self.folder.create()?;
        let mut lock = RedrawLock::acquire(&self.folder, self.pace.patience).await?;
        self.journal.refresh()?;
        let mut report = Report::default();
        for _ in 0..ROUNDS {
            let before = report.changes;
            report.problems.clear();
            report.look_again = None;
            self.round(&mut lock, &mut report).await?;
            if report.changes == before {
                break;
            }
        }
        Ok(report)
    }

    /// Reconciles until every file in the inbox has been taken in or answered, at most for `limit`: for a run that
    /// ends by itself and must not miss what was dropped just before it.
    pub(crate) async fn reconcile_settled(&mut self, limit: Duration) -> Result<Report, QueueError> {
        let started = Instant::now();
        let mut all = self.reconcile().await?;
        while let Some(wait) = all.look_again.filter(|_| started.elapsed() < limit) {
            tokio::time::sleep(wait).await;
            let next = self.reconcile().await?;
            all.changes += next.changes;
            all.taken_in.extend(next.taken_in);
            all.problems = next.problems;
            all.look_again = next.look_again;
        }
        Ok(all)
    }

    async fn round(&mut self, lock: &mut RedrawLock, report: &mut Report) -> Result<(), QueueError> {
        let cards = self.list(report).await?;
        self.resume_taking(&cards, report).await?;
        let (mut seen, mut plan) = self.look(lock, &cards).await?;
        if plan.misses_a_file(self.journal.drawn()) {
            tokio::time::sleep(self.pace.missing).await;
            (seen, plan) = self.look(lock, &cards).await?;
        }
        for bucket in seen.drafts {
            files::remove_draft(&self.folder.bucket(bucket))?;
        }
        if let Some(wait) = plan.wait {
            report.look_again_in(wait);
        }
        self.perform(plan, report).await;
        self.journal.save()
    }

    async fn perform(&mut self, plan: Plan, report: &mut Report) {
        let mut round = Round::default();
        for op in plan.ops {
            match self.execute(op, &mut round, report).await {
                Ok(Outcome::Changed) => report.changes += 1,
                Ok(Outcome::Nothing) => {}
                Ok(Outcome::Later(wait)) => report.look_again_in(wait),
                Err(problem) => report.problems.push(problem),
            }
            // A full disk or a store that is away fails for every file alike.
            if report.problems.len() >= Round::ENOUGH_PROBLEMS {
                break;
            }
            step().await;
        }
    }

    /// The jobs; asked for again only when something in the queue changed.
    async fn list(&mut self, report: &mut Report) -> Result<Arc<[Card]>, QueueError> {
        // The version is read first: what changes while we list makes the next round list again.
        let version = self.client.queue_state(&QueueStateQuery::default()).await?;
        if self.version() != Some(version) {
            let jobs = self.client.all_jobs(&JobsQuery::default()).await?;
            let (safe, odd): (Vec<_>, Vec<_>) = jobs.iter().map(Card::from).partition(|card| is_safe(&card.file));
            let unsafe_names = odd.into_iter().map(|card| (card.id, card.file)).collect();
            self.listed = Some(Listed { version, cards: safe.into(), unsafe_names });
        }
        let listed = self.listed.as_ref().expect("the jobs were listed just now");
        let odd = listed.unsafe_names.iter().cloned();
        report.problems.extend(odd.map(|(job, file)| QueueError::UnsafeName { job, file }));
        Ok(Arc::clone(&listed.cards))
    }

    async fn look(&mut self, lock: &mut RedrawLock, cards: &[Card]) -> Result<(Scan, Plan), QueueError> {
        let folder = self.folder.clone();
        let seen =
            tokio::task::spawn_blocking(move || scan(&folder)).await.expect("looking at folders does not panic")?;
        let waits = match self.settling.nothing_new(&seen.entries) {
            true => HashMap::new(),
            false => self.settling.waits(&seen.entries, lock.file_time()?, self.pace.quiet),
        };
        let mut originals = HashSet::new();
        for card in doubtful(cards, self.journal.drawn(), &seen.entries) {
            let path = self.folder.file(fleet_protocol::Bucket::Inbox, &card.file);
            let source = self.client.source(&card.id).await?;
            if matches!(files::read(&path)?, Content::Text(text, _) if text == source) {
                originals.insert(card.id.clone());
            }
        }
        let view = View {
            jobs: cards,
            drawn: self.journal.drawn(),
            entries: &seen.entries,
            notes: &seen.notes,
            waits: &waits,
            originals: &originals,
        };
        let plan = plan(&view);
        Ok((seen, plan))
    }
}

/// The end of a step: other tasks get their turn, and a keeper that is dropped stops here.
pub(super) async fn step() {
    tokio::task::yield_now().await;
}
