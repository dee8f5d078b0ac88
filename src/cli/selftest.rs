//! `fleet selftest`: proof that this binary works on this machine.

use fleet_protocol::ExitCode;

use super::{context::Context, doctor::Lines, error::CliError};
use crate::{shutdown::SignalListener, wiring};

/// Prove that fleet works here: offline, without a model, in temporary folders.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet selftest
  fleet selftest --only verify
  fleet selftest --json | jq '.checks[] | select(.verdict == \"fail\")'")]
pub(super) struct Args {
    /// Only checks whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let mut lines = Lines::new(context);
    // Interrupted, it still ends what it started and takes its folders away.
    let (_listener, shutdown) =
        SignalListener::start().map_err(|error| CliError::io("cannot take signals over", &error))?;
    let outcome = wiring::selftest(args.only.as_deref(), &shutdown, &mut |check| lines.take(check)).await;
    lines.end(outcome)
}
