//! `fleet run`: the queue's lock, the folder's keeper, the worker and the coordinator's ticks, side by side.

use std::time::Duration;

use fleet_protocol::{ExitCode, Job, JobId, Stage, api::EmptyReason};
use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{interval, sleep},
};

use super::{
    embedded::{self, Embedded, place},
    fault::Fault,
    folder::{folder, keeper},
    worker::options,
};
use crate::{
    config::Config,
    queue::{Keeper, Notifications, RunLock, Watching, keep, living_runner},
    shutdown::{Phase, Shutdown},
    worker::{self, Orphaned, Shift, Worker},
    workspace::sweep,
};

/// How long a run loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until nothing is runnable (`--once`).
    Drained,
    /// Until told to end.
    Stopped,
}

/// How often a job that waits for its next try is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long `--once` waits for files that are still being written.
const SETTLE: Duration = Duration::from_secs(10);

/// Works on the queue with the seats that the configuration says.
pub(crate) async fn run_loop(
    config: &Config,
    embedded: &Embedded,
    until: Until,
    shutdown: Shutdown,
) -> Result<(), Fault> {
    let _lock = begin(config, embedded).await?;
    let worker = Worker::new(options(config)?, embedded.client.clone(), shutdown.clone());
    let mut keeper = keeper(config, &embedded.client)?;
    let shift = match until {
        Until::Stopped => {
            let (stop, stopped) = watch::channel(false);
            let notifications = if config.worker.notify { Notifications::On } else { Notifications::Off };
            let watching = Watching { scan: config.worker.poll.duration(), notifications };
            let keeping = tokio::spawn(keep(keeper, watching, stopped));
            let shift = beside(config, embedded, &worker, worker.work(worker::Until::Stopped)).await;
            stop.send_replace(true);
            if shutdown.phase() < Phase::Stop
                && let Err(error) = keeping.await
            {
                tracing::error!(%error, "the folder's keeper broke");
            }
            shift
        }
        Until::Drained => beside(config, embedded, &worker, drain(&worker, &mut keeper, &shutdown)).await?,
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
    let _lock = begin(config, embedded).await?;
    let worker = Worker::new(options(config)?, embedded.client.clone(), shutdown.clone()).only(job.clone(), activity);
    loop {
        let shift = beside(config, embedded, &worker, worker.work(worker::Until::Drained)).await;
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

/// Takes the lock, and puts in order what a runner that died has left.
async fn begin(config: &Config, embedded: &Embedded) -> Result<RunLock, Fault> {
    let folder = folder(config)?;
    folder.create()?;
    let lock = RunLock::acquire(&folder, embedded::clock(config)?.now())?;
    tell(&take_back(config, embedded).await?);
    let workspaces = place(config)?.state.join("work");
    if workspaces.is_dir() {
        sweep(&workspaces)?;
    }
    Ok(lock)
}

/// Does `work` while leases are renewed and the coordinator ticks.
async fn beside<T>(config: &Config, embedded: &Embedded, worker: &Worker, work: impl Future<Output = T>) -> T {
    let ticking = async {
        let mut due = interval(config.coordinator.reap_every.duration());
        loop {
            due.tick().await;
            if let Some(coordinator) = &embedded.coordinator {
                coordinator.tick().await;
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = worker.renew(config.coordinator.lease_ttl.duration()) => unreachable!("renewals never end"),
        () = ticking => unreachable!("ticks never end"),
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

/// Takes jobs back whose runner and agent are gone. Answers with those jobs; nothing the second time.
pub(crate) async fn reclaim(config: &Config, embedded: &Embedded) -> Result<Vec<Job>, Fault> {
    let folder = folder(config)?;
    folder.create()?;
    // With a living runner there is nothing to take back: what it holds, it works on.
    let _lock = RunLock::acquire(&folder, embedded::clock(config)?.now())?;
    let orphaned = take_back(config, embedded).await?;
    tell(&orphaned);
    Ok(orphaned.recovered)
}

async fn take_back(config: &Config, embedded: &Embedded) -> Result<Orphaned, Fault> {
    Ok(worker::reclaim(&embedded.client, &options(config)?).await?)
}

fn tell(orphaned: &Orphaned) {
    for job in &orphaned.recovered {
        tracing::info!(job = %job.id, run = job.runs, factory = job.factory, epoch = job.lease_epoch, "a job whose runner was gone is queued again");
    }
    for (job, why) in &orphaned.left {
        tracing::warn!(job = %job.id, run = job.runs, factory = job.factory, epoch = job.lease_epoch, why, "a job whose runner is gone cannot be taken back yet");
    }
}
