//! `fleet db`: is the database whole, and a copy of it for bad days.

use std::path::PathBuf;

use clap::Subcommand;
use fleet_protocol::ExitCode;

use super::{
    context::Context,
    error::CliError,
    style,
    table::{Cell, Table},
};
use crate::wiring::{self, Examined};

/// Check the database, or copy it while it is in use.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Look whether everything that must hold of it holds; a runner may work meanwhile.
    #[command(after_help = "Examples:
  fleet db check
  fleet db check backup.db
  fleet db check --json | jq '.findings[]'")]
    Check {
        /// A database to look at instead of this fleet's, such as a backup.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Copy it to a new file, and check the copy; a runner may work meanwhile.
    #[command(after_help = "Examples:
  fleet db backup ~/backup/fleet-$(date +%F).db")]
    Backup {
        /// Where to; it must not exist yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    match &args.what {
        What::Check { file } => {
            let file = file.as_ref().map(|file| context.config.cwd.join(file));
            let examined = wiring::check_database(&context.config, file.as_deref())?;
            if context.out.is_json() {
                context.out.json(&examined)?;
            } else if examined.findings.is_empty() {
                context.out.data(&format!("{}\n", whole(&examined)))?;
            }
            told(&examined, context)
        }
        What::Backup { file } => {
            let backed_up = wiring::back_up_database(&context.config, &context.config.cwd.join(file))?;
            if context.out.is_json() {
                context.out.json(&backed_up)?;
            } else if backed_up.examined.findings.is_empty() {
                context.out.say(&whole(&backed_up.examined));
            }
            told(&backed_up.examined, context)
        }
    }
}

fn whole(examined: &Examined) -> String {
    let Examined { file, jobs, events, .. } = examined;
    format!("{} is whole: {jobs} jobs, {events} events", file.display())
}

/// Tells what is wrong, and ends with the exit code for it.
fn told(examined: &Examined, context: &Context) -> Result<ExitCode, CliError> {
    if examined.findings.is_empty() {
        return Ok(ExitCode::Success);
    }
    if !context.out.is_json() {
        let mut table = Table::new(&["RULE", "JOB", "FOUND"]);
        for found in &examined.findings {
            let job = found.job.as_deref().unwrap_or("-");
            table.row(vec![Cell::styled(found.code, style::BAD), job.into(), found.message.as_str().into()]);
        }
        context.out.data(&table.render(context.out.width))?;
    }
    context.out.say(&format!(
        "{} is not as it must be ({}); keep a copy of it as it is, and go back to the last good backup",
        examined.file.display(),
        examined.findings.len()
    ));
    Ok(ExitCode::Failed)
}
