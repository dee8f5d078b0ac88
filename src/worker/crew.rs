//! The worker's loop: as many jobs at once as there are seats, claimed one by one.
//!
//! Waiting for work and taking it are two calls. The wait may be dropped at any time; a claim is always heard to its end,
//! so that no granted job is lost between two lines of this file.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fleet_protocol::{
    ErrorCode, JobId, Problem,
    api::{ClaimRequest, Claimed, EmptyReason, Health, QueueStateQuery},
};
use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinSet,
    time::{interval, sleep},
};

use jiff::Timestamp;
use tracing::Instrument;

use super::{
    leases::{Lease, Leases},
    options::Options,
    orphans::{self, Orphan, Orphaned, Sorted},
    probe,
    reap::{Lacking, Reaped, Reaper, Room},
    seat::Seat,
    trace::span_of,
    trouble::Trouble,
    turns::Turns,
};
use crate::{
    client::{ClaimAnswer, Client},
    shutdown::{Phase, Shutdown},
};

/// How long a worker waits for a hint before it asks by itself: time makes jobs runnable without any change.
const PERIOD: Duration = Duration::from_secs(1);
/// The same while there is no job that time could make runnable.
const CALM: Duration = Duration::from_secs(30);
/// Between two attempts while the machine itself is in the way (no room, no permission).
const TROUBLE_FIRST: Duration = Duration::from_secs(5);
const TROUBLE_MOST: Duration = Duration::from_secs(300);

/// A worker on this machine.
pub(crate) struct Worker {
    options: Arc<Options>,
    client: Client,
    leases: Leases,
    shutdown: Shutdown,
    turns: Turns,
    /// The runs that an earlier worker began.
    taken_up: Mutex<JoinSet<SeatEnd>>,
    reaper: Reaper,
    room: Arc<Room>,
    /// Only this job, if any.
    only: Option<JobId>,
    /// Takes what agents do, line by line.
    activity: Option<UnboundedSender<String>>,
}

/// How long a worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until nothing can be claimed and nothing runs.
    Drained,
    Stopped,
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Jobs that were worked on, runs counted.
    pub(crate) runs: u32,
    /// Why the last claim came back empty.
    pub(crate) empty: Option<EmptyReason>,
    /// What this machine put in the way, if it did.
    pub(crate) trouble: Option<String>,
}

/// How one run ended for the loop.
pub(super) enum SeatEnd {
    /// Reported, well or badly.
    Done,
    /// This machine could not do it; the job went back.
    Trouble(String),
}

impl Worker {
    pub(crate) fn new(options: Options, client: Client, shutdown: Shutdown) -> Self {
        let leases = Leases::new(client.clone());
        let (options, turns) = (Arc::new(options), Turns::default());
        Self {
            reaper: Reaper::beside(options.clone(), client.clone(), turns.clone(), shutdown.clone()),
            room: Arc::new(Room::new(options.limits, turns.clone(), &options.state)),
            options,
            client,
            leases,
            shutdown,
            turns,
            taken_up: Mutex::default(),
            only: None,
            activity: None,
        }
    }

    /// The same worker, for one job, telling what its agent does.
    pub(crate) fn only(self, job: JobId, activity: UnboundedSender<String>) -> Self {
        Self { only: Some(job), activity: Some(activity), ..self }
    }

    /// Goes on with what an earlier worker left, and takes back what cannot be gone on with. Under the queue's lock, before
    /// [`work`](Self::work), and beside [`renew`](Self::renew): the runs go on while the rest is put in order.
    pub(crate) async fn take_up(&self) -> Result<Orphaned, Problem> {
        let Sorted { alive, mut dead, unknown } = orphans::sort(&self.client, &self.options).await?;
        let mut outcome = Orphaned { left: unknown, ..Orphaned::default() };
        for orphan in alive {
            match self.leases.take_over(&orphan.job.id, orphan.record.claimed.lease.epoch).await? {
                Some(lease) => {
                    outcome.taken_up.push(orphan.job.clone());
                    let mut seats = self.taken_up.lock().unwrap_or_else(PoisonError::into_inner);
                    let span = span_of(&orphan.record.claimed, &self.options.factory);
                    seats.spawn(self.seat_of(orphan, lease).work().instrument(span));
                }
                None => dead.push(orphan.job),
            }
        }
        orphans::take_back(&self.client, &self.options, &self.turns, dead, &mut outcome).await?;
        outcome.cleared = orphans::cleared(&self.reaper).await;
        Ok(outcome)
    }

    fn seat_of(&self, orphan: Orphan, lease: Lease) -> Seat {
        let Orphan { job, record, .. } = orphan;
        let activity = self.activity.clone().filter(|_| self.only.as_ref() == Some(&job.id));
        Seat {
            // The job as it is now; what was granted with it stays.
            claimed: Claimed { job, ..record.claimed.clone() },
            record: Some(record),
            lease,
            options: self.options.clone(),
            client: self.client.clone(),
            shutdown: self.shutdown.clone(),
            activity,
            turns: self.turns.clone(),
        }
    }

    /// Works until it is told to end or, with [`Until::Drained`], until nothing is left to claim.
    pub(crate) async fn work(&self, until: Until) -> Shift {
        let mut seats = std::mem::take(&mut *self.taken_up.lock().unwrap_or_else(PoisonError::into_inner));
        let mut shift = Shift { runs: u32::try_from(seats.len()).unwrap_or(u32::MAX), ..Shift::default() };
        let mut version = None;
        let mut pause = TROUBLE_FIRST;
        loop {
            let seats_there_are = self.options.seats.min(self.room.most());
            let free = seats_there_are.saturating_sub(u32::try_from(seats.len()).unwrap_or(u32::MAX));
            if free > 0 && self.shutdown.phase() == Phase::Running && shift.trouble.is_none() {
                match self.look_and_claim(free, &mut version, &mut seats, &mut shift).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(problem) => shift.trouble = Some(problem.message),
                }
            }
            if self.is_over(until, &seats, &shift) {
                return shift;
            }
            tokio::select! {
                Some(ended) = seats.join_next() => match ended {
                    Ok(SeatEnd::Done) => pause = TROUBLE_FIRST,
                    Ok(SeatEnd::Trouble(why)) => shift.trouble = Some(why),
                    Err(error) => tracing::error!(%error, "a seat broke; its job will be recovered"),
                },
                () = self.news(version, patience(shift.empty)), if free > 0 && shift.trouble.is_none() => {}
                () = sleep(pause), if shift.trouble.is_some() && until == Until::Stopped => {
                    shift.trouble = None;
                    pause = (pause * 2).min(TROUBLE_MOST);
                }
                () = self.shutdown.at_least(Phase::Drain), if self.shutdown.phase() == Phase::Running => {}
                // What a seat waits for now may take for ever; its work is found by the next worker.
                () = self.shutdown.at_least(Phase::Stop) => return shift,
            }
        }
    }

    fn is_over(&self, until: Until, seats: &JoinSet<SeatEnd>, shift: &Shift) -> bool {
        let told = self.shutdown.phase() >= Phase::Drain;
        let drained = until == Until::Drained && (shift.empty.is_some() || shift.trouble.is_some());
        seats.is_empty() && (told || drained)
    }

    /// Notes the queue's version, then claims: a change after that moment is not slept through.
    async fn look_and_claim(
        &self,
        free: u32,
        version: &mut Option<u64>,
        seats: &mut JoinSet<SeatEnd>,
        shift: &mut Shift,
    ) -> Result<bool, Problem> {
        *version = Some(self.client.queue_state(&QueueStateQuery::default()).await?);
        match self.room.lacking(&self.reaper).await {
            Ok(None) => self.claim(free, seats, shift).await,
            // What runs gives room back when it ends.
            Ok(Some(_)) if !seats.is_empty() => Ok(false),
            Ok(Some(lacking)) => self.is_missed(&lacking, free, shift).await.map(|()| false),
            Err(Trouble::Refused(problem)) => Err(problem),
            Err(trouble) => Err(Problem::new(ErrorCode::Unavailable, trouble.to_string())),
        }
    }

    /// Room that is lacking is trouble only if there is a job that would need it. It is not claimed: that costs it nothing.
    async fn is_missed(&self, lacking: &Lacking, free: u32, shift: &mut Shift) -> Result<(), Problem> {
        let request = ClaimRequest { dry_run: true, ..self.request(free) };
        let key = format!("claim-{:016x}", super::random());
        match self.client.claim(&request, &key).await? {
            ClaimAnswer::Job(claimed) => {
                let (why, reason) = (lacking.why(), lacking.reason());
                let word = reason.map(EmptyReason::as_str);
                tracing::error!(job.id = %claimed.job.id, error = why, reason = word, "a job cannot start");
                shift.trouble = Some(why.to_owned());
                shift.empty = reason;
            }
            ClaimAnswer::Nothing(reason) => shift.empty = Some(reason),
        }
        Ok(())
    }

    /// Whether nothing is waited for any more.
    pub(crate) fn leaves_at_once(&self) -> bool {
        self.shutdown.phase() >= Phase::HandOver
    }

    /// Clears what runs left behind, and measures what lies about. To be called now and then, beside the work.
    pub(crate) async fn look_after(&self, now: Timestamp) -> Result<Vec<Reaped>, Problem> {
        let reaped = self.reaper.tick(now).await?;
        if let Err(trouble) = self.room.measure().await {
            tracing::warn!(error = %trouble, "the size of the workspaces is not known");
        }
        Ok(reaped)
    }

    /// Takes one job if there is one. True when there may be more.
    async fn claim(&self, free: u32, seats: &mut JoinSet<SeatEnd>, shift: &mut Shift) -> Result<bool, Problem> {
        let request = self.request(free);
        let key = format!("claim-{:016x}", super::random());
        let sent = Instant::now();
        match self.client.claim(&request, &key).await? {
            ClaimAnswer::Job(claimed) => {
                let span = span_of(&claimed, &self.options.factory);
                span.in_scope(|| {
                    tracing::info!(job.id = %claimed.job.id, run = claimed.run.number, title = %claimed.job.title, "a job was claimed");
                });
                shift.runs += 1;
                shift.empty = None;
                let seat = Seat {
                    lease: self.leases.hold(&claimed.job.id, claimed.lease, sent),
                    claimed: *claimed,
                    record: None,
                    options: self.options.clone(),
                    client: self.client.clone(),
                    shutdown: self.shutdown.clone(),
                    activity: self.activity.clone(),
                    turns: self.turns.clone(),
                };
                seats.spawn(seat.work().instrument(span));
                Ok(true)
            }
            ClaimAnswer::Nothing(reason) => {
                shift.empty = Some(reason);
                Ok(false)
            }
        }
    }

    fn request(&self, free: u32) -> ClaimRequest {
        ClaimRequest {
            factory_id: self.options.factory.clone(),
            capabilities: probe::capabilities(&self.options, &[]),
            engines: probe::engines(&self.options),
            tags: Vec::new(),
            seats: self.options.seats,
            seats_free: free,
            health: Health::Ok,
            load: f64::from(self.options.seats - free) / f64::from(self.options.seats.max(1)),
            wait_ms: 0,
            dry_run: false,
            busy_locks: Vec::new(),
            only: self.only.clone(),
            sole: true,
        }
    }

    /// Until the queue differs from `version`, or `patience` is at its end. A coordinator that does not answer is waited
    /// for.
    async fn news(&self, version: Option<u64>, patience: Duration) {
        let wait_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let query = QueueStateQuery { after: version, wait_ms: Some(wait_ms) };
        if let Err(problem) = self.client.queue_state(&query).await {
            if problem.code != ErrorCode::Unavailable {
                tracing::warn!(error = %problem, "the queue's state was not told");
            }
            sleep(PERIOD).await;
        }
    }

    /// Renews this worker's leases, a third of their length apart, and looks at them whenever the queue changed: what an
    /// operator asks of a running job is waited for. Runs beside [`work`](Self::work), so that nothing there can keep a
    /// renewal waiting. Never ends.
    pub(crate) async fn renew(&self, ttl: Duration) {
        let mut due = interval(ttl / 3);
        let mut version = None;
        loop {
            tokio::select! {
                _ = due.tick() => self.leases.renew().await,
                () = self.news(version, CALM) => {
                    let now = self.client.queue_state(&QueueStateQuery::default()).await.ok();
                    if now != version {
                        version = now;
                        self.leases.look().await;
                    }
                }
            }
        }
    }
}

/// How long nothing can become runnable unless the queue changes.
const fn patience(empty: Option<EmptyReason>) -> Duration {
    match empty {
        Some(EmptyReason::NoneQueued) => CALM,
        _ => PERIOD,
    }
}
