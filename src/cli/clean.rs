//! `fleet clean`: make room, lose nothing.

use fleet_protocol::ExitCode;

use super::{
    context::Context,
    error::CliError,
    style,
    table::{Cell, Table},
};
use crate::wiring::{self, CleanMode};

/// Remove what finished jobs left behind; work that is not merged stays.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet clean --dry-run     what would go, and what stays and why
  fleet clean --keep 10")]
pub(super) struct Args {
    /// Keep logs and run folders of the newest so many finished jobs; branches go as soon as they are merged.
    #[arg(long, value_name = "N", default_value_t = 50)]
    keep: usize,
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let mode = if args.dry_run { CleanMode::DryRun } else { CleanMode::Remove };
    let cleaned = wiring::clean(&context.config, context.embedded()?, args.keep, mode).await?;
    if context.out.is_json() {
        context.out.json(&serde_json::json!({ "cleaned": cleaned }))?;
        return Ok(ExitCode::Success);
    }
    let gone = match mode {
        CleanMode::DryRun => "would go",
        CleanMode::Remove => "removed",
    };
    let mut table = Table::new(&["JOB", "WHAT", "", "WHY"]);
    for it in &cleaned {
        let fate = match &it.kept {
            None => Cell::styled(gone, style::WARN),
            Some(_) => Cell::styled("stays", style::GOOD),
        };
        let job = it.job.as_ref().map_or("-", |job| job.as_str());
        table.row(vec![job.into(), it.what.as_str().into(), fate, it.why.as_str().into()]);
    }
    if table.is_empty() {
        context.out.say("nothing to clean");
    } else {
        context.out.data(&table.render(context.out.width))?;
    }
    Ok(ExitCode::Success)
}
