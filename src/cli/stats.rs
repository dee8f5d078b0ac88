//! `fleet stats`: the queue in six numbers.

use fleet_protocol::{ExitCode, Stage, api::StatusView};
use serde::Serialize;

use super::{context::Context, error::CliError, table::Table};

/// Count the jobs: waiting, active, completed, failed, delayed, total.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet stats
  fleet stats --json | jq .waiting

Each job counts in one of the first five: waiting is queued, blocked or waiting for an answer; active is assigned or building;
completed is review, testing or shipped; failed is failed or dead_letter; delayed waits for the time of its next try.")]
pub(super) struct Args {}

/// The numbers; the first five make up the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Stats {
    waiting: u64,
    active: u64,
    completed: u64,
    failed: u64,
    delayed: u64,
    total: u64,
}

pub(super) async fn run(Args {}: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let stats = Stats::of(&context.client()?.status().await?);
    if context.out.is_json() {
        context.out.json(&stats)?;
    } else {
        let mut table = Table::new(&["WAITING", "ACTIVE", "COMPLETED", "FAILED", "DELAYED", "TOTAL"]);
        let Stats { waiting, active, completed, failed, delayed, total } = stats;
        table.row([waiting, active, completed, failed, delayed, total].map(|count| count.to_string().into()).into());
        context.out.data(&table.render(context.out.width))?;
    }
    Ok(ExitCode::Success)
}

impl Stats {
    fn of(status: &StatusView) -> Self {
        let sum = |stages: &[Stage]| stages.iter().filter_map(|stage| status.stages.get(stage)).sum::<u64>();
        let delayed = status.delayed;
        Self {
            waiting: sum(&[Stage::Queued, Stage::Blocked, Stage::Waiting]).saturating_sub(delayed),
            active: sum(&[Stage::Assigned, Stage::Building]),
            completed: sum(&[Stage::Review, Stage::Testing, Stage::Shipped]),
            failed: sum(&[Stage::Failed, Stage::DeadLetter]),
            delayed,
            total: sum(Stage::ALL),
        }
    }
}
