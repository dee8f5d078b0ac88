//! `fleet logs`: what a run printed.
//!
//! Lines of other streams than stdout are marked with their stream. Escape sequences of the agent never reach the
//! terminal, apart from colours where it shows colours.

use std::time::Duration;

use fleet_protocol::{
    ExitCode, Job, JobId,
    api::{LogChunk, LogStream, LogsQuery},
};

use super::{
    context::Context,
    error::CliError,
    long_lines::{Line, LongLines},
    sanitise,
    style::{self, paint},
};

/// How often a followed log is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// The bytes first looked at from the end; doubled until they hold enough lines.
const FIRST_LOOK: u64 = 64 * 1024;
/// What is shown when no stream is named, in this order.
const STREAMS: &[LogStream] = &[LogStream::Stderr, LogStream::Stdout, LogStream::Verify];

/// Print what a run's agent and verify command printed.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet logs k3f9                  the last 50 lines of the newest run
  fleet logs -f k3f9               and what comes, until the run ends
  fleet logs -n 0 k3f9             everything
  fleet logs --run 1 --stream verify k3f9")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
    /// Go on with new lines, until the run ends.
    #[arg(short, long)]
    follow: bool,
    /// So many lines from the end of each stream; 0 for all.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Which run, from 1 (default: the newest).
    #[arg(long, visible_alias = "attempt", value_name = "K")]
    run: Option<u32>,
    /// Only this stream: stdout, stderr, verify or worker.
    #[arg(long, value_name = "STREAM")]
    stream: Option<LogStream>,
    /// Print every byte as it is; terminal escapes too.
    #[arg(long)]
    raw: bool,
}

impl Args {
    /// Whether terminal escapes are wanted.
    pub(super) const fn is_raw(&self) -> bool {
        self.raw
    }
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let job = context.job(&args.job).await?;
    let Some(run) = which_run(args, &job.id, job.runs, context).await? else {
        context.out.say(&format!("{} has not run yet; `fleet explain {}` says why", job.id, job.id));
        if context.out.is_json() {
            let stream = wanted(args, context)[0];
            context.out.json(&nothing(stream))?;
        }
        return Ok(ExitCode::Success);
    };
    let mut tails: Vec<Tail<'_>> =
        wanted(args, context).iter().map(|&stream| Tail::new(&job.id, run, stream)).collect();
    if let Some(tail) = tails.first() {
        tail.must_not_have_expired(context).await?;
    }
    for tail in &mut tails {
        tail.print_last(args, context).await?;
    }
    if args.follow {
        follow(&mut tails, args, context).await?;
    }
    for tail in &mut tails {
        tail.print_rest(args, context)?;
    }
    if !context.out.is_json() && tails.iter().all(|tail| tail.offset == 0) {
        let stream = args.stream.map(|stream| format!(" to {stream}")).unwrap_or_default();
        context
            .out
            .say(&format!("run {run} of {id} printed nothing{stream}; `fleet runs {id}` has the rest", id = job.id));
    }
    Ok(ExitCode::Success)
}

/// The output of a job that has not run.
const fn nothing(stream: LogStream) -> LogChunk {
    LogChunk { run: 0, stream, data: String::new(), next_offset: 0, size: 0, lossy: false, expired_at: None }
}

/// Prints what comes, until the run has ended.
async fn follow(tails: &mut [Tail<'_>], args: &Args, context: &Context) -> Result<(), CliError> {
    let Some((id, run)) = tails.first().map(|tail| (tail.id, tail.run)) else { return Ok(()) };
    loop {
        // Looked at before its output: what a run printed last is not missed.
        let over = has_ended(id, run, context).await?;
        for tail in &mut *tails {
            tail.print_new(args, context).await?;
        }
        if over {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What the runs of one job print, for someone who looks again and again.
pub(super) struct Following<'j> {
    id: &'j JobId,
    args: Args,
    tails: Vec<Tail<'j>>,
}

impl<'j> Following<'j> {
    pub(super) fn new(id: &'j JobId) -> Self {
        let args = Args { job: id.to_string(), follow: true, lines: 0, run: None, stream: None, raw: false };
        Self { id, args, tails: Vec::new() }
    }

    /// Prints what is new, of a new run from its beginning (as JSON nothing); the job as it was just before.
    pub(super) async fn look(&mut self, context: &Context) -> Result<Job, CliError> {
        let job = context.client()?.job(self.id).await?;
        if context.out.is_json() {
            return Ok(job);
        }
        self.print(context).await?;
        if self.tails.first().map_or(0, |tail| tail.run) < job.runs {
            for tail in &mut self.tails {
                tail.print_rest(&self.args, context)?;
            }
            self.tails = STREAMS.iter().map(|&stream| Tail::new(self.id, job.runs, stream)).collect();
            self.print(context).await?;
        }
        if job.stage.is_parked() {
            for tail in &mut self.tails {
                tail.print_rest(&self.args, context)?;
            }
        }
        Ok(job)
    }

    async fn print(&mut self, context: &Context) -> Result<(), CliError> {
        for tail in &mut self.tails {
            tail.print_new(&self.args, context).await?;
        }
        Ok(())
    }
}

/// The streams to print. As JSON it is one document, that of the API: of one stream.
fn wanted<'a>(args: &'a Args, context: &Context) -> &'a [LogStream] {
    match &args.stream {
        Some(stream) => std::slice::from_ref(stream),
        None if context.out.is_json() => &[LogStream::Stdout],
        None => STREAMS,
    }
}

/// The run that is meant; when following, the first one is waited for.
async fn which_run(args: &Args, id: &JobId, runs: u32, context: &Context) -> Result<Option<u32>, CliError> {
    match args.run {
        Some(run) if (1..=runs).contains(&run) => return Ok(Some(run)),
        Some(run) => {
            let message = format!("{id} has no run {run}");
            return Err(CliError::new(ExitCode::NotFound, "not_found", message).help(match runs {
                0 => "it has not run yet".to_owned(),
                runs => format!("its runs are 1 to {runs}"),
            }));
        }
        None if runs > 0 => return Ok(Some(runs)),
        None if !args.follow => return Ok(None),
        None => {}
    }
    context.out.say(&format!("{id} has not run yet; waiting for its first run"));
    loop {
        let job = context.client()?.job(id).await?;
        if job.runs > 0 {
            return Ok(Some(job.runs));
        }
        if job.stage.is_terminal() {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn has_ended(id: &JobId, run: u32, context: &Context) -> Result<bool, CliError> {
    let runs = context.client()?.all_runs(id, None).await?;
    Ok(runs.iter().find(|candidate| candidate.number == run).is_none_or(|run| run.ended_at.is_some()))
}

/// One stream, read from a place on.
struct Tail<'j> {
    id: &'j JobId,
    run: u32,
    stream: LogStream,
    /// Up to here it was read.
    offset: u64,
    lines: LongLines,
}

impl<'j> Tail<'j> {
    fn new(id: &'j JobId, run: u32, stream: LogStream) -> Self {
        Self { id, run, stream, offset: 0, lines: LongLines::default() }
    }

    async fn read(&self, offset: u64, limit: Option<u64>, context: &Context) -> Result<LogChunk, CliError> {
        let query = LogsQuery { run: Some(self.run), stream: Some(self.stream), offset: Some(offset), limit };
        Ok(context.client()?.logs(self.id, &query).await?)
    }

    /// A log that was let go is not an empty one.
    async fn must_not_have_expired(&self, context: &Context) -> Result<(), CliError> {
        let Some(at) = self.read(0, Some(1), context).await?.expired_at else { return Ok(()) };
        let message = format!("the logs of run {} of {} expired {}", self.run, self.id, context.when(at));
        let help = format!(
            "`fleet events {id}` and `fleet runs {id}` still tell what happened; retention.max-age and retention.max-jobs say how long logs are kept",
            id = self.id
        );
        Err(CliError::new(ExitCode::NotFound, "expired", message).help(help))
    }

    /// Everything from an offset up to where the stream ends now.
    async fn read_on(&self, offset: u64, context: &Context) -> Result<LogChunk, CliError> {
        let mut whole = self.read(offset, None, context).await?;
        while whole.next_offset < whole.size {
            let more = self.read(whole.next_offset, None, context).await?;
            if more.data.is_empty() {
                break;
            }
            whole.data.push_str(&more.data);
            whole.next_offset = more.next_offset;
            whole.lossy |= more.lossy;
        }
        Ok(whole)
    }

    /// Prints the last lines that are there now.
    async fn print_last(&mut self, args: &Args, context: &Context) -> Result<(), CliError> {
        if args.lines == 0 && !context.out.is_json() {
            return self.print_new(args, context).await;
        }
        let size = self.read(0, Some(1), context).await?.size;
        let mut look = if args.lines == 0 { u64::MAX } else { FIRST_LOOK };
        let chunk = loop {
            let from = size.saturating_sub(look);
            let mut chunk = self.read_on(from, context).await?;
            let start = args.lines.checked_sub(1).and_then(|before| last_lines(&chunk.data, before + 1));
            if start.is_some() || from == 0 {
                chunk.data.drain(..start.unwrap_or(0));
                break chunk;
            }
            look = look.saturating_mul(2);
        };
        if context.out.is_json() && !args.follow {
            return context.out.json(&chunk);
        }
        self.print(chunk, args, context)
    }

    async fn print_new(&mut self, args: &Args, context: &Context) -> Result<(), CliError> {
        if context.out.is_json() {
            let chunk = self.read_on(self.offset, context).await?;
            return self.print(chunk, args, context);
        }
        // Piece by piece: a log can be larger than what this process should hold.
        loop {
            let chunk = self.read(self.offset, None, context).await?;
            let over = chunk.data.is_empty() || chunk.next_offset >= chunk.size;
            self.print(chunk, args, context)?;
            if over {
                return Ok(());
            }
        }
    }

    fn print(&mut self, chunk: LogChunk, args: &Args, context: &Context) -> Result<(), CliError> {
        self.offset = chunk.next_offset;
        if chunk.data.is_empty() {
            return Ok(());
        }
        if context.out.is_json() {
            return context.out.json_line(&chunk);
        }
        if args.raw {
            return context.out.data(&chunk.data);
        }
        let lines = self.lines.push(&chunk.data);
        context.out.data(&lines.iter().map(|line| self.shown(line, args, context)).collect::<String>())
    }

    /// What stands after the last line end.
    fn print_rest(&mut self, args: &Args, context: &Context) -> Result<(), CliError> {
        let line = self.lines.finish();
        line.map_or(Ok(()), |line| context.out.data(&self.shown(&line, args, context)))
    }

    fn shown(&self, line: &Line, args: &Args, context: &Context) -> String {
        let mark = match (args.stream, self.stream) {
            (Some(_), _) | (None, LogStream::Stdout) => String::new(),
            (None, stream) => format!("{} ", paint(style::DIM, &format!("{stream} |"))),
        };
        // Marked after it is made harmless: an unfinished escape sequence would swallow the mark.
        let cut = match line.cut {
            0 => String::new(),
            cut => paint(style::DIM, &format!(" … [{cut} bytes of this line are cut; --raw shows them]")),
        };
        format!("{mark}{}{cut}\n", sanitise::line(&line.text, context.out.sgr))
    }
}

/// Where the last `lines` lines of a text start; none when it may hold fewer.
fn last_lines(text: &str, lines: usize) -> Option<usize> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.rmatch_indices('\n').nth(lines - 1).map(|(newline, _)| newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found() {
        for (text, lines, expected) in [
            ("a\nb\nc\n", 1, Some("c\n")),
            ("a\nb\nc\n", 2, Some("b\nc\n")),
            ("a\nb\nc", 2, Some("b\nc")),
            ("a\nb\nc\n", 3, None),
            ("", 1, None),
            ("\n\n\n", 2, Some("\n\n")),
        ] {
            assert_eq!(last_lines(text, lines).map(|start| &text[start..]), expected, "{text:?} {lines}");
        }
    }
}
