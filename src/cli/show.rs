//! `fleet show`: everything about one job.

use fleet_protocol::{ExitCode, Job, Manifest, manifest::render};
use serde::Serialize;

use super::{
    context::Context,
    error::CliError,
    job_view,
    sanitise::{self, Sgr},
    style::{self, paint},
};
use crate::wiring::{self, Unwatched};

/// Show the full record of a job.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet show k3f9
  fleet show k3f9 --json | jq .usage
  fleet show k3f9 --manifest > again.md     the task as it ran, ready to be submitted again")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
    /// Print it as a task file, with everything that profile, project and defaults added.
    #[arg(long)]
    manifest: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let named = context.job(&args.job).await?;
    // Asked for by its id it tells more.
    let job = context.client()?.job(&named.id).await?;
    let body = context.client()?.body(&job.id).await?;
    if args.manifest {
        context.out.data(&render(&job.manifest, &body))?;
    } else if context.out.is_json() {
        context.out.json(&Record { manifest_snapshot: &job.manifest, job: &job, body_md: &body })?;
    } else {
        context.out.data(&shown(&job, (&body, runner(&job, context)?), context))?;
    }
    Ok(ExitCode::Success)
}

/// A job with the texts that it was submitted with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(flatten)]
    job: &'a Job,
    /// The same as `manifest`, under the name that says what it is.
    manifest_snapshot: &'a Manifest,
    body_md: &'a str,
}

/// What became of the runner of a job that is being worked on, if it is not there.
fn runner(job: &Job, context: &Context) -> Result<Option<&'static str>, CliError> {
    if !job.stage.is_held() || wiring::is_worked_on(&context.config)? {
        return Ok(None);
    }
    Ok(Some(match wiring::unwatched(&context.config, &job.id, job.runs)? {
        Unwatched::Works => "gone; its agent works on, for the next `fleet run`",
        Unwatched::Ended => "gone; its agent has ended, and the next `fleet run` finds out what came of it",
        Unwatched::Gone => "gone, and its agent too; the next `fleet run` takes the job back",
        Unwatched::Unknown => "gone; whether its agent lives cannot be told",
    }))
}

fn shown(job: &Job, (body, runner): (&str, Option<&str>), context: &Context) -> String {
    let mut fields = Fields(String::new());
    fields.0.push_str(&format!("{}  {}\n\n", paint(style::STRONG, job.id.as_str()), job_view::title(job)));
    fields.add("stage", &stage(job));
    let stalled = job.stalled_since.map(|since| format!("no output since {}", context.when(since)));
    fields.optional("stalled", stalled.as_deref());
    fields.optional("result", job.result.map(|result| result.as_str()));
    fields.optional("message", job.message.as_deref());
    fields.add("priority", job.priority.as_str());
    fields.optional("engine", job.engine.as_deref());
    fields.optional("project", job.manifest.project.as_deref());
    fields.optional("profile", job.profile.as_ref().map(|profile| profile.name.as_str()));
    fields.list("tags", &job.tags);
    fields.list("deps", &job.deps);
    for blocker in &job.blocked_by {
        fields.add("blocked by", &format!("{} ({})", blocker.dep, blocker.reason));
    }
    fields.add("runs", &format!("{} ({} counted against the retry policy)", job.runs, job.attempts));
    fields.optional("progress", job.progress.as_ref().map(job_view::progress).as_deref());
    fields.optional("retry", job.retry_not_before.map(|at| context.when(at)).as_deref());
    fields.optional("factory", job.factory.as_deref());
    fields.optional("runner", runner);
    fields.optional("repo", job.repo.as_deref());
    fields.optional("branch", job.branch.as_deref());
    fields.optional("base", job.base.as_deref());
    fields.optional("commit", job.head_commit.as_deref());
    fields.optional("checkpoint", job.checkpoint.as_ref().map(|checkpoint| checkpoint.commit.as_str()));
    let diff = job.diff.map(|diff| format!("{}, +{} −{}", job_view::files(diff.files), diff.added, diff.deleted));
    fields.optional("changes", diff.as_deref());
    fields.list("out of scope", &job.scope_warning);
    fields.add("usage", &job_view::usage(&job.usage));
    let resources = job.insights.as_ref().map(job_view::resources);
    fields.optional("resources", resources.as_deref());
    fields.optional("key", job.idempotency_key.as_deref());
    fields.add("file", &job.file);
    fields.add("created", &context.when(job.created_at));
    fields.add("updated", &context.when(job.updated_at));
    for (key, value) in &job.extra {
        fields.add(&format!("extra: {key}"), &value.to_string());
    }
    for feedback in &job.feedback {
        fields.add("feedback", &format!("{} ({}, {})", feedback.text, feedback.actor, context.when(feedback.at)));
    }
    for (name, items) in [
        ("acceptance", &job.manifest.acceptance),
        ("target file", &job.manifest.target_files),
        ("test command", &job.manifest.test_commands),
    ] {
        items.iter().for_each(|item| fields.add(name, item));
    }
    let actions: Vec<&str> = job.actions.iter().map(|action| action.as_str()).collect();
    fields.add("possible now", &actions.join(", "));
    if !body.trim().is_empty() {
        let lines = body.trim_end().lines().map(|line| format!("{}\n", sanitise::line(line, Sgr::Strip)));
        fields.0.push_str(&format!("\n{}", lines.collect::<String>()));
    }
    fields.0
}

fn stage(job: &Job) -> String {
    let mut words = vec![job.stage.as_str()];
    words.extend(job.held.then_some("held"));
    words.extend(job.paused.then_some("paused"));
    words.join(", ")
}

/// `name  value` lines.
struct Fields(String);

impl Fields {
    fn add(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let name = paint(style::DIM, &format!("{name:<13}"));
        self.0.push_str(&format!("{name} {}\n", sanitise::plain(value)));
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        self.add(name, value.unwrap_or_default());
    }

    fn list(&mut self, name: &str, values: &[String]) {
        self.add(name, &values.join(", "));
    }
}
