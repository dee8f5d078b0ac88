//! `fleet help`: the overview, a verb, or a topic.

use fleet_protocol::ExitCode;

use super::{command, error::CliError, output::Output, topics};

/// Explain a verb or a topic.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet help submit
  fleet help exit-codes
  fleet help cron")]
pub(super) struct Args {
    /// A verb, or a topic: exit-codes, environment, json, task-file, cron.
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
}

pub(super) fn run(args: &Args, out: &Output) -> Result<ExitCode, CliError> {
    if let [name] = args.what.as_slice()
        && let Some(topic) = topics::find(name)
    {
        out.data(&topic.text())?;
        return Ok(ExitCode::Success);
    }
    let mut command = command::layout();
    command.build();
    for word in &args.what {
        let Some(verb) = command.find_subcommand(word) else { return Err(unknown(word, &command)) };
        command = verb.clone();
    }
    out.data(&command.render_long_help().ansi().to_string())?;
    Ok(ExitCode::Success)
}

fn unknown(word: &str, command: &clap::Command) -> CliError {
    let verbs = command.get_subcommands().map(clap::Command::get_name);
    let error = CliError::usage(format!("there is no verb and no topic `{word}`"));
    match fleet_protocol::nearest(word, verbs.chain(topics::names())) {
        Some(near) => error.help(format!("did you mean `fleet help {near}`?")),
        None => error.help("`fleet help` lists verbs and topics"),
    }
}
