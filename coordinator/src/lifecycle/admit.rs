//! A job's first moment. Nothing is judged here: what may be submitted at all is decided before.

use fleet_protocol::{
    EventType, Job, JobId, JobResult, Manifest, Stage,
    job::{Blocker, ProfileRef, Trigger, Usage},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Draft, Step,
    change::{Change, pending_stage},
};

/// What a job is made of. Everything else follows from its manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub id: JobId,
    pub title: String,
    pub product: String,
    /// Its name in the queue folder, already unique in its product.
    pub file: String,
    /// Completed by profile and defaults.
    pub manifest: Manifest,
    pub profile: Option<ProfileRef>,
    pub parent_id: Option<JobId>,
    /// Where the work happens: a path or git address.
    pub repo: Option<String>,
    pub trigger: Trigger,
}

/// Lets a new job in: `queued`, or `blocked` while `blocked_by` is not empty; held when its manifest asks for it.
pub fn admit(new: NewJob, blocked_by: Vec<Blocker>, now: Timestamp, actor: &str) -> Step {
    let mut job = blank(new, now);
    job.blocked_by = blocked_by;
    job.held = job.manifest.hold.unwrap_or(false);
    job.stage = pending_stage(&job);
    let (blocked, held) = (job.stage == Stage::Blocked, job.held);
    let blocked_by = json!({ "blockedBy": job.blocked_by });
    let mut change = Change::begin(&job, actor, now);
    if blocked {
        change.note(EventType::Blocked, blocked_by);
    }
    if held {
        change.note(EventType::Held, json!({ "reason": "submitted on hold" }));
    }
    announce(change.done(), actor)
}

/// Keeps a job whose task file is malformed: failed with `invalid_manifest`, `message` saying what is wrong. It never
/// runs; the corrected file is a new job.
pub fn admit_invalid(new: NewJob, message: String, now: Timestamp, actor: &str) -> Step {
    let mut job = blank(new, now);
    job.stage = Stage::Failed;
    job.result = Some(JobResult::InvalidManifest);
    let data = json!({ "result": JobResult::InvalidManifest, "message": message });
    job.message = Some(message);
    let mut change = Change::begin(&job, actor, now);
    change.note(EventType::Failed, data);
    announce(change.done(), actor)
}

/// Puts `submitted` in front: the one event that tells the first stage.
fn announce(mut step: Step, actor: &str) -> Step {
    let submitted = Draft {
        event_type: EventType::Submitted,
        actor: actor.to_owned(),
        stage_from: None,
        stage_to: Some(step.job.stage),
        lease_epoch: step.job.lease_epoch,
        data: json!({ "trigger": step.job.trigger }),
    };
    step.events.insert(0, submitted);
    step
}

fn blank(new: NewJob, now: Timestamp) -> Job {
    let manifest = new.manifest;
    Job {
        id: new.id,
        title: new.title,
        product: new.product,
        file: new.file,
        stage: Stage::Queued,
        result: None,
        message: None,
        priority: manifest.priority.unwrap_or_default(),
        engine: manifest.engine.clone(),
        profile: new.profile,
        kind: manifest.kind.unwrap_or_default(),
        parent_id: new.parent_id,
        deps: manifest.deps.clone(),
        deps_mode: manifest.deps_mode.unwrap_or_default(),
        blocked_by: Vec::new(),
        rev: 0,
        lease_epoch: 0,
        lease: None,
        attempts: 0,
        runs: 0,
        factory: None,
        repo: new.repo,
        branch: None,
        base: manifest.base.clone(),
        base_commit: None,
        head_commit: None,
        checkpoint: None,
        idempotency_key: manifest.idempotency_key.clone(),
        tags: manifest.tags.clone(),
        trigger: new.trigger,
        held: false,
        paused: false,
        resumed: false,
        stalled_since: None,
        insights: None,
        retry_not_before: None,
        repeated: None,
        actions: Vec::new(),
        usage: Usage::UNKNOWN,
        diff: None,
        pr: None,
        progress: None,
        scope_warning: Vec::new(),
        feedback: Vec::new(),
        created_at: now,
        updated_at: now,
        extra: manifest.extra.clone(),
        manifest,
    }
}
