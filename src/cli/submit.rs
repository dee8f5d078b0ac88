//! `fleet submit`: tasks into the queue.

use std::{
    io::{IsTerminal, Read},
    time::Duration,
};

use fleet_protocol::{
    ExitCode, Job, JobId, Problem, Span, Stage,
    api::{QueueStateQuery, SubmitPreview, SubmitQuery},
    job::BlockReason,
    manifest::{Manifest, Mistake, Mistakes, Priority, parse, render},
};
use serde_json::Value;

use super::{
    context::Context,
    error::CliError,
    excerpt::Source,
    job_view, json_task,
    progress::Progress,
    sanitise,
    style::{self, paint},
    table::Table,
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
  fleet submit --dedupe nightly.md      from cron: the same task is never queued twice")]
pub(super) struct Args {
    /// Task files, or `-` for standard input; with --repo also the task itself.
    #[arg(value_name = "FILE", required = true)]
    tasks: Vec<String>,
    /// Repository of tasks that name none: a folder or a git address (default: the one you stand in).
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Engine, whatever the task says.
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Priority, whatever the task says: critical, high, medium or low.
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Keep it out of the queue until `fleet release`.
    #[arg(long)]
    hold: bool,
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

/// A task as it is sent.
pub(super) struct Task {
    /// For messages: the path as typed, `-`, or the text's first words.
    pub(super) shown: String,
    /// The name its file had.
    pub(super) file: Option<String>,
    pub(super) text: String,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let tasks = read_all(args, context)?;
    let repo = repository(args.repo.as_deref(), context)?;
    check_all(&tasks, &repo, context)?;
    let query = SubmitQuery { repo: Some(repo), dedupe: args.dedupe, ..SubmitQuery::default() };
    if args.dry_run {
        return preview(&tasks, &query, context).await;
    }
    let mut jobs = Vec::new();
    for task in &tasks {
        let job = submit(task, &query, context).await?;
        match (context.out.is_json(), args.wait) {
            (false, _) => context.out.data(&format!("{}\n", job.id))?,
            (true, false) => context.out.json_line(&job)?,
            (true, true) => {}
        }
        jobs.push(job.id);
    }
    context.redraw().await?;
    if !args.wait {
        return Ok(ExitCode::Success);
    }
    let jobs = wait(&jobs, args.timeout, context).await?;
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
    let task = read(path, context)?;
    let repo = repository(None, context)?;
    check_all(std::slice::from_ref(&task), &repo, context)?;
    let query = SubmitQuery { repo: Some(repo), ..SubmitQuery::default() };
    submit(&task, &query, context).await
}

async fn submit(task: &Task, query: &SubmitQuery, context: &Context) -> Result<Job, CliError> {
    let query = SubmitQuery { file: task.file.clone(), ..query.clone() };
    let (job, new) = context.client()?.submit(&task.text, &query).await.map_err(|problem| refused(task, problem))?;
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

/// A refusal with its mistakes shown in the file, where the answer names them.
fn refused(task: &Task, problem: Problem) -> CliError {
    let mistakes: Option<Vec<Mistake>> =
        problem.details.get("errors").and_then(|errors| serde_json::from_value(errors.clone()).ok());
    match mistakes {
        Some(mistakes) if !mistakes.is_empty() => invalid(&[(task, mistakes)]),
        _ => problem.into(),
    }
}

fn invalid(found: &[(&Task, Vec<Mistake>)]) -> CliError {
    let sources = found.iter().map(|(task, mistakes)| Source::of_mistakes(&task.shown, &task.text, mistakes)).collect();
    let names: Vec<&str> = found.iter().map(|(task, _)| task.shown.as_str()).collect();
    CliError::mistakes("invalid_request", format!("nothing was submitted: mistakes in {}", names.join(", ")), sources)
}

/// Every task is checked before the first one is submitted; what is only odd is warned about.
fn check_all(tasks: &[Task], repo: &str, context: &Context) -> Result<(), CliError> {
    let mut wrong = Vec::new();
    let mut read = Vec::new();
    for task in tasks {
        match parse(&task.text, task.file.as_deref().unwrap_or("task.md")) {
            Ok(_) if task.text.trim().is_empty() => {
                return Err(CliError::usage(format!("{} is empty: there is nothing to do in it", task.shown))
                    .help("write the task in markdown; `fleet help task-file` shows one"));
            }
            Ok(parsed) => {
                context.out.warn_about(&Source::of_mistakes(&task.shown, &task.text, &parsed.warnings));
                read.push(parsed.manifest);
            }
            Err(Mistakes(mistakes)) => wrong.push((task, mistakes)),
        }
    }
    if !wrong.is_empty() {
        return Err(invalid(&wrong));
    }
    read.iter().try_for_each(|manifest| Ok(wiring::check_submission(&context.config, manifest, repo)?))
}

fn read_all(args: &Args, context: &Context) -> Result<Vec<Task>, CliError> {
    args.tasks
        .iter()
        .map(|what| {
            let is_text = args.repo.is_some() && what != "-" && !context.config.cwd.join(what).exists();
            let task = if is_text { from_text(what) } else { read(what, context)? };
            Ok(override_fields(task, args))
        })
        .collect()
}

fn read(what: &str, context: &Context) -> Result<Task, CliError> {
    if what == "-" {
        return read_stdin();
    }
    let path = context.config.cwd.join(what);
    let bytes = std::fs::read(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::IsADirectory {
            return CliError::usage(format!("{what} is a folder, not a task file"))
                .help(format!("to submit what is in it: fleet submit {}/*.md", what.trim_end_matches('/')));
        }
        let failed = CliError::io(format!("cannot read {what}"), &error);
        if what.contains(char::is_whitespace) {
            failed.help(format!("to submit a sentence as the task, say where: fleet submit --repo . \"{what}\""))
        } else {
            failed
        }
    })?;
    let file = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    json_task::understood(Task { shown: what.to_owned(), file, text: text_of(what, bytes)? })
}

fn read_stdin() -> Result<Task, CliError> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(CliError::usage("`-` reads the task from standard input, which is a terminal")
            .help("pipe a task in, or name a file: fleet submit task.md"));
    }
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).map_err(|error| CliError::io("cannot read standard input", &error))?;
    Ok(Task { shown: "-".to_owned(), file: None, text: text_of("standard input", bytes)? })
}

fn text_of(name: &str, bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::new(ExitCode::Usage, "invalid_request", format!("{name} is not UTF-8 text (byte {at})"))
    })
}

fn from_text(text: &str) -> Task {
    let first = text.lines().next().unwrap_or_default().trim();
    let mut title: String = first.chars().take(72).collect();
    if title.len() < first.len() {
        title.push('…');
    }
    let manifest = Manifest { title: Some(title.clone()), ..Manifest::default() };
    Task { shown: title, file: None, text: render(&manifest, &format!("{text}\n")) }
}

/// Writes what flags say into the task. Without such flags it stays byte for byte.
fn override_fields(task: Task, args: &Args) -> Task {
    if args.engine.is_none() && args.priority.is_none() && !args.hold {
        return task;
    }
    // A task with mistakes is left alone: checking tells them, at the places the user knows.
    let Ok(parsed) = parse(&task.text, task.file.as_deref().unwrap_or("task.md")) else { return task };
    let mut manifest = parsed.manifest;
    manifest.title.get_or_insert(parsed.title);
    if let Some(engine) = &args.engine {
        manifest.engine = Some(engine.clone());
    }
    if args.priority.is_some() {
        manifest.priority = args.priority;
    }
    if args.hold {
        manifest.hold = Some(true);
    }
    Task { text: render(&manifest, &parsed.body), ..task }
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

async fn preview(tasks: &[Task], query: &SubmitQuery, context: &Context) -> Result<ExitCode, CliError> {
    for task in tasks {
        let query = SubmitQuery { file: task.file.clone(), ..query.clone() };
        let preview = context.client()?.preview(&task.text, &query).await.map_err(|problem| refused(task, problem))?;
        if context.out.is_json() {
            context.out.json_line(&preview)?;
        } else {
            context.out.data(&shown(&preview))?;
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
        let key = kebab(key);
        let origin = preview.origins.get(&key).map_or("", |origin| origin.as_str());
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        table.row(vec![key.into(), origin.into(), value.into()]);
    }
    table.render(None)
}

/// `idempotencyKey` → `idempotency-key`.
fn kebab(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
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

    #[test]
    fn field_names_are_those_of_the_task_file() {
        assert_eq!(kebab("idempotencyKey"), "idempotency-key");
        assert_eq!(kebab("repo"), "repo");
    }

    #[test]
    fn a_sentence_becomes_a_task_with_a_short_title() {
        let task = from_text(&format!("{}\nmore", "long ".repeat(40)));
        assert!(task.shown.ends_with('…') && task.shown.chars().count() == 73, "{}", task.shown);
        assert!(task.text.contains("more\n"));
    }
}
