//! `fleet runs`: what was tried, and what came of it.

use fleet_protocol::{
    ExitCode, Run,
    api::{RunList, RunsQuery},
    run::Evidence,
};

use super::{
    context::Context,
    error::CliError,
    job_view, style,
    table::{Cell, Table},
    when::lasted,
};

/// List the runs of a job, with the evidence of each.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet runs k3f9
  fleet runs k3f9 --limit 20        page with the cursor that it ends with
  fleet runs k3f9 --json | jq '.runs[-1].evidence'")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Go on where an earlier list ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let job = context.job(&args.job).await?;
    let client = context.client()?;
    let list = match args.limit {
        Some(_) => client.runs(&job.id, &RunsQuery { limit: args.limit, cursor: args.cursor.clone() }).await?,
        None => RunList { runs: client.all_runs(&job.id, args.cursor.clone()).await?, next: None },
    };
    if context.out.is_json() {
        context.out.json(&list)?;
    } else if list.runs.is_empty() && args.cursor.is_none() {
        context.out.say(&format!("{} has not run yet; `fleet explain {}` says why", job.id, job.id));
    } else {
        context.out.data(&table(&list.runs, context).render(context.out.width))?;
        if let Some(next) = &list.next {
            context.out.say(&format!("more with --cursor {next}"));
        }
    }
    Ok(ExitCode::Success)
}

fn table(runs: &[Run], context: &Context) -> Table {
    let mut table = Table::new(&[
        "RUN", "RESULT", "ENGINE", "FACTORY", "STARTED", "FOR", "CPU", "MEMORY", "EXIT", "EVIDENCE", "MESSAGE",
    ])
    .sparing(&["FACTORY", "ENGINE", "EXIT", "STARTED", "CPU", "MEMORY"]);
    for run in runs {
        let insights = run.insights.as_ref();
        let end = run.ended_at.unwrap_or_else(|| context.now());
        let took = run.started_at.map(|start| u64::try_from(end.duration_since(start).as_millis()).unwrap_or(0));
        let style = match run.result {
            None => style::INFO,
            Some(result) if result.is_success() => style::GOOD,
            Some(result) if result.is_handback() => style::DIM,
            Some(_) => style::BAD,
        };
        table.row(vec![
            run.number.to_string().into(),
            Cell::styled(run.result.map_or("running", |result| result.as_str()), style),
            run.engine.as_deref().unwrap_or("-").into(),
            run.factory.as_str().into(),
            run.started_at.map_or_else(|| "-".to_owned(), |at| context.when(at)).into(),
            took.map_or_else(|| "-".to_owned(), lasted).into(),
            insights.and_then(|insights| insights.cpu_ms).map_or_else(|| "-".to_owned(), lasted).into(),
            insights.and_then(|insights| insights.peak_memory).map_or_else(|| "-".to_owned(), job_view::memory).into(),
            run.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()).into(),
            run.evidence.as_ref().map_or_else(|| "-".to_owned(), evidence).into(),
            run.message.as_deref().unwrap_or("").into(),
        ]);
    }
    table
}

fn evidence(evidence: &Evidence) -> String {
    let commits = match evidence.commits.len() {
        1 => "1 commit".to_owned(),
        count => format!("{count} commits"),
    };
    let verify = match &evidence.verify {
        None => "not verified".to_owned(),
        Some(verify) => match verify.exit_code {
            Some(0) => "verified".to_owned(),
            Some(code) => format!("verify exit {code}"),
            None => "verify was ended".to_owned(),
        },
    };
    format!("{commits}, {verify}")
}
