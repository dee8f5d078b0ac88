//! `fleet events`: a job's history.

use std::time::Duration;

use fleet_protocol::{
    Event, ExitCode, JobId,
    api::{EventList, EventsQuery, QueueStateQuery},
};

use super::{
    context::Context,
    error::CliError,
    sanitise,
    style::{self, paint},
};

/// How long nothing may change until a followed history is looked at all the same.
const LOOK_AGAIN_MS: u64 = 20_000;
/// Between two looks, however much the queue changes.
const AT_LEAST: Duration = Duration::from_millis(20);

/// Print the history of a job.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet events k3f9
  fleet events -f k3f9            what happens from now on, too; until the job is over
  fleet events k3f9 --json | jq '.events[].type'")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
    /// Go on with new events, until the job is shipped, failed or dead-lettered.
    #[arg(short, long)]
    follow: bool,
    /// Only events after this number.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    limit: Option<u32>,
    /// Go on where an earlier list ended.
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    cursor: Option<String>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let id = context.job(&args.job).await?.id;
    if args.follow {
        return follow(&id, args.after, context).await;
    }
    let client = context.client()?;
    let list = match args.limit {
        Some(_) => {
            let query = EventsQuery { after: Some(args.after), limit: args.limit, cursor: args.cursor.clone() };
            client.events(&id, &query).await?
        }
        None => EventList { events: client.all_events(&id, args.after).await?, next: None },
    };
    if context.out.is_json() {
        context.out.json(&list)?;
    } else {
        context.out.data(&list.events.iter().map(|event| line(event, context)).collect::<String>())?;
        if let Some(next) = &list.next {
            context.out.say(&format!("more with --cursor {next}"));
        }
    }
    Ok(ExitCode::Success)
}

async fn follow(id: &JobId, mut after: u64, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client()?;
    let mut version = client.queue_state(&QueueStateQuery::default()).await?;
    loop {
        // Looked at before its events: nothing that happens in between is missed.
        let over = client.job(id).await?.stage.is_terminal();
        for event in client.all_events(id, after).await? {
            after = event.seq;
            if context.out.is_json() {
                context.out.json_line(&event)?;
            } else {
                context.out.data(&line(&event, context))?;
            }
        }
        if over {
            return Ok(ExitCode::Success);
        }
        tokio::time::sleep(AT_LEAST).await;
        // Every event comes with a version of its own: whatever came after the look has raised it already.
        version = client.queue_state(&QueueStateQuery { after: Some(version), wait_ms: Some(LOOK_AGAIN_MS) }).await?;
    }
}

fn line(event: &Event, context: &Context) -> String {
    let moved = match (event.stage_from, event.stage_to) {
        (from, Some(to)) if from != Some(to) => {
            let from = from.map(|from| format!("{from} → ")).unwrap_or_default();
            format!("  {from}{}", paint(style::of_stage(to), to.as_str()))
        }
        _ => String::new(),
    };
    format!(
        "{:>4}  {}  {:<18} {}{moved}{}\n",
        event.seq,
        paint(style::DIM, &context.when(event.at)),
        event.event_type,
        sanitise::plain(&event.actor),
        data(event),
    )
}

/// What people want to read of an event's data: its reason or message.
fn data(event: &Event) -> String {
    ["reason", "message"]
        .iter()
        .find_map(|key| event.data.get(key)?.as_str())
        .map(|text| format!("  {}", sanitise::plain(text)))
        .unwrap_or_default()
}
