//! `fleet jobs`: the list.

use fleet_protocol::{
    ExitCode, Job, Stage,
    api::{JobList, JobsQuery},
    manifest::Priority,
};

use super::{
    context::Context,
    error::CliError,
    output::Audience,
    style,
    table::{Cell, Table},
};

/// List jobs, oldest first.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet jobs
  fleet jobs --stage review
  fleet jobs --tag backend --json | jq -r '.jobs[].id'")]
pub(super) struct Args {
    /// Only those in this stage: queued, blocked, assigned, building, waiting, review, testing, shipped, failed, dead_letter.
    #[arg(long, value_name = "STAGE")]
    stage: Option<Stage>,
    /// Only those of this priority.
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Only those of this engine.
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Only those with this tag.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Option<String>,
    /// Only children of this job.
    #[arg(long, value_name = "JOB")]
    parent: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Go on where an earlier list ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client()?;
    let parent = match &args.parent {
        Some(name) => Some(client.find(name).await?.id.to_string()),
        None => None,
    };
    let query = JobsQuery {
        stage: args.stage,
        priority: args.priority,
        engine: args.engine.clone(),
        tag: args.tag.clone(),
        parent,
        name: None,
        limit: args.limit,
        cursor: args.cursor.clone(),
    };
    // Lists print everything; a limit asks for one page of them.
    let list = match args.limit {
        Some(_) => client.jobs(&query).await?,
        None => JobList { jobs: client.all_jobs(&query).await?, next: None },
    };
    if context.out.is_json() {
        context.out.json(&list)?;
        return Ok(ExitCode::Success);
    }
    let table = table(&list.jobs, context);
    if table.is_empty() {
        context.out.say("no jobs");
    } else {
        context.out.data(&table.render(context.out.width))?;
    }
    if let Some(next) = &list.next {
        context.out.say(&format!("more with --cursor {next}"));
    }
    Ok(ExitCode::Success)
}

fn table(jobs: &[Job], context: &Context) -> Table {
    let updated = match context.out.audience {
        Audience::Terminal => "CHANGED",
        Audience::Program => "UPDATED",
    };
    let mut table = Table::new(&["JOB", "STAGE", "RESULT", "PRIORITY", "ENGINE", "RUNS", updated, "TITLE"])
        .sparing(&["RUNS", "PRIORITY", "ENGINE", "CHANGED"]);
    for job in jobs {
        let stage = if job.held { format!("{}, held", job.stage) } else { job.stage.to_string() };
        table.row(vec![
            job.id.as_str().into(),
            Cell::styled(stage, style::of_stage(job.stage)),
            job.result.map_or("-", |result| result.as_str()).into(),
            job.priority.as_str().into(),
            job.engine.as_deref().unwrap_or("-").into(),
            job.runs.to_string().into(),
            context.when(job.updated_at).into(),
            job.title.as_str().into(),
        ]);
    }
    table
}
