//! `fleet status`: the queue at a glance.

use std::collections::BTreeMap;

use fleet_protocol::{
    Action, Bucket, ExitCode, Job, JobId, JobResult, Problem, Span, Stage,
    api::{Alert, JobsQuery, StatusView},
};

use super::{
    context::Context,
    error::CliError,
    sanitise,
    style::{self, paint},
    table::{Cell, Table},
    when::lasted,
};
use crate::{
    client::Client,
    wiring::{self, Unwatched},
};

/// Show how many jobs stand where, what runs, and what needs a look.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet status
  fleet status --json | jq .counts.review")]
pub(super) struct Args {}

pub(super) async fn run(Args {}: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let status = look(context).await?;
    if context.out.is_json() {
        context.out.json(&status)?;
    } else {
        context.out.data(&shown(&status, &needing_you(&status, context.client()?).await?, context))?;
    }
    Ok(ExitCode::Success)
}

/// The status, with what only this machine knows: whether there is a runner to what runs, and room for more.
pub(super) async fn look(context: &Context) -> Result<StatusView, CliError> {
    let mut status = context.client()?.status().await?;
    let has_runner = status.running.is_empty() || wiring::is_worked_on(&context.config)?;
    if !has_runner {
        let mut unwatched: BTreeMap<Unwatched, Vec<JobId>> = BTreeMap::new();
        for job in &status.running {
            unwatched.entry(wiring::unwatched(&context.config, &job.id, job.run)?).or_default().push(job.id.clone());
        }
        let alert = |(how, jobs): (Unwatched, Vec<JobId>)| {
            let message = without_a_runner(how, jobs.len(), context.config.coordinator.lease_ttl);
            Alert { code: "no_runner".to_owned(), message, jobs }
        };
        status.alerts.splice(0..0, unwatched.into_iter().map(alert));
    }
    status.alerts.extend(wiring::room_alerts(&context.config, if has_runner { status.running.len() } else { 0 })?);
    Ok(status)
}

/// What became of so many runs whose runner is gone, in a sentence.
fn without_a_runner(how: Unwatched, runs: usize, patience: Span) -> String {
    let of = |one: &str, many: &str| if runs == 1 { one.to_owned() } else { format!("{runs} {many}") };
    match how {
        Unwatched::Works => format!(
            "{} without a runner; the next `fleet run` goes on with it, and if none comes within {patience} it is ended",
            of("an agent works on", "agents work on"),
        ),
        Unwatched::Ended => {
            format!(
                "{} without a runner; the next `fleet run` finds out what came of it",
                of("a run ended", "runs ended")
            )
        }
        Unwatched::Gone => {
            "the runner of what runs is gone; the next `fleet run` takes it back and goes on from its work".to_owned()
        }
        Unwatched::Unknown => {
            format!(
                "{} cannot be told; nothing is taken back until it can",
                if runs == 1 { "whether an agent lives" } else { "whether some agents live" }
            )
        }
    }
}

/// Stages in which a job waits for a person, the most pressing first.
const NEEDING: [Stage; 5] = [Stage::Waiting, Stage::Review, Stage::Testing, Stage::Failed, Stage::DeadLetter];
/// How many of them are listed.
const LISTED: usize = 10;

/// The jobs that wait for a person, those waiting longest first; not those that a person ended.
pub(super) async fn needing_you(status: &StatusView, client: &Client) -> Result<Vec<Job>, Problem> {
    let mut jobs = Vec::new();
    for stage in NEEDING.into_iter().filter(|stage| status.stages.get(stage).is_some_and(|count| *count > 0)) {
        let limit = u32::try_from(LISTED + 1).ok();
        let page = client.jobs(&JobsQuery { stage: Some(stage), limit, ..JobsQuery::default() }).await?;
        let by_a_person = |job: &Job| matches!(job.result, Some(JobResult::Cancelled | JobResult::Rejected));
        jobs.extend(page.jobs.into_iter().filter(|job| !by_a_person(job)));
    }
    Ok(jobs)
}

/// The status for people.
pub(super) fn shown(status: &StatusView, needing: &[Job], context: &Context) -> String {
    let mut text = counts(status);
    if !status.running.is_empty() {
        text.push('\n');
        text.push_str(&running(status).render(context.out.width));
    }
    if !needing.is_empty() {
        text.push('\n');
        text.push_str(&decisions(needing, context).render(context.out.width));
        if needing.len() > LISTED {
            text.push_str(&paint(style::DIM, "… and more: fleet jobs\n"));
        }
    }
    if !status.alerts.is_empty() {
        text.push('\n');
    }
    for alert in &status.alerts {
        let jobs: String = alert.jobs.iter().map(|id| format!(" {id}")).collect();
        let jobs = if jobs.is_empty() { jobs } else { paint(style::DIM, &format!(" ({})", jobs.trim_start())) };
        text.push_str(&format!("{} {}{jobs}\n", paint(style::WARN, "!"), sanitise::plain(&alert.message)));
    }
    text
}

/// What needs a person, and what that person can do.
fn decisions(jobs: &[Job], context: &Context) -> Table {
    let mut table = Table::new(&["NEEDS YOU", "STAGE", "RESULT", "SINCE", "YOU CAN", "TITLE"])
        .sparing(&["YOU CAN", "SINCE", "RESULT"]);
    for job in jobs.iter().take(LISTED) {
        // `promote` is another word for what stands beside it.
        let acts = job.actions.iter().filter(|action| **action != Action::Promote);
        let acts: Vec<&str> = acts.take(3).map(|action| action.as_str()).collect();
        table.row(vec![
            job.id.as_str().into(),
            Cell::styled(job.stage.as_str(), style::of_stage(job.stage)),
            job.result.map_or("-", JobResult::as_str).into(),
            context.when(job.updated_at).into(),
            acts.join(", ").into(),
            job.title.as_str().into(),
        ]);
    }
    table
}

fn counts(status: &StatusView) -> String {
    let parts: Vec<String> = Bucket::ALL
        .iter()
        .map(|bucket| {
            let count = status.counts.get(bucket).copied().unwrap_or(0);
            let part = format!("{bucket} {count}");
            let style = match (bucket, count) {
                (_, 0) => style::DIM,
                (Bucket::Failed, _) => style::BAD,
                (Bucket::Review, _) => style::ATTENTION,
                _ => style::STRONG,
            };
            paint(style, &part)
        })
        .collect();
    let delayed = if status.delayed > 0 { format!("   ({} wait for a retry)", status.delayed) } else { String::new() };
    format!("{}{delayed}\n", parts.join("   "))
}

fn running(status: &StatusView) -> Table {
    let mut table = Table::new(&["JOB", "STAGE", "ENGINE", "FACTORY", "RUN", "FOR", "DOING", "TITLE"])
        .sparing(&["FACTORY", "RUN", "ENGINE", "STAGE", "DOING"]);
    for job in &status.running {
        let doing = match (job.paused, job.stalled) {
            (true, _) => Cell::styled("paused", style::WARN),
            (false, true) => Cell::styled("stalled", style::WARN),
            (false, false) => {
                job.progress.as_ref().and_then(|progress| progress.status.as_deref()).unwrap_or("").into()
            }
        };
        table.row(vec![
            job.id.as_str().into(),
            Cell::styled(job.stage.as_str(), style::of_stage(job.stage)),
            job.engine.as_deref().unwrap_or("-").into(),
            job.factory.as_deref().unwrap_or("-").into(),
            job.run.to_string().into(),
            lasted(job.elapsed_ms).into(),
            doing,
            job.title.as_str().into(),
        ]);
    }
    table
}
