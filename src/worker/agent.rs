//! The agent of a run: started, or found at work, watched to its end, and what came of it.
//!
//! What another runner needs to go on with it is written down before it is started.

use std::{collections::BTreeMap, path::Path, time::Duration};

use fleet_protocol::{JobResult, Stage, api::PatchJob, job::Usage};
use tokio::time::sleep;

use super::{
    bounds::{ceilings, limits},
    confine,
    equip::{self, Equipped, Place, Session, Wanting},
    journal::Journal,
    judge::{Course, Failing, judge, unless_again},
    mask::Mask,
    random_uuid,
    record::{Launched, Record, Values, launch_name},
    replay::Replay,
    report::{Finding, verdict},
    save::{Saver, blocking},
    seat::{Outcome, Seat},
    secret::to_mask,
    supervise::{Ward, Watched, overspent, supervise},
    trouble::Trouble,
};
use crate::{
    engine::{Definition, Invocation, Output, SessionPlan, Start, Stdin as Input, reader},
    runtime::{Environment, Launch, Running, Spec, Stdin, Token, reattach, start},
    shutdown::Phase,
};

/// Between two looks at a launch of which nothing can be told.
const LOOK: Duration = Duration::from_secs(1);

const NO_SESSION: &str = "the engine could not begin a session";

/// How watching a launch ended.
enum Followed {
    Ended(Box<Finding>),
    /// The engine does not know the session that it was to go on with.
    SessionLost,
    /// It runs on for the next runner.
    HandedOver,
}

/// A run under way.
pub(super) struct Under<'a> {
    pub(super) seat: &'a Seat,
    pub(super) place: &'a Place,
    pub(super) engine: &'a Definition,
    pub(super) output: Output,
    pub(super) equipped: &'a Equipped,
    /// The values of the job's secrets, where they are known already.
    pub(super) secrets: Option<&'a BTreeMap<String, String>>,
    pub(super) mask: &'a Mask,
    /// Milliseconds from the claim to the agent's start.
    pub(super) provision_ms: u64,
}

impl Under<'_> {
    /// Reports the start, and only then starts the agent: a run that is not ours any more begins nothing.
    pub(super) async fn started(&self, journal: &mut Journal) -> Result<Outcome, Trouble> {
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
            confinement: Some(seat.options.confinement.level.recorded()),
            checkpoint_unusable: equipped.ground.fresh_because.clone(),
            ..PatchJob::default()
        };
        seat.client.patch(&seat.claimed.job.id, &self.mask.report(begin)).await?;
        journal.note(&format!("engine {}, branch {}, from {}", engine.name, workspace.branch(), workspace.start()));
        self.agent(None, journal).await
    }

    /// Starts the agent, or takes it up where another runner left it, watches it, and finds out what came of it. A lost
    /// session is worth one new start.
    pub(super) async fn agent(&self, left: Option<&Launched>, journal: &mut Journal) -> Result<Outcome, Trouble> {
        let earlier = equip::earlier_session(&self.seat.claimed, self.engine);
        let mut followed = match (left, &earlier) {
            (Some(launched), _) => self.take_up(launched, journal).await?,
            (None, Some((session, before))) => self.launch(1, (SessionPlan::Resume(session), *before), journal).await?,
            (None, None) => self.begin_anew(1, journal).await?,
        };
        if let Followed::SessionLost = followed {
            journal.note("the engine does not know its session any more; it starts a new one");
            followed = self.begin_anew(2, journal).await?;
        }
        match followed {
            Followed::Ended(finding) => verdict(self, *finding, journal).await,
            Followed::HandedOver => Ok(Outcome::HandedOver),
            Followed::SessionLost => Err(Trouble::job(JobResult::AgentFailed, NO_SESSION)),
        }
    }

    /// Starts the agent with a session of its own.
    async fn begin_anew(&self, nth: usize, journal: &mut Journal) -> Result<Followed, Trouble> {
        let id = random_uuid();
        let plan = if self.engine.takes_session_id() { SessionPlan::New(&id) } else { SessionPlan::Unnamed };
        self.launch(nth, (plan, Usage::UNKNOWN), journal).await
    }

    /// Starts the agent. What another runner needs to go on with it is on disk by then.
    async fn launch(
        &self,
        nth: usize,
        (plan, before): (SessionPlan<'_>, Usage),
        journal: &mut Journal,
    ) -> Result<Followed, Trouble> {
        let seat = self.seat;
        let (invocation, resumed) = self.invocation(plan).await?;
        self.mask.set(&to_mask(&invocation.redactions, &seat.options));
        self.knows_all_values(&invocation.redactions)?;
        for warning in &invocation.warnings {
            journal.note(warning);
        }
        let mut environment = invocation.env.clone();
        environment.retain(|name, _| !seat.claimed.manifest.secrets.contains(name));
        let (plain, hidden) = Values::split(environment, &invocation.redactions);
        let launched = Launched {
            name: launch_name("agent", nth),
            resumes: matches!(plan, SessionPlan::Resume(_)),
            before: if resumed { before } else { Usage::UNKNOWN },
            offsets: (self.size("stdout"), self.size("stderr")),
            environment: plain,
        };
        Values { masked: invocation.redactions.clone(), variables: hidden }.write(&self.place.folder)?;
        self.record(&launched, journal).write(&self.place.folder)?;
        journal.note(&format!("starting {}", invocation.argv.first().map_or("", String::as_str)));
        let spec = self.spec(&invocation)?;
        let run_dir = self.place.folder.join(&launched.name);
        let limit = seat.options.bounds.start;
        let running = start(&seat.options.exe, Launch { run_dir, spec, limit }).await?;
        self.follow(&launched, running, journal).await
    }

    /// A run masks what it began with. A secret that was changed while it had no runner would show itself.
    fn knows_all_values(&self, values: &[String]) -> Result<(), Trouble> {
        let known = Values::read(&self.place.folder)?.filter(|_| self.seat.record.is_some());
        if known.is_none_or(|known| values.iter().all(|value| known.masked.contains(value))) {
            return Ok(());
        }
        Err(Trouble::Machine("a secret was changed while the run was without a runner; it begins anew".to_owned()))
    }

    fn record(&self, launched: &Launched, journal: &Journal) -> Record {
        Record {
            claimed: self.seat.claimed.clone(),
            begun: journal.begun().clone(),
            engine: self.engine.name.clone(),
            output: self.output,
            provision_ms: self.provision_ms,
            ground: self.equipped.ground.clone(),
            launch: launched.clone(),
            last_word: None,
        }
    }

    /// Goes on with a launch of another runner, whether it still runs or is over.
    async fn take_up(&self, launched: &Launched, journal: &mut Journal) -> Result<Followed, Trouble> {
        let folder = self.place.folder.join(&launched.name);
        match self.reattached(&folder, journal).await {
            Some(running) => self.follow(launched, running, journal).await,
            None => Ok(Followed::HandedOver),
        }
    }

    /// Takes hold of a launch. What cannot be told is not dead, so it is asked again until it can, or until this runner is
    /// told to end.
    async fn reattached(&self, folder: &Path, journal: &mut Journal) -> Option<Running> {
        let mut noted = false;
        loop {
            match reattach(folder) {
                Ok(running) => return Some(running),
                Err(error) if !noted => {
                    tracing::warn!(job.id = %self.seat.claimed.job.id, %error, "whether an agent lives cannot be told; its job is kept");
                    journal.note(&format!("whether the agent lives cannot be told: {error}"));
                    noted = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.seat.shutdown.at_least(Phase::Drain) => return None,
            }
        }
    }

    /// Watches a launch to its end.
    async fn follow(&self, launched: &Launched, running: Running, journal: &mut Journal) -> Result<Followed, Trouble> {
        let seat = self.seat;
        let workspace = self.equipped.workspace.cwd().to_string_lossy().into_owned();
        let reader = reader(self.output, Start { workspace, before: launched.before });
        let ward = Ward {
            client: &seat.client,
            job: &seat.claimed.job.id,
            lease: &seat.lease,
            budget: seat.claimed.manifest.budget.unwrap_or_default(),
            grace: seat.options.grace,
            ttl: self.ttl(),
            checkpoint: seat.options.checkpoint,
            shutdown: &seat.shutdown,
            activity: seat.activity.as_ref(),
            mask: self.mask,
            folder: &self.place.folder,
            launch: &self.place.folder.join(&launched.name),
            before: launched.offsets,
            replay: seat.record.is_some().then(|| Replay {
                stdout: self.unread("stdout", launched.offsets.0),
                stderr: self.unread("stderr", launched.offsets.1),
                progress: seat.claimed.job.progress.clone(),
            }),
        };
        let started = journal.elapsed_ms();
        let mut saver = Saver::new(self.equipped.workspace.clone());
        let watched = supervise(&ward, running, reader, journal, &mut saver).await?;
        if watched.handed_over {
            return Ok(Followed::HandedOver);
        }
        // What lies there is collected once, after the launch that begins anew.
        if launched.resumes && judge(watched.record.as_ref(), &watched.conclusion, false) == Course::Anew {
            return Ok(Followed::SessionLost);
        }
        let watching = journal.elapsed_ms().saturating_sub(started);
        let agent_ms = watched.record.as_ref().map_or(watching, |record| record.duration_ms);
        self.found(watched, launched, agent_ms).await.map(|finding| Followed::Ended(Box::new(finding)))
    }

    /// What is in the workspace now decides whether a claim of success is believable.
    async fn found(&self, watched: Watched, launched: &Launched, agent_ms: u64) -> Result<Finding, Trouble> {
        let workspace = self.equipped.workspace.clone();
        let message = format!("{}\n\nLeft uncommitted by the agent.", self.seat.claimed.job.title);
        let collected = blocking(move || crate::workspace::collect(&workspace, &message)).await?;
        let course = judge(watched.record.as_ref(), &watched.conclusion, collected.changed);
        let course = match unless_again(course, &self.seat.claimed.earlier) {
            Course::Anew => {
                let message = NO_SESSION.to_owned();
                Course::Failed(Failing { result: JobResult::AgentFailed, class: None, message })
            }
            // Told with its last words, too late to be stopped.
            Course::Prove
                if overspent(self.seat.claimed.manifest.budget.unwrap_or_default(), &watched.conclusion.usage) =>
            {
                let message = "the run ended with more spent than its budget".to_owned();
                Course::Failed(Failing { result: JobResult::BudgetExceeded, class: None, message })
            }
            course => course,
        };
        let mut environment = launched.environment.clone();
        environment.extend(Values::read(&self.place.folder)?.unwrap_or_default().variables);
        Ok(Finding { course, conclusion: watched.conclusion, record: watched.record, collected, environment, agent_ms })
    }

    async fn invocation(&self, plan: SessionPlan<'_>) -> Result<(Invocation, bool), Trouble> {
        let seat = self.seat;
        let session = if matches!(plan, SessionPlan::Resume(_)) { Session::Resumed } else { Session::New };
        let prompt = equip::prompt(&seat.client, &seat.claimed, self.equipped, session, self.place).await?;
        let mut variables = confine::variables(&seat.options, self.place);
        variables.insert("FLEET_JOB".to_owned(), seat.claimed.job.id.to_string());
        variables.insert("FLEET_RUN".to_owned(), seat.claimed.run.number.to_string());
        let resolved;
        let secrets = match self.secrets {
            Some(secrets) => secrets,
            None => {
                resolved = equip::secrets(&seat.options, &seat.claimed.manifest).await?;
                &resolved
            }
        };
        let wanting = Wanting {
            engine: self.engine,
            manifest: &seat.claimed.manifest,
            session: plan,
            prompt: &prompt,
            cwd: &self.equipped.workspace.cwd(),
            secrets,
            variables: &variables,
        };
        let invocation = equip::command(&seat.options, self.place, &wanting)?;
        let resumed = invocation.resumed;
        Ok((invocation, resumed))
    }

    /// A lease's length when the job was claimed: how often the shim must hear from us is a third of it.
    pub(super) fn ttl(&self) -> Duration {
        Duration::from_millis(self.seat.claimed.lease.ttl_ms)
    }

    fn spec(&self, invocation: &Invocation) -> Result<Spec, Trouble> {
        let seat = self.seat;
        Ok(Spec {
            label: format!("{}/{}", seat.claimed.job.id, seat.claimed.run.number),
            argv: invocation.argv.clone(),
            env: Environment(invocation.env.clone()),
            cwd: self.equipped.workspace.cwd(),
            stdin: match invocation.stdin {
                Input::Null => Stdin::Null,
                Input::PromptFile => Stdin::File(self.place.prompt.clone()),
            },
            stdout: "../stdout".to_owned(),
            stderr: "../stderr".to_owned(),
            limits: limits(&seat.claimed.manifest, &seat.options, self.ttl()),
            ceilings: ceilings(&seat.claimed.manifest, &seat.options),
            grouping: seat.options.bounds.grouping,
            confinement: confine::agent(self, invocation),
            token: Token::random()?,
            key: Token::random()?,
        })
    }

    /// The size of an output of which this launch wrote something; nothing of one to which it did not.
    fn unread(&self, file: &str, before: u64) -> u64 {
        Some(self.size(file)).filter(|size| *size > before).unwrap_or(0)
    }

    fn size(&self, file: &str) -> u64 {
        std::fs::metadata(self.place.folder.join(file)).map_or(0, |meta| meta.len())
    }
}
