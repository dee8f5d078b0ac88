//! `fleet run`: the queue's lock, the folder's keeper, the worker and the coordinator's ticks, side by side.

use std::{sync::Arc, time::Duration};

use fleet_coordinator::{Clock, Coordinator};
use fleet_protocol::{ExitCode, Job, JobId, Stage, api::EmptyReason};
use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{interval, sleep},
};

use super::{
    embedded::{self, Embedded, place},
    fault::Fault,
    folder::{folder, keeper},
    hints,
    replace::replace,
    worker::options,
};
use crate::{
    config::Config,
    confinement::Level,
    queue::{Keeper, Notifications, RunLock, Watching, keep, living_runner},
    shutdown::{Phase, Shutdown},
    worker::{self, Orphaned, Reaped, Shift, Unwatched, Worker},
};

/// How long a run loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until nothing is runnable (`--once`).
    Drained,
    /// Until told to end.
    Stopped,
}

/// What to do when another runner works on the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Leave at once.
    GiveWay,
    /// Ask it to leave its agents to us (`--replace`).
    Replace,
}

/// How often a job that waits for its next try is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often what runs left behind is looked for.
const CLEAR_EVERY: Duration = Duration::from_secs(60);
/// How long `--once` waits for files that are still being written.
const SETTLE: Duration = Duration::from_secs(10);

/// Works on the queue with the seats that the configuration says.
pub(crate) async fn run_loop(
    config: &Config,
    embedded: &Embedded,
    (until, meeting): (Until, Meeting),
    shutdown: Shutdown,
) -> Result<(), Fault> {
    let worker = Arc::new(Worker::new(options(config)?, embedded.client.clone(), shutdown.clone()));
    let _lock = begin(config, &worker, meeting).await?;
    let mut keeper = keeper(config, &embedded.client)?;
    let shift = match until {
        Until::Stopped => {
            let (stop, stopped) = watch::channel(false);
            let notifications = if config.worker.notify { Notifications::On } else { Notifications::Off };
            let watching = Watching { scan: config.worker.poll.duration(), notifications };
            let keeping = tokio::spawn(keep(keeper, watching, stopped));
            let shift = beside(config, embedded, &worker, worker.work(worker::Until::Stopped)).await?;
            stop.send_replace(true);
            if shutdown.phase() < Phase::Stop
                && let Err(error) = keeping.await
            {
                tracing::error!(%error, "the folder's keeper broke");
            }
            shift
        }
        Until::Drained => beside(config, embedded, &worker, drain(&worker, &mut keeper, &shutdown)).await??,
    };
    if shutdown.phase() < Phase::Stop {
        super::folder::redraw(config, embedded).await?;
    }
    end(&shift)
}

/// Works on this one job in the foreground until it is not to be tried again, and sends what the agent does line by line.
/// Ends with the job as it then is.
///
/// # Errors
/// [`Fault::AlreadyRunning`] at once when another runner works on this queue: it will do the job.
pub(crate) async fn run_one(
    config: &Config,
    embedded: &Embedded,
    job: &JobId,
    activity: UnboundedSender<String>,
    shutdown: Shutdown,
) -> Result<Job, Fault> {
    let worker = Worker::new(options(config)?, embedded.client.clone(), shutdown.clone()).only(job.clone(), activity);
    let _lock = begin(config, &worker, Meeting::GiveWay).await?;
    let worker = Arc::new(worker);
    loop {
        let shift = beside(config, embedded, &worker, worker.work(worker::Until::Drained)).await?;
        end(&shift)?;
        let job = embedded.client.job(job).await?;
        let is_tried_again = job.stage == Stage::Queued && job.retry_not_before.is_some() && !job.held;
        if !is_tried_again || shutdown.phase() != Phase::Running {
            return Ok(job);
        }
        tokio::select! {
            () = sleep(LOOK_AGAIN) => {}
            () = shutdown.at_least(Phase::Drain) => {}
        }
    }
}

/// What this machine offers to jobs, versions included; everything is asked, so it takes a moment.
pub(crate) fn capabilities(config: &Config) -> Result<Vec<String>, Fault> {
    Ok(worker::every_capability(&options(config)?))
}

/// Takes the lock, goes on with what another runner left, and puts in order what nobody can go on with.
async fn begin(config: &Config, worker: &Worker, meeting: Meeting) -> Result<RunLock, Fault> {
    if let Level::Unconfined(why) = &options(config)?.confinement.level {
        tracing::warn!(why, "agents are not confined: they run with all your rights");
    }
    let folder = folder(config)?;
    folder.create()?;
    let now = embedded::clock(config)?.now();
    let lock = match meeting {
        Meeting::GiveWay => RunLock::acquire(&folder, now)?,
        Meeting::Replace => replace(config, &folder, now).await?,
    };
    // What cannot be gone on with may take long to end; the leases of what goes on must not run out over it.
    let orphaned = tokio::select! {
        taken = worker.take_up() => taken?,
        () = worker.renew(config.coordinator.lease_ttl.duration()) => unreachable!("renewals never end"),
    };
    tell(&orphaned);
    Ok(lock)
}

/// Does `work` while leases are renewed, the coordinator ticks, and what runs leave behind is cleared.
async fn beside<T>(
    config: &Config,
    embedded: &Embedded,
    worker: &Arc<Worker>,
    work: impl Future<Output = T>,
) -> Result<T, Fault> {
    let (stop, stopped) = watch::channel(false);
    let clearing =
        tokio::spawn(clear(Arc::clone(worker), embedded.coordinator.clone(), embedded::clock(config)?, stopped));
    let _hints = embedded.coordinator.as_ref().and_then(hints::watch);
    let ticking = async {
        let mut due = interval(config.coordinator.reap_every.duration());
        loop {
            due.tick().await;
            if let Some(coordinator) = &embedded.coordinator {
                coordinator.tick().await;
            }
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = worker.renew(config.coordinator.lease_ttl.duration()) => unreachable!("renewals never end"),
        () = ticking => unreachable!("ticks never end"),
    };
    stop.send_replace(true);
    if !worker.leaves_at_once()
        && let Err(error) = clearing.await
    {
        tracing::error!(%error, "clearing broke");
    }
    Ok(done)
}

/// Clears what runs leave behind, now and every so often until told to stop; a round that has begun is brought to its end.
async fn clear(
    worker: Arc<Worker>,
    coordinator: Option<Coordinator>,
    clock: Arc<dyn Clock>,
    mut stopped: watch::Receiver<bool>,
) {
    // What the coordinator lets go of decides what goes here.
    if let Some(coordinator) = coordinator {
        coordinator.tick().await;
    }
    loop {
        match worker.look_after(clock.now()).await {
            Ok(reaped) => tell_cleared(&reaped),
            Err(problem) => tracing::warn!(error = %problem, "clearing failed; the next round tries again"),
        }
        tokio::select! {
            // Gone counts as told.
            _ = stopped.wait_for(|stop| *stop) => return,
            () = sleep(CLEAR_EVERY) => {}
        }
    }
}

/// Works until neither the folder nor the queue brings anything more.
async fn drain(worker: &Worker, keeper: &mut Keeper, shutdown: &Shutdown) -> Result<Shift, Fault> {
    let mut total = Shift::default();
    loop {
        let report = keeper.reconcile_settled(SETTLE).await?;
        let shift = worker.work(worker::Until::Drained).await;
        total = Shift { runs: total.runs + shift.runs, ..shift };
        let quiet = shift.runs == 0 && report.taken_in.is_empty();
        if quiet || total.trouble.is_some() || shutdown.phase() > Phase::Running {
            return Ok(total);
        }
    }
}

fn end(shift: &Shift) -> Result<(), Fault> {
    if let Some(trouble) = &shift.trouble {
        let help = "the jobs are queued; run again when there is room and permission";
        return Err(Fault::new(ExitCode::Failed, trouble.clone(), Some(help)));
    }
    if shift.empty == Some(EmptyReason::Backoff) {
        tracing::info!("a job waits for its next try");
    }
    Ok(())
}

/// Whether a runner works on this queue now. Where that cannot be found out it counts as one.
pub(crate) fn is_worked_on(config: &Config) -> Result<bool, Fault> {
    Ok(living_runner(&place(config)?.state).map_or(true, |pid| pid.is_some()))
}

/// How a run stands that has no runner.
pub(crate) fn unwatched(config: &Config, job: &JobId, run: u32) -> Result<Unwatched, Fault> {
    Ok(worker::glance(&place(config)?.state, job.as_str(), run))
}

/// Jobs that had no runner any more.
#[derive(Debug)]
pub(crate) struct Reclaimed {
    /// Back in the queue.
    pub(crate) jobs: Vec<Job>,
    /// Left as they are, each with the reason.
    pub(crate) left: Vec<(Job, String)>,
}

/// Takes jobs back whose runner and agent are gone; nothing the second time.
pub(crate) async fn reclaim(config: &Config, embedded: &Embedded) -> Result<Reclaimed, Fault> {
    let folder = folder(config)?;
    folder.create()?;
    // With a living runner there is nothing to take back: what it holds, it works on.
    let _lock = RunLock::acquire(&folder, embedded::clock(config)?.now())?;
    let orphaned = worker::reclaim(&embedded.client, &Arc::new(options(config)?)).await?;
    tell_cleared(&orphaned.cleared);
    Ok(Reclaimed { jobs: orphaned.recovered, left: orphaned.left })
}

fn tell_cleared(reaped: &[Reaped]) {
    for Reaped { job, what, goes, why } in reaped {
        let job = job.as_ref().map(tracing::field::display);
        if *goes {
            tracing::info!(job.id = job, what, why, "a leftover was cleared");
        } else {
            tracing::debug!(job.id = job, what, why, "a leftover stays");
        }
    }
}

fn tell(orphaned: &Orphaned) {
    tell_cleared(&orphaned.cleared);
    for job in &orphaned.taken_up {
        tracing::info!(job.id = %job.id, run = job.runs, title = %job.title, "a run that another runner began goes on");
    }
    for job in &orphaned.recovered {
        tracing::info!(job = %job.id, run = job.runs, factory = job.factory, epoch = job.lease_epoch, "a job whose runner and agent were gone is queued again");
    }
    for (job, why) in &orphaned.left {
        tracing::warn!(job = %job.id, run = job.runs, factory = job.factory, epoch = job.lease_epoch, why, "a job whose runner is gone cannot be taken back yet");
    }
}
