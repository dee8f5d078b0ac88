//! Watches one agent from its start to its end: reads what it prints, meters it, and ends it when it must end.
//!
//! An agent is ended by its own limits (the shim sees to time), by its budget, by the loss of its lease, by an operator's
//! act, or by our own shutdown. Every end ends the whole process tree; that is the shim's part.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use fleet_protocol::{
    JobId,
    api::PatchJob,
    job::{Progress, Usage},
    lease::Directive,
    manifest::Budget,
};
use tokio::{sync::mpsc::UnboundedSender, time::interval};

use super::{
    journal::Journal,
    leases::{Lease, Standing},
    mask::Mask,
    replay::Replay,
    save::Saver,
};
use crate::{
    client::Client,
    engine::{Conclusion, Exit, Marker, Observation, Reader, Stream},
    runtime::{Chunk, ExitRecord, Lines, Reason, Running, RuntimeError, StopReason, Tail, Watch, end_orphan},
    shutdown::{Phase, Shutdown},
};

/// One event of an engine's stream can be a whole file.
const LONGEST_EVENT: usize = 8 * 1024 * 1024;
/// What is kept of the error output for a failure's message.
const STDERR_KEPT: usize = 4 * 1024;
/// How often news of a run is reported at most.
const NEWS: Duration = Duration::from_secs(1);
/// How often the cost of a run is reported when nothing else is new.
const USAGE_NEWS: Duration = Duration::from_secs(15);

/// What a supervisor needs to know about its run.
pub(super) struct Ward<'a> {
    pub(super) client: &'a Client,
    pub(super) job: &'a JobId,
    pub(super) lease: &'a Lease,
    pub(super) budget: Budget,
    pub(super) grace: Duration,
    /// A lease's length: how often the shim must hear from us is a third of it.
    pub(super) ttl: Duration,
    pub(super) checkpoint: Duration,
    pub(super) shutdown: &'a Shutdown,
    pub(super) activity: Option<&'a UnboundedSender<String>>,
    pub(super) mask: &'a Mask,
    /// The run's folder, with the agent's `stdout` and `stderr`.
    pub(super) folder: &'a Path,
    /// The folder of this launch inside it.
    pub(super) launch: &'a Path,
    /// How much of the two files an earlier launch of the same run wrote.
    pub(super) before: (u64, u64),
    /// Set when another runner watched it before.
    pub(super) replay: Option<Replay>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Watched {
    /// None when the shim itself was killed.
    pub(super) record: Option<ExitRecord>,
    pub(super) conclusion: Conclusion,
    /// The agent was left running for the next worker.
    pub(super) handed_over: bool,
}

struct Supervisor<'a> {
    ward: &'a Ward<'a>,
    journal: &'a mut Journal,
    reader: Box<dyn Reader>,
    stdout: Lines,
    stderr: Lines,
    stderr_tail: String,
    usage: Usage,
    news: News,
    replay: Option<Replay>,
    stopping: Option<StopReason>,
}

#[derive(Default)]
struct News {
    progress: Option<Progress>,
    session: Option<String>,
    usage: bool,
    sent: Option<Instant>,
}

/// Watches a run to its end. The work is saved from time to time through `saver`.
pub(super) async fn supervise(
    ward: &Ward<'_>,
    mut running: Running,
    reader: Box<dyn Reader>,
    journal: &mut Journal,
    saver: &mut Saver,
) -> Result<Watched, RuntimeError> {
    let watch = Watch::on(ward.folder);
    let mut out = Tail::new(&ward.folder.join("stdout"), &watch, ward.before.0);
    let mut err = Tail::new(&ward.folder.join("stderr"), &watch, ward.before.1);
    let mut standing = ward.lease.standing();
    // What was asked while nobody watched is done now.
    standing.mark_changed();
    let mut hello = interval(ward.ttl / 3);
    let mut save = interval(ward.checkpoint);
    save.tick().await;
    let mut news = interval(NEWS);
    let mut it = Supervisor {
        ward,
        journal,
        reader,
        stdout: Lines::new(ward.before.0, LONGEST_EVENT),
        stderr: Lines::new(ward.before.1, Lines::USUAL_LIMIT),
        stderr_tail: String::new(),
        usage: Usage::UNKNOWN,
        news: News::default(),
        replay: ward.replay.clone(),
        stopping: None,
    };
    let ended = loop {
        tokio::select! {
            ended = running.wait() => break ended,
            chunk = out.next() => it.printed(Stream::Stdout, chunk)?,
            chunk = err.next() => it.printed(Stream::Stderr, chunk)?,
            Ok(()) = standing.changed() => {
                let now = standing.borrow_and_update().clone();
                it.stands(&running, &now).await;
            }
            _ = hello.tick() => it.hello(&running).await,
            _ = save.tick() => it.save(saver).await,
            _ = news.tick() => it.report().await,
            () = ward.shutdown.at_least(Phase::HandOver) => return Ok(it.hand_over()),
            // Both are true after a hand-over, and then the agent must not be touched.
            () = ward.shutdown.at_least(Phase::Drain), if it.stopping.is_none() => match ward.shutdown.phase() {
                Phase::Running | Phase::Drain => it.stop(&running, StopReason::Drained).await,
                Phase::HandOver | Phase::Stop => return Ok(it.hand_over()),
            },
        }
        it.spend(&running).await;
    };
    out.finish();
    err.finish();
    for (stream, tail) in [(Stream::Stdout, &mut out), (Stream::Stderr, &mut err)] {
        loop {
            match tail.next().await {
                Ok(None) => break,
                chunk => it.printed(stream, chunk)?,
            }
        }
    }
    let record = it.end_of(ended).await?;
    Ok(it.conclude(record))
}

/// Whether a run has spent more money or tokens than it may, as far as it is known.
pub(super) fn overspent(budget: Budget, usage: &Usage) -> bool {
    let Budget { usd, tokens, .. } = budget;
    usd.zip(usage.cost_usd).is_some_and(|(most, spent)| spent > most)
        || tokens.is_some_and(|most| usage.tokens() > most)
}

impl Supervisor<'_> {
    fn printed(&mut self, stream: Stream, chunk: Result<Option<Chunk>, RuntimeError>) -> Result<(), RuntimeError> {
        let chunk = match chunk {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(()),
            // A shell's `> /dev/stderr` does that, and means no harm.
            Err(error @ RuntimeError::Shrunk { .. }) => {
                self.journal.note(&format!("{error}; it is read on from its beginning"));
                self.replay = None;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let lines = match stream {
            Stream::Stdout => self.stdout.push(&chunk.bytes),
            Stream::Stderr => self.stderr.push(&chunk.bytes),
        };
        for line in lines {
            self.line(stream, &line.text);
        }
        if let Some(replay) = &mut self.replay {
            replay.read(stream, &chunk);
        }
        Ok(())
    }

    fn line(&mut self, stream: Stream, line: &str) {
        if stream == Stream::Stderr {
            // Before it is cut: half a secret is not recognised.
            self.stderr_tail.push_str(&self.ward.mask.text(line));
            self.stderr_tail.push('\n');
            let extra = self.stderr_tail.len().saturating_sub(STDERR_KEPT);
            let cut = (extra..=self.stderr_tail.len()).find(|at| self.stderr_tail.is_char_boundary(*at)).unwrap_or(0);
            self.stderr_tail.drain(..cut);
        }
        for seen in self.reader.line(stream, line) {
            self.observe(seen);
        }
    }

    fn observe(&mut self, seen: Observation) {
        match seen {
            Observation::Activity(line) => self.tell(line),
            Observation::Usage(usage) | Observation::Marker(Marker::Usage(usage)) => {
                self.usage = usage;
                self.news.usage = true;
            }
            Observation::Session(session) => self.news.session = Some(session),
            Observation::Marker(Marker::Progress(progress)) => self.news.progress = Some(progress),
            Observation::Marker(Marker::Status(status)) => {
                let known = self.news.progress.take().unwrap_or_default();
                self.news.progress = Some(Progress { status: Some(status), ..known });
            }
            Observation::Marker(Marker::Question(_) | Marker::Artifact(_) | Marker::NoChanges { .. }) => {}
            Observation::Retrying { attempt, message, .. } => {
                let attempt = attempt.map(|attempt| format!(" (attempt {attempt})")).unwrap_or_default();
                self.tell(format!("the engine asks its model again{attempt}: {message}"));
            }
        }
    }

    fn tell(&self, line: String) {
        if let Some(activity) = self.ward.activity {
            // Nobody looks any more: that is no reason to end a run.
            drop(activity.send(self.ward.mask.text(&line)));
        }
    }

    /// Ends the run when it has spent more than it may.
    async fn spend(&mut self, running: &Running) {
        if overspent(self.ward.budget, &self.usage) {
            self.stop(running, StopReason::Budget).await;
        }
    }

    async fn stands(&mut self, running: &Running, standing: &Standing) {
        let asked = match standing {
            Standing::Lost(why) => {
                self.journal.note(&format!("the lease is lost: {why}"));
                return self.stop(running, StopReason::LeaseLost).await;
            }
            Standing::Held(Directive::Cancel) => return self.stop(running, StopReason::Cancelled).await,
            Standing::Held(Directive::Preempted) => return self.stop(running, StopReason::Preempted).await,
            Standing::Held(Directive::Drain) => return self.stop(running, StopReason::Drained).await,
            Standing::Held(Directive::Pause) => running.pause().await,
            Standing::Held(Directive::Resume) => running.resume().await,
            Standing::Held(Directive::Continue) => return,
        };
        if let Err(error) = asked {
            tracing::warn!(job.id = %self.ward.job, %error, "a running agent could not be paused or resumed");
        }
    }

    /// Asks for the end of the whole tree, once; the first reason stays.
    async fn stop(&mut self, running: &Running, reason: StopReason) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(reason);
        self.journal.note(&format!("ending the agent: {reason:?}"));
        if let Err(error) = running.stop(reason, Some(self.ward.grace)).await {
            // It may have ended in this moment; if it has not, its shim does not answer and the limits still hold.
            tracing::warn!(job.id = %self.ward.job, %error, "an agent could not be asked to end");
        }
    }

    async fn hello(&self, running: &Running) {
        if !self.ward.lease.is_held() {
            return;
        }
        if let Err(error) = running.hello().await {
            tracing::debug!(job.id = %self.ward.job, %error, "the shim did not hear us");
        }
    }

    async fn save(&mut self, saver: &mut Saver) {
        if self.stopping.is_none()
            && let Some(patch) = saver.save("while it runs").await
        {
            self.send(patch).await;
        }
    }

    /// Reports what is new, if anything is.
    async fn report(&mut self) {
        match self.replay.take_if(|replay| replay.is_over()) {
            // What was told before is no news.
            Some(replay) if replay.progress == self.news.progress => self.news.progress = None,
            None if self.replay.is_some() => return,
            Some(_) | None => {}
        }
        let usage_is_due = self.news.usage && self.news.sent.is_none_or(|sent| sent.elapsed() >= USAGE_NEWS);
        if self.news.progress.is_none() && self.news.session.is_none() && !usage_is_due {
            return;
        }
        let patch = PatchJob {
            progress: self.news.progress.take(),
            session_id: self.news.session.take(),
            usage: std::mem::take(&mut self.news.usage).then_some(self.usage),
            ..PatchJob::default()
        };
        self.news.sent = Some(Instant::now());
        self.send(patch).await;
    }

    async fn send(&self, mut patch: PatchJob) {
        patch.lease_epoch = self.ward.lease.epoch();
        let patch = self.ward.mask.report(patch);
        if let Err(problem) = self.ward.client.patch(self.ward.job, &patch).await {
            // A lost lease is heard of by the renewals; anything else is said again with the next news.
            tracing::debug!(job.id = %self.ward.job, error = %problem, "news of a run was not taken");
        }
    }

    fn hand_over(self) -> Watched {
        self.conclusion(None, true)
    }

    /// The exit record, or nothing when the shim was killed; then what it left is ended here.
    async fn end_of(&mut self, ended: Result<ExitRecord, RuntimeError>) -> Result<Option<ExitRecord>, RuntimeError> {
        match ended {
            Ok(record) => Ok(Some(record)),
            Err(RuntimeError::NoRecord { .. }) => {
                self.journal.note("the shim was killed; ending what is left of the run");
                end_orphan(self.ward.launch, self.ward.grace).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn conclude(mut self, record: Option<ExitRecord>) -> Watched {
        for (stream, line) in [(Stream::Stdout, self.stdout.finish()), (Stream::Stderr, self.stderr.finish())] {
            if let Some(line) = line {
                self.line(stream, &line.text);
            }
        }
        self.conclusion(record, false)
    }

    fn conclusion(self, record: Option<ExitRecord>, handed_over: bool) -> Watched {
        let exit = match &record {
            Some(ExitRecord { exit_code: Some(code), .. }) => Exit::Code(*code),
            Some(ExitRecord { signal: Some(signal), .. }) => Exit::Signal(*signal),
            // Never started, or nobody saw it end.
            Some(ExitRecord { reason: Reason::FailedToStart, .. }) => Exit::Code(127),
            _ => Exit::Signal(9),
        };
        Watched { record, conclusion: self.reader.end(exit, &self.stderr_tail), handed_over }
    }
}
