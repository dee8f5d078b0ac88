//! What a holder says while it works: start, progress, checkpoint, figures. Its last word goes on to `finish`.

use fleet_protocol::{EventType, Job, Run, Stage, api::PatchJob};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Refusal, Step,
    change::{Change, factory_actor},
    finish::{self, Report},
    lease,
    refusal::not_possible,
};

pub(super) fn report(
    job: &Job,
    run: Option<&Run>,
    (factory, patch): (&str, &PatchJob),
    now: Timestamp,
) -> Result<Step, Refusal> {
    let run = lease::held_run(job, run, patch.lease_epoch)?;
    lease::check_holder(job, factory)?;
    let mut change = Change::begin(job, factory_actor(factory), now);
    let mut run = run.clone();
    note_on_run(&mut run, patch);
    note_on_job(&mut change, patch);
    if let Some(result) = patch.result {
        return finish::finish(job, change, run, Report { result, message: patch.message.clone(), stage: patch.stage });
    }
    match patch.stage {
        None => {}
        // A start may be told twice: by the worker that started the agent and by the one that adopted it.
        Some(Stage::Building) => start(&mut change, &mut run),
        Some(stage) => {
            let why = "a holder reports `building` at the start, and `result` with `evidence` at the end";
            return Err(not_possible(job, format_args!("a report of `{stage}`"), Some(why)));
        }
    }
    change.set_run(run);
    Ok(change.done())
}

fn start(change: &mut Change, run: &mut Run) {
    if change.job.stage == Stage::Assigned {
        run.started_at = Some(change.now());
        change.go(Stage::Building, EventType::Started, json!({ "run": run.number, "engine": run.engine }));
    }
}

fn note_on_run(run: &mut Run, patch: &PatchJob) {
    keep(&mut run.session_id, &patch.session_id);
    keep(&mut run.error_class, &patch.error_class);
    keep(&mut run.confinement, &patch.confinement);
    keep(&mut run.engine, &patch.engine);
    keep(&mut run.message, &patch.message);
    keep(&mut run.exit_code, &patch.exit_code);
    keep(&mut run.diff, &patch.diff);
    keep(&mut run.evidence, &patch.evidence);
    keep(&mut run.insights, &patch.insights);
    keep(&mut run.checkpoint, &patch.checkpoint);
    run.usage = patch.usage.unwrap_or(run.usage);
}

fn note_on_job(change: &mut Change, patch: &PatchJob) {
    let job = &mut change.job;
    keep(&mut job.engine, &patch.engine);
    keep(&mut job.branch, &patch.branch);
    keep(&mut job.base, &patch.base);
    keep(&mut job.base_commit, &patch.base_commit);
    keep(&mut job.head_commit, &patch.head_commit);
    keep(&mut job.diff, &patch.diff);
    if let Some(evidence) = &patch.evidence {
        job.scope_warning.clone_from(&evidence.outside_scope);
    }
    if let Some(reason) = &patch.checkpoint_unusable {
        let unusable = job.checkpoint.take();
        change.note(EventType::CheckpointUnusable, json!({ "reason": reason, "checkpoint": unusable }));
    }
    if patch.checkpoint.is_some() && patch.checkpoint != change.job.checkpoint {
        change.job.checkpoint.clone_from(&patch.checkpoint);
        change.note(EventType::Checkpoint, json!(patch.checkpoint));
    }
    if patch.progress.is_some() && patch.progress != change.job.progress {
        change.job.progress.clone_from(&patch.progress);
        change.note(EventType::Progress, json!(patch.progress));
    }
}

/// A report adds to what is known; what it leaves out stays.
fn keep<T: Clone>(known: &mut Option<T>, told: &Option<T>) {
    if told.is_some() {
        known.clone_from(told);
    }
}
