//! Every stage against every cause, in many circumstances: `step` does what the table says, all of it and nothing else.

use std::collections::BTreeSet;

use fleet_protocol::{
    Action, ErrorCode, EventType, Job, JobResult, Manifest, Run, Stage,
    api::PatchJob,
    job::Repeated,
    lease::LeaseStatus,
    manifest::{Retry, ReviewPolicy, Scope, ScopeMode},
    run::{ErrorClass, Evidence},
};

use super::{
    super::{Cause, Input, TABLE, actions, step},
    fixture::{TTL, World, act, at, blocker, claim, end, evidence, patch, release, start, verified},
};

/// Late enough that the lease of every sample has expired.
const NOW: i64 = 500;

#[test]
fn step_and_table_agree() {
    for stage in Stage::ALL {
        for cause in causes() {
            let seen = outcomes(*stage, cause);
            let row = TABLE.iter().find(|edge| edge.from == *stage && edge.cause == cause);
            let listed: BTreeSet<_> = row.map(|edge| edge.outcomes.iter().copied().collect()).unwrap_or_default();
            assert_eq!(seen, listed, "{stage}, {cause:?}: left is what `step` does, right is what the table says");
        }
    }
}

#[test]
fn the_table_has_one_row_for_each_edge() {
    let edges: BTreeSet<_> = TABLE.iter().map(|edge| (edge.from, edge.cause)).collect();
    assert_eq!(edges.len(), TABLE.len());
}

/// All that `step` does to jobs of one stage by one cause; refusals are checked on the way.
fn outcomes(stage: Stage, cause: Cause) -> BTreeSet<(Stage, Option<EventType>)> {
    let mut seen = BTreeSet::new();
    for (job, run) in samples(stage) {
        for input in inputs(cause, &job) {
            match step(&job, Some(&run), &input, at(NOW)) {
                Ok(step) => {
                    let last = step.events.last().map(|event| event.event_type);
                    seen.insert((step.job.stage, last));
                }
                Err(refusal) => {
                    assert_eq!(refusal.code, ErrorCode::InvalidTransition, "{stage}, {input:?}: {refusal}");
                    assert_eq!(refusal.details["stage"], stage.as_str());
                    assert_eq!(refusal.details["actions"], serde_json::json!(actions(&job)));
                }
            }
        }
    }
    seen
}

fn causes() -> Vec<Cause> {
    let acts = Action::ALL.iter().map(|action| Cause::Act(*action));
    [
        Cause::Claim,
        Cause::Start,
        Cause::Report,
        Cause::Succeed,
        Cause::Fail,
        Cause::HandBack,
        Cause::Renew,
        Cause::Expire,
        Cause::NeverStarted,
        Cause::Dependencies,
    ]
    .into_iter()
    .chain(acts)
    .collect()
}

/// Inputs of one cause with the right epoch, so that only stage and circumstances decide.
fn inputs(cause: Cause, job: &Job) -> Vec<Input> {
    let epoch = job.lease_epoch;
    let ends = |results: Vec<JobResult>| results.into_iter().map(move |result| end(epoch, result, None));
    match cause {
        Cause::Claim => vec![claim()],
        Cause::Start => vec![start(epoch)],
        Cause::Report => vec![patch(PatchJob { lease_epoch: epoch, ..PatchJob::default() })],
        Cause::Succeed => evidences()
            .into_iter()
            .flat_map(|evidence| {
                [JobResult::Ok, JobResult::NoChanges].map(|result| end(epoch, result, evidence.clone()))
            })
            .chain([release(epoch, JobResult::Ok)])
            .collect(),
        Cause::Fail => {
            let failures =
                JobResult::ALL.iter().copied().filter(|result| !result.is_success() && !result.is_handback());
            let transient = PatchJob {
                lease_epoch: epoch,
                result: Some(JobResult::AgentFailed),
                error_class: Some(ErrorClass::Transient),
                ..PatchJob::default()
            };
            ends(failures.collect()).chain([patch(transient), release(epoch, JobResult::Crash)]).collect()
        }
        Cause::HandBack => [JobResult::Preempted, JobResult::LeaseExpired]
            .into_iter()
            .flat_map(|result| [end(epoch, result, None), release(epoch, result)])
            .collect(),
        Cause::Renew => vec![Input::Renew { lease_epoch: epoch, ttl: TTL }],
        Cause::Expire => {
            let seen = job.lease.as_ref().map_or(at(0), |lease| lease.expires_at);
            [seen, at(1)].map(|expires_at| Input::Expire { lease_epoch: epoch, expires_at }).to_vec()
        }
        Cause::NeverStarted => vec![Input::NeverStarted { lease_epoch: epoch }],
        Cause::Dependencies => [vec![], vec![blocker("a")], vec![blocker("b"), blocker("c")]]
            .map(|blocked_by| Input::Dependencies { blocked_by })
            .to_vec(),
        Cause::Act(action) => vec![act(action)],
    }
}

fn evidences() -> Vec<Option<Evidence>> {
    let outside_scope = vec!["elsewhere".to_owned()];
    vec![
        None,
        Some(evidence(Some(0))),
        Some(evidence(Some(1))),
        Some(Evidence { outside_scope, ..evidence(Some(0)) }),
        Some(Evidence { changed: Some(false), commits: Vec::new(), ..evidence(Some(0)) }),
    ]
}

/// Jobs of one stage in many circumstances, each with its newest run.
fn samples(stage: Stage) -> Vec<(Job, Run)> {
    let mut samples = Vec::new();
    for manifest in manifests() {
        for (held, paused, blocked) in flags(stage) {
            for alike in [0, 2] {
                let mut world = World::building(manifest.clone());
                let job = &mut world.job;
                job.stage = stage;
                job.held = held;
                job.paused = paused;
                job.blocked_by = if blocked { vec![blocker("a")] } else { Vec::new() };
                // A crash without a message is the third in a row then.
                job.repeated =
                    (alike > 0).then_some(Repeated { result: JobResult::Crash, message: None, times: alike });
                if let Some(lease) = job.lease.as_mut().filter(|_| !stage.is_held()) {
                    lease.status = LeaseStatus::Released;
                }
                let run = world.run().clone();
                samples.push((world.job, run));
            }
        }
    }
    samples
}

fn manifests() -> Vec<Manifest> {
    let scope = Scope { paths: vec!["src/**".to_owned()], mode: ScopeMode::Enforce };
    vec![
        Manifest { allowed_scope: Some(scope), ..verified() },
        Manifest { review_policy: Some(ReviewPolicy::Manual), ..verified() },
        Manifest { retry: Some(Retry { max: Some(5), ..Retry::default() }), ..verified() },
        Manifest { retry: Some(Retry { max: Some(0), ..Retry::default() }), ..verified() },
    ]
}

/// The combinations of held, paused and blocked that a stage can be in.
fn flags(stage: Stage) -> Vec<(bool, bool, bool)> {
    match stage {
        Stage::Queued => vec![(false, false, false), (true, false, false)],
        Stage::Blocked => vec![(false, false, true), (true, false, true)],
        Stage::Building => vec![(false, false, false), (false, true, false), (false, false, true)],
        _ => vec![(false, false, false), (false, false, true)],
    }
}
