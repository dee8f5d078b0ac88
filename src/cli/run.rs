//! `fleet run`: work on the queue, or on one task in the foreground.

use std::time::Duration;

use fleet_protocol::{ExitCode, Job, JobId};
use serde_json::json;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::sleep,
};

use super::{context::Context, error::CliError, job_view, logs, sanitise, submit};
use crate::{
    shutdown::{Phase, Shutdown, SignalListener},
    wiring::{self, Embedded, Fault, Meeting, Until},
};

/// How often a job that another runner does is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Work on the queue: run an agent for each task, verify what it did.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet run                until told to end (Ctrl-C: finish saving, hand jobs back, exit)
  fleet run --once         what is runnable now, then exit; good from cron
  fleet run --max 2        two agents at a time
  fleet run --replace      take over from another runner, after an upgrade say; its agents go on
  fleet run --print-caps   what jobs may demand of this machine with `capabilities:`
  fleet run task.md        this task, here and now; the exit code says how it went")]
pub(super) struct Args {
    /// Submit this task file and work on it in the foreground; `-` for standard input.
    #[arg(value_name = "FILE", conflicts_with_all = ["once", "max", "replace"])]
    file: Option<String>,
    /// Work on what is runnable, then exit.
    #[arg(long)]
    once: bool,
    /// Take the place of the runner that works on this queue; its agents go on.
    #[arg(long)]
    replace: bool,
    /// How many agents work at the same time.
    #[arg(long, value_name = "N")]
    pub(super) max: Option<String>,
    /// Offer this capability too, besides what is detected and configured; may be given more than once.
    #[arg(long, value_name = "CAPABILITY")]
    pub(super) caps: Vec<String>,
    /// Print what this machine offers to jobs (system, engines, tools with their versions), and exit.
    #[arg(long, conflicts_with_all = ["file", "once", "max"])]
    print_caps: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    if args.print_caps {
        return print_capabilities(context);
    }
    let (_listener, shutdown) =
        SignalListener::start().map_err(|error| CliError::io("cannot take signals over", &error))?;
    let phase = shutdown.clone();
    let done = match &args.file {
        Some(file) => {
            let job = submit::submit_file(file, context).await?;
            one(&job.id, shutdown, context).await
        }
        None => {
            let until = if args.once { Until::Drained } else { Until::Stopped };
            let meeting = if args.replace { Meeting::Replace } else { Meeting::GiveWay };
            let worked = wiring::run_loop(&context.config, context.embedded()?, (until, meeting), shutdown).await;
            worked.map(|()| ExitCode::Success).map_err(CliError::from)
        }
    };
    if phase.phase() == Phase::Stop {
        context.end_at_once();
    }
    done
}

fn print_capabilities(context: &Context) -> Result<ExitCode, CliError> {
    let capabilities = wiring::capabilities(&context.config)?;
    if context.out.is_json() {
        context.out.json(&json!({ "capabilities": capabilities }))?;
    } else {
        context.out.data(&capabilities.iter().map(|it| format!("{}\n", sanitise::plain(it))).collect::<String>())?;
    }
    Ok(ExitCode::Success)
}

/// Works on one job, its agent's activity on stdout.
async fn one(id: &JobId, shutdown: Shutdown, context: &Context) -> Result<ExitCode, CliError> {
    let phase = shutdown.clone();
    let mut watching = None;
    let over = until_over(id, &shutdown, &mut watching, context).await;
    // Whatever ended it: the folder shows what was submitted, and what became of it.
    context.redraw().await?;
    let job = over?;
    if context.out.is_json() {
        context.out.json(&job)?;
    }
    context.out.say(&job_view::outcome(&job));
    if phase.phase() != Phase::Running && !job.stage.is_parked() && watching.is_none() {
        context.out.say(&format!("its work is saved; `fleet run` goes on with {}", job.id));
    }
    Ok(job_view::exit(&job))
}

/// Works on the job, or watches whoever does; `watching` is set from then on.
async fn until_over<'j>(
    id: &'j JobId,
    shutdown: &Shutdown,
    watching: &mut Option<logs::Following<'j>>,
    context: &Context,
) -> Result<Job, CliError> {
    let embedded = context.embedded()?;
    loop {
        match work(id, embedded, shutdown, context).await {
            Err(Fault::AlreadyRunning { holder }) => {
                let log = watching.get_or_insert_with(|| {
                    context.out.say(&format!("{holder}; it does {id} too, this only watches"));
                    logs::Following::new(id)
                });
                if let Some(job) = watch(log, shutdown, context).await? {
                    return Ok(job);
                }
            }
            worked => return Ok(worked?),
        }
    }
}

async fn work(id: &JobId, embedded: &Embedded, shutdown: &Shutdown, context: &Context) -> Result<Job, Fault> {
    let (sender, mut activity) = unbounded_channel();
    let work = wiring::run_one(&context.config, embedded, id, sender, shutdown.clone());
    let (job, ()) = tokio::join!(work, print(&mut activity, context));
    job
}

/// Prints what the job's run printed since the last look, and waits a little. The job once there is nothing to wait for.
async fn watch(log: &mut logs::Following<'_>, shutdown: &Shutdown, context: &Context) -> Result<Option<Job>, CliError> {
    let job = log.look(context).await?;
    if job.stage.is_parked() || shutdown.phase() != Phase::Running {
        return Ok(Some(job));
    }
    tokio::select! {
        () = sleep(LOOK_AGAIN) => {}
        () = shutdown.at_least(Phase::Drain) => {}
    }
    Ok(None)
}

/// Prints until the work ends. Whoever stops reading does not stop the work.
async fn print(activity: &mut UnboundedReceiver<String>, context: &Context) {
    let mut readable = true;
    while let Some(line) = activity.recv().await {
        let line = sanitise::line(&line, context.out.sgr);
        if context.out.is_json() {
            context.out.say(&line);
        } else if readable {
            readable = context.out.data(&format!("{line}\n")).is_ok();
        }
    }
}
