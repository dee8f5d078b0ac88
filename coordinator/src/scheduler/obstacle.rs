//! Everything that can stand between a job and a factory, each as one predicate.

use fleet_protocol::{
    Job, Stage,
    api::{ClaimRequest, EmptyReason, Reason},
    capability::unmet,
    job::{BlockReason, Blocker},
};
use jiff::Timestamp;

/// One reason why a factory does not get a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It is not waiting for its turn.
    Stage(Stage),
    /// Dependencies are unmet.
    Dependencies(Vec<Blocker>),
    /// An operator keeps it back.
    Held,
    /// Its retry time lies ahead.
    Backoff(Timestamp),
    /// Every seat of the factory is taken.
    NoSeat,
    /// The factory lacks these.
    Capability(Vec<String>),
    /// The factory cannot start the engine that the job names.
    Engine(String),
    /// The factory asks only for jobs with one of these tags.
    Tags(Vec<String>),
    /// Another job with the same lock key runs.
    Lock(String),
    /// The factory asks for one job, and this is another.
    NotAskedFor,
}

/// What stands between `job` and the factory that sent `request`, the most telling first. Empty exactly when the
/// factory may have it. The request's `busyLocks` must name every lock key that is taken, here or elsewhere.
pub fn obstacles(job: &Job, request: &ClaimRequest, now: Timestamp) -> Vec<Obstacle> {
    let mut found = of_job(job, now);
    found.extend(of_factory(job, request));
    found
}

/// What keeps the job from every factory.
pub(super) fn of_job(job: &Job, now: Timestamp) -> Vec<Obstacle> {
    if !job.stage.is_pending() {
        return vec![Obstacle::Stage(job.stage)];
    }
    let blocked = (job.stage == Stage::Blocked).then(|| Obstacle::Dependencies(job.blocked_by.clone()));
    let held = job.held.then_some(Obstacle::Held);
    let backoff = job.retry_not_before.filter(|at| now < *at).map(Obstacle::Backoff);
    [blocked, held, backoff].into_iter().flatten().collect()
}

/// What keeps the job from this factory.
pub(super) fn of_factory(job: &Job, request: &ClaimRequest) -> Vec<Obstacle> {
    let seat = (request.seats_free == 0).then_some(Obstacle::NoSeat);
    let lacking = if request.sole { Vec::new() } else { unmet(&job.manifest.capabilities, &request.capabilities) };
    let capability = (!lacking.is_empty()).then_some(Obstacle::Capability(lacking));
    // A job that names no engine leaves the choice to the factory.
    let startable = |name: &String| request.sole || request.engines.contains(name);
    let engine = job.manifest.engine.clone().filter(|name| !startable(name)).map(Obstacle::Engine);
    let other = request.only.as_ref().is_some_and(|only| *only != job.id).then_some(Obstacle::NotAskedFor);
    let wanted = request.tags.is_empty() || job.tags.iter().any(|tag| request.tags.contains(tag));
    let tags = (!wanted).then(|| Obstacle::Tags(request.tags.clone()));
    let lock = job.manifest.lock.clone().filter(|key| request.busy_locks.contains(key)).map(Obstacle::Lock);
    [other, capability, engine, tags, lock, seat].into_iter().flatten().collect()
}

impl Obstacle {
    /// Its stable name; the reason of an empty claim where there is one.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stage(_) => "stage",
            Self::Engine(_) => "engine",
            Self::Tags(_) => "tags",
            Self::NotAskedFor => "not_asked_for",
            Self::Dependencies(_)
            | Self::Held
            | Self::Backoff(_)
            | Self::NoSeat
            | Self::Capability(_)
            | Self::Lock(_) => self.empty_reason().as_str(),
        }
    }

    /// How an empty claim names it.
    pub const fn empty_reason(&self) -> EmptyReason {
        match self {
            Self::Stage(_) | Self::Tags(_) | Self::NotAskedFor => EmptyReason::NoneQueued,
            Self::Dependencies(_) => EmptyReason::Blocked,
            Self::Held => EmptyReason::Held,
            Self::Backoff(_) => EmptyReason::Backoff,
            Self::NoSeat => EmptyReason::NoSeat,
            Self::Capability(_) | Self::Engine(_) => EmptyReason::Capability,
            Self::Lock(_) => EmptyReason::Locked,
        }
    }

    /// It as people read it: what is in the way.
    pub fn reason(&self) -> Reason {
        let message = match self {
            Self::Stage(stage) => standing(*stage).to_owned(),
            Self::Dependencies(blocked_by) => {
                let deps: Vec<String> = blocked_by.iter().map(dependency).collect();
                format!("it depends on {}", deps.join(", "))
            }
            Self::Held => "it is on hold".to_owned(),
            Self::Backoff(at) => format!("its next try is not before {at}"),
            Self::NoSeat => "no seat is free".to_owned(),
            Self::Capability(lacking) => format!("the factory lacks {}", quoted(lacking)),
            Self::Engine(name) => format!("the factory cannot start engine `{name}`"),
            Self::Tags(tags) => format!("the factory takes only jobs tagged {}", quoted(tags)),
            Self::Lock(key) => format!("another job with lock `{key}` runs"),
            Self::NotAskedFor => "the factory asks for another job".to_owned(),
        };
        Reason { code: self.code().to_owned(), message }
    }

    /// What would remove it.
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Stage(stage) => way_on(*stage).to_owned(),
            Self::Dependencies(blocked_by) => {
                let deps: Vec<String> = blocked_by.iter().map(|blocker| blocker.dep.clone()).collect();
                format!("{} done: shipped, or from testing on with `deps-mode: soft`", quoted(&deps))
            }
            Self::Held => "`release`".to_owned(),
            Self::Backoff(at) => format!("the moment {at}"),
            Self::NoSeat => "the end of a run, which frees a seat".to_owned(),
            Self::Capability(lacking) => format!("a factory with {}", quoted(lacking)),
            Self::Engine(name) => format!("a factory with engine `{name}`"),
            Self::Tags(tags) => format!("a factory that takes other tags than {}", quoted(tags)),
            Self::Lock(key) => format!("the end of the job that has lock `{key}`"),
            Self::NotAskedFor => "a factory that takes any job".to_owned(),
        }
    }
}

const fn standing(stage: Stage) -> &'static str {
    match stage {
        Stage::Queued | Stage::Blocked => "it waits for its turn",
        Stage::Assigned | Stage::Building => "a factory works on it",
        Stage::Waiting => "its agent asked a question",
        Stage::Review => "a person has to review it",
        Stage::Testing => "it is proven and can be shipped",
        Stage::Shipped => "it is done",
        Stage::Failed => "it has failed",
        Stage::DeadLetter => "its retries are used up",
    }
}

const fn way_on(stage: Stage) -> &'static str {
    match stage {
        Stage::Queued | Stage::Blocked => "its turn",
        Stage::Assigned | Stage::Building => "the end of its run",
        Stage::Waiting => "an answer",
        Stage::Review | Stage::Testing => "`request-changes`, if it is to run again",
        Stage::Shipped => "nothing; a new job",
        Stage::Failed => "`requeue`",
        Stage::DeadLetter => "`redrive`",
    }
}

fn dependency(blocker: &Blocker) -> String {
    let state = match blocker.reason {
        BlockReason::Unknown => "which no job is called yet",
        BlockReason::Pending => "which is not done yet",
        BlockReason::DependencyFailed => "which has failed",
        BlockReason::NoChildren => "which has no children",
    };
    format!("`{}`, {state}", blocker.dep)
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
