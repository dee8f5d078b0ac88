//! `fleet watch`: the status, again and again.

use std::{num::NonZeroU64, time::Duration};

use fleet_protocol::{ExitCode, Job, api::StatusView};

use super::{
    context::Context,
    error::CliError,
    output::Audience,
    status,
    style::{self, paint},
};

/// Show the status again every few seconds, until Ctrl-C.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet watch
  fleet watch 10            every ten seconds
  fleet watch --json        one JSON document a line")]
pub(super) struct Args {
    /// Seconds between two looks.
    #[arg(value_name = "SECONDS", default_value = "2")]
    seconds: NonZeroU64,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let mut ticks = tokio::time::interval(Duration::from_secs(args.seconds.get()));
    if context.out.audience == Audience::Terminal && context.can_animate() && !context.out.is_json() {
        context.out.data("\x1b[2J")?;
    }
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let view = status::look(context).await?;
        if context.out.is_json() {
            context.out.json_line(&view)?;
        } else {
            let needing = status::needing_you(&view, context.client()?).await?;
            context.out.data(&frame(&view, &needing, context))?;
        }
    }
}

fn frame(view: &StatusView, needing: &[Job], context: &Context) -> String {
    let body = status::shown(view, needing, context);
    match context.out.audience {
        // Each line is overwritten and its rest erased, then what is below: nothing flickers.
        Audience::Terminal if context.can_animate() => {
            let body: String = body.lines().map(|line| format!("{line}\x1b[K\n")).collect();
            format!("\x1b[H{body}\x1b[J")
        }
        _ => format!("{}\n{body}\n", paint(style::DIM, &view.now.to_string())),
    }
}
