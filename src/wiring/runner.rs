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
    worker::options,
};
use crate::{
    config::Config,
    queue::{Keeper, RunLock, Watching, keep, living_runner},
    shutdown::{Phase, Shutdown},
    worker::{self, Orphaned, Reaped, Shift, Worker},
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
/// How often what runs left behind is looked for.
const CLEAR_EVERY: Duration = Duration::from_secs(60);
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
    let worker = Arc::new(Worker::new(options(config)?, embedded.client.clone(), shutdown.clone()));
    let mut keeper = keeper(config, &embedded.client)?;
    let shift = match until {
        Until::Stopped => {
            let (stop, stopped) = watch::channel(false);
            let watching = Watching { scan: config.worker.poll.duration(), ..Watching::default() };
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
    let _lock = begin(config, embedded).await?;
    let worker = Worker::new(options(config)?, embedded.client.clone(), shutdown.clone()).only(job.clone(), activity);
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

/// Takes the lock, and puts in order what a runner that died has left.
async fn begin(config: &Config, embedded: &Embedded) -> Result<RunLock, Fault> {
    let folder = folder(config)?;
    folder.create()?;
    let lock = RunLock::acquire(&folder, embedded::clock(config)?.now())?;
    tell(&take_back(config, embedded).await?);
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
    Ok(worker::reclaim(&embedded.client, &Arc::new(options(config)?)).await?)
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
    for job in &orphaned.recovered {
        tracing::info!(job.id = %job.id, "a job whose runner was gone is queued again");
    }
    for (job, why) in &orphaned.left {
        tracing::warn!(job.id = %job.id, why, "a job whose runner is gone cannot be taken back yet");
    }
}
