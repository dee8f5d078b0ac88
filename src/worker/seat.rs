//! One claimed job, from the claim to the report.
//!
//! Whatever way out is taken, the work is under a ref of the user's repository before the workspace goes.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use fleet_protocol::{
    Job, JobResult, Problem, Stage,
    api::{Claimed, PatchJob, ReleaseRequest},
    job::{Checkpoint, Usage},
};
use tokio::{sync::mpsc::UnboundedSender, time::sleep};

use super::{
    bounds::{ceilings, limits},
    crew::SeatEnd,
    equip::{self, Equipped, Place, Session, Wanting},
    journal::Journal,
    judge::{Course, Failing, judge, unless_again},
    leases::{Lease, is_passing},
    mask::Mask,
    options::Options,
    pump::Target,
    pumps::Pumps,
    random_uuid,
    report::{Finding, verdict},
    save::{Saver, blocking},
    supervise::{Ward, Watched, overspent, supervise},
    trouble::Trouble,
    turns::Turns,
};
use crate::{
    client::Client,
    engine::{Definition, Invocation, SessionPlan, Start, Stdin as Input, reader},
    runtime::{Environment, Launch, Spec, Stdin, Token, end_orphan, start},
    shutdown::{Phase, Shutdown},
    workspace::remove,
};

/// Between two attempts to report the end of a run.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A job and all that working on it takes.
pub(super) struct Seat {
    pub(super) claimed: Claimed,
    pub(super) lease: Lease,
    pub(super) options: Arc<Options>,
    pub(super) client: Client,
    pub(super) shutdown: Shutdown,
    pub(super) activity: Option<UnboundedSender<String>>,
    pub(super) turns: Turns,
}

/// A run under way.
pub(super) struct Under<'a> {
    pub(super) seat: &'a Seat,
    pub(super) place: &'a Place,
    pub(super) engine: &'a Definition,
    pub(super) equipped: &'a Equipped,
    pub(super) secrets: &'a BTreeMap<String, String>,
    pub(super) mask: &'a Mask,
    /// Milliseconds from the claim to the agent's start.
    pub(super) provision_ms: u64,
}

impl Seat {
    /// Works on the job and reports. Nothing that happens in here ends the worker.
    pub(super) async fn work(self) -> SeatEnd {
        let id = self.claimed.job.id.clone();
        let _turn = self.turns.take(&id).await;
        let ended = match self.prepared().await {
            Ok(()) => SeatEnd::Done,
            Err(Trouble::Job(failing)) => {
                tracing::info!(job.id = %id, result = %failing.result, "a job failed before its agent could work");
                let patch =
                    PatchJob { result: Some(failing.result), message: Some(failing.message), ..PatchJob::default() };
                self.report(patch).await;
                SeatEnd::Done
            }
            Err(Trouble::Machine(why)) => {
                tracing::error!(job.id = %id, error = %why, "this machine is in the way; the job goes back");
                self.hand_back(&why, None, None).await;
                SeatEnd::Trouble(why)
            }
            Err(Trouble::Refused(problem)) => {
                tracing::warn!(job.id = %id, error = %problem, "a report was refused; the run is not ours any more");
                SeatEnd::Done
            }
        };
        tracing::debug!(job.id = %id, "the seat is free");
        ended
    }

    async fn prepared(&self) -> Result<(), Trouble> {
        let run = self.claimed.run.number;
        let place = Place::make(&self.options, self.claimed.job.id.as_str(), run)?;
        let mut journal =
            Journal::open(&place.folder).map_err(|error| Trouble::io("open the journal in", &place.folder, &error))?;
        let mask = Mask::default();
        let target = Target {
            job: self.claimed.job.id.clone(),
            lease_epoch: self.lease.epoch(),
            run,
            stream: fleet_protocol::api::LogStream::Stdout,
            mask: mask.clone(),
        };
        let pumps = Pumps::start(&self.client, &target, &place.folder);
        let outcome = self.equipped(&place, &mask, &mut journal).await;
        // The log is whole before anybody can see how the run ended.
        let carried = pumps.finish().await;
        if !matches!(outcome, Ok(Outcome::HandedOver)) {
            place.tidy(carried);
        }
        match outcome? {
            Outcome::Report(patch) => self.report(*patch).await,
            Outcome::HandBack { why, checkpoint, session } => self.hand_back(why, checkpoint, session).await,
            Outcome::Silence | Outcome::HandedOver => {}
        }
        Ok(())
    }

    async fn equipped(&self, place: &Place, mask: &Mask, journal: &mut Journal) -> Result<Outcome, Trouble> {
        let engine = equip::engine(&self.options, &self.claimed.manifest)?;
        let secrets = equip::secrets(&self.options, &self.claimed.manifest).await?;
        if let Some(outcome) = self.too_late() {
            return Ok(outcome);
        }
        let equipped = equip::workspace(&self.options, &self.claimed, journal).await?;
        let under = Under {
            seat: self,
            place,
            engine,
            equipped: &equipped,
            secrets: &secrets,
            mask,
            provision_ms: journal.elapsed_ms(),
        };
        let outcome = under.started(journal).await;
        if matches!(outcome, Ok(Outcome::HandedOver)) {
            return outcome;
        }
        let workspace = equipped.workspace.clone();
        match blocking(move || remove(workspace)).await {
            Ok(trash) => {
                // The files are out of the way; deleting them takes a while and nobody waits for it.
                drop(tokio::task::spawn_blocking(move || trash.delete()));
            }
            Err(error) => tracing::warn!(job.id = %self.claimed.job.id, %error, "the workspace stays"),
        }
        outcome
    }

    /// A job whose agent was not started before the worker was asked to end goes back.
    fn too_late(&self) -> Option<Outcome> {
        let why = "the runner was asked to end before the agent started";
        (self.shutdown.phase() != Phase::Running).then_some(Outcome::HandBack { why, checkpoint: None, session: None })
    }

    /// Reports the end of the run. A refusal means that the job moved on without us.
    async fn report(&self, mut patch: PatchJob) {
        patch.lease_epoch = self.lease.epoch();
        let result = patch.result.map(JobResult::as_str).unwrap_or_default();
        match self.heard(|| self.client.patch(&self.claimed.job.id, &patch)).await {
            Ok(job) => {
                tracing::info!(job.id = %job.id, job.stage = %job.stage, result, title = %job.title, "a run ended");
            }
            Err(problem) => self.refused(&problem),
        }
    }

    async fn hand_back(&self, why: &str, checkpoint: Option<Checkpoint>, session: Option<String>) {
        let request = ReleaseRequest {
            lease_epoch: self.lease.epoch(),
            result: JobResult::Preempted,
            message: Some(why.to_owned()),
            checkpoint,
            session_id: session,
        };
        match self.heard(|| self.client.release(&self.claimed.job.id, &request)).await {
            Ok(job) => tracing::info!(job.id = %job.id, why, "a job went back to the queue"),
            Err(problem) => self.refused(&problem),
        }
    }

    /// Says a run's last word until it is heard, as long as it is ours to say: a full or busy store must not cost the
    /// run its result. Hearing it twice does no harm, for the first time ends the lease.
    async fn heard<A: Future<Output = Result<Job, Problem>>>(&self, say: impl Fn() -> A) -> Result<Job, Problem> {
        loop {
            match say().await {
                Err(problem) if is_passing(&problem) && self.lease.is_held() => {
                    tracing::warn!(job.id = %self.claimed.job.id, error = %problem, "the end of a run is not taken yet");
                }
                answered => return answered,
            }
            tokio::select! {
                () = sleep(LAST_WORD) => {}
                () = self.shutdown.at_least(Phase::HandOver) => return say().await,
            }
        }
    }

    fn refused(&self, problem: &Problem) {
        tracing::warn!(job.id = %self.claimed.job.id, error = %problem, "the end of a run was refused; its work is kept under a ref");
    }
}

/// What is to be said about a run.
pub(super) enum Outcome {
    Report(Box<PatchJob>),
    HandBack {
        why: &'static str,
        checkpoint: Option<Checkpoint>,
        session: Option<String>,
    },
    /// The job is not ours any more.
    Silence,
    /// The agent runs on; whoever comes next finds it and its workspace.
    HandedOver,
}

impl Under<'_> {
    /// Reports the start, and only then starts the agent: a run that is not ours any more begins nothing.
    async fn started(&self, journal: &mut Journal) -> Result<Outcome, Trouble> {
        let Under { seat, engine, equipped, .. } = self;
        let workspace = &equipped.workspace;
        if let Some(outcome) = seat.too_late() {
            return Ok(outcome);
        }
        let begin = PatchJob {
            lease_epoch: seat.lease.epoch(),
            stage: Some(Stage::Building),
            engine: Some(engine.name.clone()),
            branch: Some(workspace.branch().to_owned()),
            base: Some(workspace.base().to_owned()),
            base_commit: Some(workspace.base_commit().to_string()),
            confinement: Some("unconfined".to_owned()),
            checkpoint_unusable: equipped.fresh_because.clone(),
            ..PatchJob::default()
        };
        seat.client.patch(&seat.claimed.job.id, &begin).await?;
        journal.note(&format!("engine {}, branch {}, from {}", engine.name, workspace.branch(), workspace.start()));
        self.agent(journal).await
    }

    /// Starts the agent, watches it, and finds out what came of it. A lost session is worth one new start.
    async fn agent(&self, journal: &mut Journal) -> Result<Outcome, Trouble> {
        let earlier = equip::earlier_session(&self.seat.claimed, self.engine);
        if let Some((session, before)) = &earlier {
            let ended = self.launch("agent", SessionPlan::Resume(session), *before, journal).await?;
            if !matches!(ended.course, Course::Anew) {
                return verdict(self, ended, journal).await;
            }
            journal.note("the engine does not know its session any more; it starts a new one");
        }
        let folder = if earlier.is_some() { "agent-2" } else { "agent" };
        let id = random_uuid();
        let plan = if self.engine.takes_session_id() { SessionPlan::New(&id) } else { SessionPlan::Unnamed };
        let mut ended = self.launch(folder, plan, Usage::UNKNOWN, journal).await?;
        if let Course::Anew = ended.course {
            let message = "the engine could not begin a session".to_owned();
            ended.course = Course::Failed(Failing { result: JobResult::AgentFailed, class: None, message });
        }
        verdict(self, ended, journal).await
    }

    async fn launch(
        &self,
        name: &str,
        plan: SessionPlan<'_>,
        before: Usage,
        journal: &mut Journal,
    ) -> Result<Finding, Trouble> {
        let seat = self.seat;
        let launch = self.place.folder.join(name);
        let (invocation, resumed) = self.invocation(plan).await?;
        self.mask.set(&invocation.redactions);
        for warning in &invocation.warnings {
            journal.note(warning);
        }
        let start_of_usage = if resumed { before } else { Usage::UNKNOWN };
        let cwd = self.equipped.workspace.cwd();
        let reader =
            reader(self.engine.output, Start { workspace: cwd.to_string_lossy().into_owned(), before: start_of_usage });
        journal.note(&format!("starting {}", invocation.argv.first().map_or("", String::as_str)));
        let ttl = Duration::from_millis(seat.claimed.lease.ttl_ms);
        let ward = Ward {
            client: &seat.client,
            job: &seat.claimed.job.id,
            lease: &seat.lease,
            budget: seat.claimed.manifest.budget.unwrap_or_default(),
            grace: seat.options.grace,
            ttl,
            checkpoint: seat.options.checkpoint,
            shutdown: &seat.shutdown,
            activity: seat.activity.as_ref(),
            mask: self.mask,
            folder: &self.place.folder,
            launch: &launch,
            before: (self.size("stdout"), self.size("stderr")),
        };
        let spec = self.spec(&invocation, cwd, ttl)?;
        let started = journal.elapsed_ms();
        let limit = seat.options.bounds.start;
        let running = start(&seat.options.exe, Launch { run_dir: launch.clone(), spec, limit }).await?;
        let mut saver = Saver::new(self.equipped.workspace.clone());
        let watched = match supervise(&ward, running, reader, journal, &mut saver).await {
            Ok(watched) => watched,
            Err(error) => {
                // Nobody watches it any more, and the workspace is about to go.
                end_orphan(&launch, seat.options.grace).await?;
                return Err(error.into());
            }
        };
        let agent_ms = journal.elapsed_ms().saturating_sub(started);
        self.found(watched, invocation, agent_ms).await
    }

    /// What is in the workspace now decides whether a claim of success is believable.
    async fn found(&self, watched: Watched, invocation: Invocation, agent_ms: u64) -> Result<Finding, Trouble> {
        if watched.handed_over {
            return Ok(Finding { course: Course::Silence, watched, collected: None, env: invocation.env, agent_ms });
        }
        let workspace = self.equipped.workspace.clone();
        let message = format!("{}\n\nLeft uncommitted by the agent.", self.seat.claimed.job.title);
        let collected = blocking(move || crate::workspace::collect(&workspace, &message)).await?;
        let course = judge(watched.record.as_ref(), &watched.conclusion, collected.changed);
        let course = match unless_again(course, &self.seat.claimed.earlier) {
            // Told with its last words, too late to be stopped.
            Course::Prove
                if overspent(self.seat.claimed.manifest.budget.unwrap_or_default(), &watched.conclusion.usage) =>
            {
                let message = "the run ended with more spent than its budget".to_owned();
                Course::Failed(Failing { result: JobResult::BudgetExceeded, class: None, message })
            }
            course => course,
        };
        Ok(Finding { course, watched, collected: Some(collected), env: invocation.env, agent_ms })
    }

    async fn invocation(&self, plan: SessionPlan<'_>) -> Result<(Invocation, bool), Trouble> {
        let seat = self.seat;
        let session = if matches!(plan, SessionPlan::Resume(_)) { Session::Resumed } else { Session::New };
        let prompt = equip::prompt(&seat.client, &seat.claimed, self.equipped, session, self.place).await?;
        let variables = BTreeMap::from([
            ("FLEET_JOB".to_owned(), seat.claimed.job.id.to_string()),
            ("FLEET_RUN".to_owned(), seat.claimed.run.number.to_string()),
        ]);
        let wanting = Wanting {
            engine: self.engine,
            manifest: &seat.claimed.manifest,
            session: plan,
            prompt: &prompt,
            cwd: &self.equipped.workspace.cwd(),
            secrets: self.secrets,
            variables: &variables,
        };
        let invocation = equip::command(&seat.options, self.place, &wanting)?;
        let resumed = invocation.resumed;
        Ok((invocation, resumed))
    }

    fn spec(&self, invocation: &Invocation, cwd: PathBuf, ttl: Duration) -> Result<Spec, Trouble> {
        let seat = self.seat;
        Ok(Spec {
            label: format!("{}/{}", seat.claimed.job.id, seat.claimed.run.number),
            argv: invocation.argv.clone(),
            env: Environment(invocation.env.clone()),
            cwd,
            stdin: match invocation.stdin {
                Input::Null => Stdin::Null,
                Input::PromptFile => Stdin::File(self.place.prompt.clone()),
            },
            stdout: "../stdout".to_owned(),
            stderr: "../stderr".to_owned(),
            limits: limits(&seat.claimed.manifest, &seat.options, ttl),
            ceilings: ceilings(&seat.claimed.manifest, &seat.options),
            grouping: seat.options.bounds.grouping,
            token: Token::random()?,
            key: Token::random()?,
        })
    }

    fn size(&self, file: &str) -> u64 {
        std::fs::metadata(self.place.folder.join(file)).map_or(0, |meta| meta.len())
    }
}
