//! `fleet submit`: tasks into the queue.

use std::time::Duration;

use fleet_protocol::{
    ExitCode, Job, JobId, Span, Stage,
    api::{QueueStateQuery, SubmitPreview, SubmitQuery},
    job::BlockReason,
};

use super::{
    context::Context,
    error::CliError,
    field, job_view,
    progress::Progress,
    sanitise,
    style::{self, paint},
    submit_check::{self, Wrong},
    table::Table,
    task::{self, Fields, Task},
};
use crate::{config::git_root, wiring};

/// Put tasks into the queue; prints one job id a line.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet submit task.md
  id=$(fleet submit task.md) && fleet logs -f $id
  fleet submit --wait --timeout 1h task.md && echo done
  generate-task | fleet submit -
  fleet submit --repo . \"Fix the typo in the README\"
  fleet submit --project shop \"Say why a signup was refused\"
  fleet submit --dedupe nightly.md      from cron: the same task is never queued twice")]
pub(super) struct Args {
    /// Task files, or `-` for standard input; with --repo or --project also the task itself.
    #[arg(value_name = "FILE", required = true)]
    tasks: Vec<String>,
    /// Repository of tasks that name none: a folder or a git address (default: the one you stand in).
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// The same content again is the same job.
    #[arg(long)]
    dedupe: bool,
    /// Check, and print what the job would run by; queue nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Wait until each job is done or waits for a person; the exit code says how it went.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Give up waiting after so long (exit code 9); the job goes on.
    #[arg(long, value_name = "DURATION", requires = "wait")]
    timeout: Option<Span>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let mut wrong = Wrong::default();
    let tasks = read_all(args, &mut wrong, context);
    let repo = repository(args.repo.as_deref(), context).map_err(|error| wrong.beside(error))?;
    let query = SubmitQuery { repo: Some(repo), dedupe: args.dedupe, ..SubmitQuery::default() };
    let previews = submit_check::check_all(&tasks, wrong, &query, context).await?;
    if args.dry_run {
        return show_all(&previews, context);
    }
    let mut jobs = Vec::new();
    let submitted = submit_all(&tasks, (args, &query), &mut jobs, context).await;
    // Whatever stopped it: the folder shows what is in the queue now.
    context.draw_newcomers(&jobs).await?;
    submitted?;
    if !args.wait {
        return Ok(ExitCode::Success);
    }
    let ids: Vec<JobId> = jobs.into_iter().map(|job| job.id).collect();
    let jobs = wait(&ids, args.timeout, context).await?;
    for job in &jobs {
        context.out.say(&job_view::outcome(job));
        if context.out.is_json() {
            context.out.json_line(job)?;
        }
    }
    Ok(jobs.iter().map(job_view::exit).max().unwrap_or(ExitCode::Success))
}

/// Submits one task file for `fleet run FILE`.
pub(super) async fn submit_file(path: &str, context: &Context) -> Result<Job, CliError> {
    let task = task::read(path, context)?;
    let repo = repository(None, context)?;
    let query = SubmitQuery { repo: Some(repo), ..SubmitQuery::default() };
    submit_check::check_all(std::slice::from_ref(&task), Wrong::default(), &query, context).await?;
    submit(&task, &query, context).await
}

/// The tasks that can be read; what cannot goes to what is wrong.
fn read_all(args: &Args, wrong: &mut Wrong, context: &Context) -> Vec<Task> {
    let says_where = args.repo.is_some() || args.fields.project.is_some();
    let mut tasks = Vec::new();
    for what in &args.tasks {
        let is_text = says_where && what != "-" && !context.config.cwd.join(what).exists();
        let task = if is_text { Ok(task::from_text(what)) } else { task::read(what, context) };
        match task {
            Ok(task) => tasks.push(args.fields.laid_over(task)),
            Err(error) => wrong.add(what, error),
        }
    }
    tasks
}

/// Submits one after the other and tells each; `jobs` has those that were, whatever stopped it.
async fn submit_all(
    tasks: &[Task],
    (args, query): (&Args, &SubmitQuery),
    jobs: &mut Vec<Job>,
    context: &Context,
) -> Result<(), CliError> {
    for task in tasks {
        let job = submit(task, query, context).await?;
        jobs.push(job.clone());
        match (context.out.is_json(), args.wait) {
            (false, _) => context.out.data(&format!("{}\n", job.id))?,
            (true, false) => context.out.json_line(&job)?,
            (true, true) => {}
        }
    }
    Ok(())
}

async fn submit(task: &Task, query: &SubmitQuery, context: &Context) -> Result<Job, CliError> {
    let query = SubmitQuery { file: task.file.clone(), ..query.clone() };
    let (job, new) =
        context.client()?.submit(&task.text, &query).await.map_err(|problem| submit_check::refused(task, problem))?;
    if new {
        context.out.say(&format!("submitted {} {}", job.id, paint(style::DIM, &job_view::title(&job))));
        // A typo here would be waited for without end.
        for blocker in job.blocked_by.iter().filter(|blocker| blocker.reason == BlockReason::Unknown) {
            let dep = sanitise::plain(&blocker.dep);
            context.out.warn(&format!("{} waits for `{dep}`, which no job is called yet", job.id));
        }
    } else {
        context.out.say(&format!("{} was there already ({}){}", job.id, job.stage, what_of_it(&job)));
    }
    Ok(job)
}

/// What submitting again came to.
fn what_of_it(job: &Job) -> String {
    match job.stage {
        stage if stage.is_pending() && job.runs == 0 => "; it will work by what was submitted now".to_owned(),
        Stage::Failed | Stage::DeadLetter => match job.actions.first() {
            Some(action) => format!("; `fleet {action} {}` tries again", job.id),
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// The repository for tasks that name none: an address as it is, a folder absolute.
fn repository(named: Option<&str>, context: &Context) -> Result<String, CliError> {
    let cwd = &context.config.cwd;
    let folder = match named {
        Some(address) if is_address(address) => return Ok(address.to_owned()),
        Some(folder) => cwd.join(folder),
        // Where in the repository one stands is where the agent will stand.
        None if git_root(cwd).is_some() => cwd.clone(),
        None => context.place()?.root.clone(),
    };
    let folder = folder.canonicalize().map_err(|error| {
        CliError::io(format!("cannot open the repository {}", folder.display()), &error)
            .help("name a folder, or a git address such as https://host/name.git")
    })?;
    Ok(folder.to_string_lossy().into_owned())
}

/// `scheme://…` or `host:path`, but never a plain path.
fn is_address(text: &str) -> bool {
    text.contains("://") || text.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'))
}

fn show_all(previews: &[SubmitPreview], context: &Context) -> Result<ExitCode, CliError> {
    for preview in previews {
        if context.out.is_json() {
            context.out.json_line(preview)?;
        } else {
            context.out.data(&shown(preview))?;
        }
    }
    context.out.say("nothing was queued");
    Ok(ExitCode::Success)
}

fn shown(preview: &SubmitPreview) -> String {
    let mut table = Table::new(&["FIELD", "FROM", "VALUE"]);
    let manifest = serde_json::to_value(&preview.manifest).expect("a manifest is plain data");
    table.row(vec!["title".into(), "".into(), preview.title.as_str().into()]);
    for (key, value) in manifest.as_object().into_iter().flatten().filter(|(key, _)| *key != "title") {
        let key = field::name(key);
        let origin = preview.origins.get(&key).map_or("", |origin| origin.as_str());
        table.row(vec![key.into(), origin.into(), field::value(value).into()]);
    }
    table.render(None)
}

/// Waits until each job is done or parked for a person.
async fn wait(ids: &[JobId], timeout: Option<Span>, context: &Context) -> Result<Vec<Job>, CliError> {
    let waiting = until_parked(ids, context);
    let Some(timeout) = timeout else { return waiting.await };
    let Ok(outcome) = tokio::time::timeout(timeout.duration(), waiting).await else {
        let names: Vec<&str> = ids.iter().map(JobId::as_str).collect();
        return Err(CliError::new(
            ExitCode::TimedOut,
            "timed_out",
            format!("not done after {timeout}; the work goes on"),
        )
        .help(format!("follow it: fleet logs -f {}", names.first().unwrap_or(&"JOB"))));
    };
    outcome
}

async fn until_parked(ids: &[JobId], context: &Context) -> Result<Vec<Job>, CliError> {
    const AT_MOST: Duration = Duration::from_secs(2);
    // A busy queue changes all the time; people and scripts do not need to know that fast.
    const AT_LEAST: Duration = Duration::from_millis(100);
    let client = context.client()?;
    let mut progress = Progress::start(context);
    let mut version = client.queue_state(&QueueStateQuery::default()).await?;
    if !wiring::is_worked_on(&context.config)? {
        context.out.say("no runner works on this queue yet: start `fleet run` in another terminal, or from cron");
    }
    loop {
        let mut jobs = Vec::with_capacity(ids.len());
        for id in ids {
            jobs.push(client.job(id).await?);
        }
        if jobs.iter().all(|job| job.stage.is_parked()) {
            return Ok(jobs);
        }
        progress.update(&job_view::standing(&jobs));
        tokio::time::sleep(AT_LEAST).await;
        let wait_ms = u64::try_from(AT_MOST.as_millis()).ok();
        version = client.queue_state(&QueueStateQuery { after: Some(version), wait_ms }).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        for address in ["https://h/x.git", "file:///srv/x.git", "git@host:a/b.git", "host:x"] {
            assert!(is_address(address), "{address}");
        }
        for path in [".", "/srv/x", "./a:b", "a/b:c", ":x", "~/x"] {
            assert!(!is_address(path), "{path}");
        }
    }
}
