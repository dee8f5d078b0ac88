//! The verb: which run, in which form.

use std::path::PathBuf;

use fleet_protocol::{ExitCode, Run};

use super::{
    super::{context::Context, error::CliError},
    bundle,
    diagnosis::{Subject, diagnose},
    shown::shown,
};

/// Show how a run stands, or pack it up for a bug report.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet debug k3f9
  fleet debug k3f9 --lines 200 --json | jq .findings
  fleet debug k3f9 --bundle report.tar        without secrets, prompts and file contents")]
pub(in crate::cli) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
    /// The run that is meant; the newest when left out.
    #[arg(long, value_name = "NUMBER")]
    run: Option<u32>,
    /// How many of the last lines of each log.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    lines: usize,
    /// Write an archive (tar) to this file, without secrets and without what agents, commands and people wrote.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

pub(in crate::cli) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let named = context.job(&args.job).await?;
    // Asked for by its id it tells more.
    let job = context.client()?.job(&named.id).await?;
    let runs = context.client()?.all_runs(&job.id, None).await?;
    let subject = Subject { job: &job, run: which(args, &runs)?, lines: args.lines };
    let diagnosis = diagnose(&subject, context).await?;
    if let Some(file) = &args.bundle {
        let file = context.config.cwd.join(file);
        bundle::write(&file, diagnosis, (&job, &runs), context).await?;
        context.out.say(&format!("wrote {}; look into it before you pass it on", file.display()));
    } else if context.out.is_json() {
        context.out.json(&diagnosis)?;
    } else {
        context.out.data(&shown(&diagnosis, context))?;
    }
    Ok(ExitCode::Success)
}

fn which<'r>(args: &Args, runs: &'r [Run]) -> Result<Option<&'r Run>, CliError> {
    let Some(number) = args.run else { return Ok(runs.last()) };
    let found = runs.iter().find(|run| run.number == number);
    found.map(Some).ok_or_else(|| {
        let message = format!("{} has no run {number}", args.job);
        CliError::new(ExitCode::NotFound, "not_found", message)
    })
}
