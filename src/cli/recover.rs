//! `fleet recover`: bring work back.

use std::path::PathBuf;

use fleet_protocol::ExitCode;

use super::{context::Context, error::CliError};
use crate::wiring::{self, Reclaimed};

/// Bring back a job's saved work as a branch; without a job, take back jobs whose runner died.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet recover k3f9                  a branch with its newest saved work
  fleet recover k3f9 --to ../rescue   and a checkout of it
  fleet recover                       jobs whose runner and agent are gone go back to the queue;
                                      an agent that lives is left to the next `fleet run`")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Also make a checkout in this folder.
    #[arg(long, value_name = "DIR", requires = "job")]
    to: Option<PathBuf>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    match &args.job {
        Some(name) => restore(name, args, context).await,
        None => reclaim(context).await,
    }
}

async fn restore(name: &str, args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let job = context.job(name).await?;
    let to = args.to.as_ref().map(|to| context.config.cwd.join(to));
    let restored = wiring::restore(&job, to.as_deref()).await?;
    if context.out.is_json() {
        context.out.json(&restored)?;
    } else {
        context.out.data(&format!("{}\n", restored.branch))?;
    }
    match &restored.checkout {
        Some(folder) => context.out.say(&format!("checked out in {}", folder.display())),
        None => context.out.say(&format!("look at it: git log -p {}", restored.branch)),
    }
    Ok(ExitCode::Success)
}

async fn reclaim(context: &Context) -> Result<ExitCode, CliError> {
    let Reclaimed { jobs, left } = wiring::reclaim(&context.config, context.embedded()?).await?;
    if !jobs.is_empty() {
        context.redraw().await?;
    }
    for job in &jobs {
        if context.out.is_json() {
            context.out.json_line(job)?;
        } else {
            context.out.data(&format!("{}\n", job.id))?;
        }
    }
    for (job, why) in &left {
        context.out.say(&format!("{} is left as it is: {why}", job.id));
    }
    if !jobs.is_empty() {
        context.out.say(&format!("{} back in the queue", jobs.len()));
    } else if left.is_empty() {
        context.out.say("nothing to recover: no job's runner is gone");
    }
    Ok(ExitCode::Success)
}
