//! Jobs in every state, and short spellings of inputs.

use fleet_protocol::{
    Action, EventType, Job, JobId, JobResult, Manifest, Run, Span, Stage,
    api::{PatchJob, ReleaseRequest},
    job::{BlockReason, Blocker, Trigger},
    manifest::CommandLine,
    run::{Evidence, VerifyEvidence},
};
use jiff::Timestamp;

use super::super::{Draft, Input, NewJob, Refusal, Step, admit, step};

pub(crate) const OPERATOR: &str = "operator:ann";
pub(crate) const TTL: Span = Span::from_secs(90);

/// So many seconds after the start of time.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).expect("a moment of this century")
}

pub(crate) fn new_job(bits: u64, manifest: Manifest) -> NewJob {
    NewJob {
        id: JobId::from_random(bits),
        title: "Add input validation".to_owned(),
        product: "default".to_owned(),
        file: "add-input-validation.md".to_owned(),
        manifest,
        profile: None,
        parent_id: None,
        repo: Some("/repo".to_owned()),
        trigger: Trigger::Manual,
    }
}

/// A manifest that asks for a check, so that a good run can be proven.
pub(crate) fn verified() -> Manifest {
    Manifest { verify: Some(CommandLine::Line("./check.sh".to_owned())), ..Manifest::default() }
}

pub(crate) fn blocker(dep: &str) -> Blocker {
    Blocker { dep: dep.to_owned(), job_id: None, reason: BlockReason::Pending }
}

/// Evidence of a change, checked with this exit code.
pub(crate) fn evidence(exit_code: Option<i32>) -> Evidence {
    Evidence {
        commits: vec!["c0ffee".to_owned()],
        verify: Some(VerifyEvidence { command: "./check.sh".to_owned(), exit_code, duration_ms: 7 }),
        clean: true,
        changed: Some(true),
        differs_from_base: true,
        ..Evidence::default()
    }
}

pub(crate) fn claim() -> Input {
    Input::Claim { factory: "local".to_owned(), ttl: TTL }
}

pub(crate) fn patch(patch: PatchJob) -> Input {
    Input::Patch { factory: "local".to_owned(), patch: Box::new(patch) }
}

pub(crate) fn start(lease_epoch: u64) -> Input {
    patch(PatchJob { lease_epoch, stage: Some(Stage::Building), ..PatchJob::default() })
}

pub(crate) fn end(lease_epoch: u64, result: JobResult, evidence: Option<Evidence>) -> Input {
    patch(PatchJob { lease_epoch, result: Some(result), evidence, ..PatchJob::default() })
}

pub(crate) fn release(lease_epoch: u64, result: JobResult) -> Input {
    let request = ReleaseRequest { lease_epoch, result, message: None, checkpoint: None, session_id: None };
    Input::Release { request: Box::new(request) }
}

pub(crate) fn act(action: Action) -> Input {
    Input::Act { action, actor: OPERATOR.to_owned(), reason: None, commit: None }
}

pub(crate) fn act_because(action: Action, reason: &str) -> Input {
    Input::Act { action, actor: OPERATOR.to_owned(), reason: Some(reason.to_owned()), commit: None }
}

/// One job and everything that happened to it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) job: Job,
    /// Newest last.
    pub(crate) runs: Vec<Run>,
    pub(crate) events: Vec<Draft>,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new(manifest: Manifest) -> Self {
        let Step { job, events, .. } = admit(new_job(1, manifest), Vec::new(), at(0), OPERATOR);
        Self { job, runs: Vec::new(), events, now: at(0) }
    }

    /// A job that an agent works on, in its first run.
    pub(crate) fn building(manifest: Manifest) -> Self {
        let mut world = Self::new(manifest);
        world.run_again();
        world
    }

    /// Claims and starts; time jumps over a backoff.
    pub(crate) fn run_again(&mut self) {
        self.now = self.job.retry_not_before.map_or(self.now, |at| at.max(self.now));
        self.must(&claim());
        self.must(&start(self.job.lease_epoch));
    }

    /// What the input would do.
    pub(crate) fn peek(&self, input: &Input) -> Result<Step, Refusal> {
        step(&self.job, self.runs.last(), input, self.now)
    }

    /// Does it, or changes nothing.
    pub(crate) fn offer(&mut self, input: &Input) -> Result<Step, Refusal> {
        let step = self.peek(input)?;
        self.job = step.job.clone();
        self.events.extend(step.events.iter().cloned());
        if let Some(run) = &step.run {
            self.runs.retain(|known| known.number != run.number);
            self.runs.push(run.clone());
        }
        Ok(step)
    }

    pub(crate) fn must(&mut self, input: &Input) -> Step {
        self.offer(input).unwrap_or_else(|refusal| panic!("{input:?} was refused: {refusal}"))
    }

    /// The current run ends like this.
    pub(crate) fn ends(&mut self, result: JobResult, evidence: Option<Evidence>) -> Step {
        self.must(&end(self.job.lease_epoch, result, evidence))
    }

    pub(crate) fn last_event(&self) -> EventType {
        self.events.last().expect("a history begins with `submitted`").event_type
    }

    pub(crate) fn run(&self) -> &Run {
        self.runs.last().expect("the job was claimed")
    }
}
