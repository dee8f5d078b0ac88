//! `fleet ship`, `approve`, `requeue` and the other acts of a person on jobs.

use fleet_protocol::{Action, ErrorCode, ExitCode, Job, Problem, Stage, api::ActionRequest};
use serde_json::json;

use super::{
    context::Context,
    error::CliError,
    style::{self, paint},
};
use crate::wiring;

/// More jobs than this at once are acted on only after a yes.
const WITHOUT_ASKING: usize = 20;

/// Arguments of every act.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Jobs: ids, unique prefixes of ids (four characters or more), or idempotency keys.
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// Why; kept in the job's history, and told to the agent where it goes on.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask, however many jobs there are.
    #[arg(short, long)]
    yes: bool,
}

/// The examples in the help of an act.
pub(super) fn examples(action: Action) -> String {
    let name = action.as_str();
    match action {
        Action::RequestChanges => {
            format!("Examples:\n  fleet {name} k3f9 --reason \"the error message is not translated\"")
        }
        Action::Reject => format!("Examples:\n  fleet {name} k3f9 --reason \"we do not want this\""),
        Action::Ship => format!("Examples:\n  fleet diff k3f9 && fleet {name} k3f9\n  fleet {name} k3f9 m2x7"),
        _ => format!("Examples:\n  fleet {name} k3f9\n  fleet {name} k3f9 m2x7 --reason \"as discussed\""),
    }
}

pub(super) async fn run(action: Action, args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let reason = reason(action, args, context)?;
    confirm(action, args, context)?;
    let mut exits = Vec::new();
    let acted = act_on_all(action, (args, reason.as_deref()), &mut exits, context).await;
    // Whatever ended it: the folder shows what was done.
    if exits.contains(&ExitCode::Success) {
        context.redraw().await?;
    }
    acted?;
    Ok(together(&exits))
}

/// Acts on one after the other; `exits` has how each went, whatever ended it.
async fn act_on_all(
    action: Action,
    (args, reason): (&Args, Option<&str>),
    exits: &mut Vec<ExitCode>,
    context: &Context,
) -> Result<(), CliError> {
    for name in &args.jobs {
        match act(action, name, reason, context).await {
            Ok(job) => {
                exits.push(ExitCode::Success);
                if context.out.is_json() {
                    context.out.json_line(&job)?;
                }
            }
            // One job: its failure is the command's. Several: each is told, and the others are still acted on.
            Err(error) if args.jobs.len() == 1 => return Err(error),
            Err(CliError::Closed) => return Err(CliError::Closed),
            Err(CliError::Report(mut report)) => {
                report.message = format!("{name}: {}", report.message);
                context.out.tell(&report);
                exits.push(report.exit);
            }
        }
    }
    Ok(())
}

/// One exit code for several outcomes: theirs when they agree, "failed" when they do not.
fn together(exits: &[ExitCode]) -> ExitCode {
    match exits {
        [first, rest @ ..] if rest.iter().all(|exit| exit == first) => *first,
        [] => ExitCode::Success,
        _ => ExitCode::Failed,
    }
}

async fn act(action: Action, name: &str, reason: Option<&str>, context: &Context) -> Result<Job, CliError> {
    let before = context.job(name).await?;
    let request = ActionRequest { reason: reason.map(str::to_owned), ..ActionRequest::default() };
    let ships = action == Action::Ship || (action == Action::Promote && before.stage == Stage::Testing);
    let after = if ships {
        // Refused before anything is merged. What is shipped already stays so: cron may say it twice.
        if !before.actions.contains(&action) && before.stage != Stage::Shipped {
            let message = format!("cannot {action} {}: it is in {}", before.id, before.stage);
            return Err(refused(Problem::new(ErrorCode::InvalidTransition, message), &before));
        }
        wiring::ship(&context.config, context.embedded()?, &before, &request).await?
    } else {
        let acted = context.client()?.act(&before.id, action, &request).await;
        acted.map_err(|problem| refused(problem, &before))?
    };
    context.out.say(&told(action, &before, &after));
    Ok(after)
}

/// A refusal, with what is possible instead.
fn refused(problem: Problem, job: &Job) -> CliError {
    let is_transition = problem.code == ErrorCode::InvalidTransition;
    if !is_transition || problem.details.get("actions").is_some() {
        return problem.into();
    }
    let possible: Vec<&str> = job.actions.iter().map(|action| action.as_str()).collect();
    problem.with(json!({ "actions": possible })).into()
}

fn told(action: Action, before: &Job, after: &Job) -> String {
    let stage = |stage: Stage| paint(style::of_stage(stage), stage.as_str());
    if before.stage != after.stage {
        return format!("{} {action}: {} → {}", after.id, stage(before.stage), stage(after.stage));
    }
    let done = match action {
        Action::Ship | Action::Promote if after.stage == Stage::Shipped => "nothing to do",
        Action::Pause => "paused",
        Action::Resume => "goes on",
        Action::Hold => "held until `fleet release`",
        Action::Release => "released",
        _ => "done",
    };
    format!("{} {action}: {done}, still {}", after.id, stage(after.stage))
}

/// A no, or an "again, please", helps nobody without its reason: who sits at a terminal is asked for it. A script may
/// leave it out.
fn reason(action: Action, args: &Args, context: &Context) -> Result<Option<String>, CliError> {
    let given = |reason: &String| !reason.trim().is_empty();
    let reason = args.reason.clone().filter(given);
    if reason.is_some() || !matches!(action, Action::Reject | Action::RequestChanges) {
        return Ok(reason);
    }
    Ok(context.ask(&format!("{action}: why?"))?.filter(given))
}

fn confirm(action: Action, args: &Args, context: &Context) -> Result<(), CliError> {
    let count = args.jobs.len();
    if count <= WITHOUT_ASKING || args.yes {
        return Ok(());
    }
    match context.ask(&format!("{action} {count} jobs? [y/N]"))?.as_deref() {
        Some("y" | "Y" | "yes") => Ok(()),
        _ => Err(CliError::usage(format!("{count} jobs are more than {WITHOUT_ASKING}; nothing was done"))
            .help("add --yes to act on all of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_outcomes_become_one_code() {
        use ExitCode::{Conflict, Failed, NotFound, Success};
        for (exits, expected) in [
            (vec![Success, Success], Success),
            (vec![Conflict, Conflict], Conflict),
            (vec![Success, Conflict], Failed),
            (vec![NotFound, Conflict], Failed),
        ] {
            assert_eq!(together(&exits), expected, "{exits:?}");
        }
    }
}
