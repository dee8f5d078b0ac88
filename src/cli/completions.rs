//! `fleet completions`: what a shell needs to complete verbs and flags.

use clap_complete::Shell;
use fleet_protocol::ExitCode;

use super::{command, error::CliError, output::Output};

/// Print a completion script for your shell.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet completions bash > ~/.local/share/bash-completion/completions/fleet
  fleet completions zsh > \"${fpath[1]}/_fleet\"
  fleet completions fish > ~/.config/fish/completions/fleet.fish")]
pub(super) struct Args {
    /// Which shell.
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, out: &Output) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command::layout(), "fleet", &mut script);
    out.data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
}
