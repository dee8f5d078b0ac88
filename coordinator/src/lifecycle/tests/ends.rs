//! How a run ends: what it proves, what it costs, and whether it is tried again.

use fleet_protocol::{
    ErrorCode, EventType, JobResult, Manifest, Span, Stage,
    api::{PatchJob, ReleaseRequest},
    job::{Checkpoint, Progress},
    manifest::{Backoff, Retry, RetryOn, ReviewPolicy, Scope, ScopeMode},
    run::{ErrorClass, Evidence},
};

use super::{
    super::{Input, Step},
    fixture::{World, act, end, evidence, patch, release, verified},
};

fn outcome(world: &World) -> (Stage, Option<JobResult>, EventType) {
    (world.job.stage, world.job.result, world.last_event())
}

fn after(manifest: Manifest, result: JobResult, evidence: Option<Evidence>) -> World {
    let mut world = World::building(manifest);
    world.ends(result, evidence);
    world
}

fn retrying(max: u32, on: &[RetryOn]) -> Manifest {
    let retry = Retry { max: Some(max), backoff: Backoff::Fixed(Span::from_secs(5)), on: on.to_vec(), resume: true };
    Manifest { retry: Some(retry), ..verified() }
}

#[test]
fn a_verified_change_is_proven_when_nobody_is_asked() {
    let world = after(verified(), JobResult::Ok, Some(evidence(Some(0))));
    assert_eq!(outcome(&world), (Stage::Testing, Some(JobResult::Ok), EventType::VerifyPassed));
    assert_eq!((world.job.attempts, world.run().result), (1, Some(JobResult::Ok)));
}

#[test]
fn a_person_is_asked_when_the_policy_says_so() {
    for policy in [ReviewPolicy::Manual, ReviewPolicy::Quorum { approvals: 2, reviewers: Vec::new() }] {
        let manifest = Manifest { review_policy: Some(policy), ..verified() };
        let world = after(manifest, JobResult::Ok, Some(evidence(Some(0))));
        assert_eq!(outcome(&world), (Stage::Review, Some(JobResult::Ok), EventType::ReviewRequested));
        let passed = world.events.iter().filter(|event| event.event_type == EventType::VerifyPassed).count();
        assert_eq!(passed, 1);
    }
}

#[test]
fn without_proof_nothing_reaches_testing() {
    let unverified = Evidence { verify: None, ..evidence(Some(0)) };
    let dirty = Evidence { clean: false, ..evidence(Some(0)) };
    for lacking in [None, Some(unverified), Some(dirty)] {
        let world = after(verified(), JobResult::Ok, lacking);
        assert_eq!(outcome(&world), (Stage::Review, Some(JobResult::Ok), EventType::ReviewRequested));
    }
}

#[test]
fn a_failed_check_overrules_the_agent() {
    for exit_code in [Some(1), None] {
        let world = after(verified(), JobResult::Ok, Some(evidence(exit_code)));
        assert_eq!(outcome(&world), (Stage::Failed, Some(JobResult::VerifyFailed), EventType::VerifyFailed));
        assert_eq!(world.run().result, Some(JobResult::VerifyFailed));
        assert!(world.job.message.as_ref().is_some_and(|message| message.contains("./check.sh")));
    }
}

#[test]
fn a_run_that_changed_nothing_is_proven_only_when_the_agent_said_so() {
    let unchanged =
        Evidence { commits: Vec::new(), changed: Some(false), differs_from_base: false, ..evidence(Some(0)) };
    let claimed = Evidence { no_changes_claimed: true, ..unchanged.clone() };
    let world = after(verified(), JobResult::Ok, Some(unchanged));
    assert_eq!(outcome(&world), (Stage::Review, Some(JobResult::NoChanges), EventType::ReviewRequested));
    let world = after(verified(), JobResult::NoChanges, Some(claimed.clone()));
    assert_eq!(outcome(&world), (Stage::Testing, Some(JobResult::NoChanges), EventType::VerifyPassed));
    let world = after(verified(), JobResult::NoChanges, Some(Evidence { verify: None, ..claimed }));
    assert_eq!(outcome(&world), (Stage::Review, Some(JobResult::NoChanges), EventType::ReviewRequested));
}

#[test]
fn committing_what_an_earlier_run_left_counts_as_a_change() {
    let resumed = Evidence { changed: Some(false), ..evidence(Some(0)) };
    assert_eq!(after(verified(), JobResult::Ok, Some(resumed.clone())).job.stage, Stage::Testing);
    let idle = Evidence { commits: Vec::new(), ..resumed.clone() };
    assert_eq!(after(verified(), JobResult::Ok, Some(idle)).job.stage, Stage::Review);
    let undone = Evidence { differs_from_base: false, ..resumed };
    assert_eq!(after(verified(), JobResult::Ok, Some(undone)).job.stage, Stage::Review);
}

#[test]
fn a_change_outside_the_scope_warns_or_fails() {
    let outside = Evidence { outside_scope: vec!["src/auth.rs".to_owned()], ..evidence(Some(0)) };
    let scoped =
        |mode| Manifest { allowed_scope: Some(Scope { paths: vec!["docs/**".to_owned()], mode }), ..verified() };
    let world = after(scoped(ScopeMode::Warn), JobResult::Ok, Some(outside.clone()));
    assert_eq!((world.job.stage, world.job.scope_warning.len()), (Stage::Testing, 1));
    let world = after(scoped(ScopeMode::Enforce), JobResult::Ok, Some(outside));
    assert_eq!(outcome(&world), (Stage::Failed, Some(JobResult::ScopeViolation), EventType::Failed));
}

#[test]
fn a_stage_that_the_evidence_does_not_support_is_refused() {
    let world = World::building(verified());
    let said = |stage, evidence| PatchJob {
        lease_epoch: 1,
        stage: Some(stage),
        result: Some(JobResult::Ok),
        evidence,
        ..PatchJob::default()
    };
    for (stage, evidence) in [
        (Stage::Testing, None),
        (Stage::Testing, Some(evidence(Some(1)))),
        (Stage::Review, Some(evidence(Some(0)))),
        (Stage::Shipped, Some(evidence(Some(0)))),
    ] {
        let refusal = world.peek(&patch(said(stage, evidence))).expect_err("the evidence says something else");
        assert_eq!((refusal.code, &refusal.details["stage"]), (ErrorCode::InvalidTransition, &"building".into()));
    }
    assert!(world.peek(&patch(said(Stage::Testing, Some(evidence(Some(0)))))).is_ok());
}

#[test]
fn only_a_started_run_ends_well_and_only_with_a_holder_s_result() {
    let mut world = World::new(verified());
    world.must(&super::fixture::claim());
    assert!(world.peek(&end(1, JobResult::Ok, Some(evidence(Some(0))))).is_err());
    let people_s = [
        JobResult::Rejected,
        JobResult::Cancelled,
        JobResult::Fenced,
        JobResult::RepeatedFailure,
        JobResult::RetriesExhausted,
    ];
    for result in people_s {
        assert!(world.peek(&end(1, result, None)).is_err(), "{result}");
        assert!(world.peek(&release(1, result)).is_err(), "{result}");
    }
    world.ends(JobResult::NoEngine, None);
    assert_eq!(outcome(&world), (Stage::Failed, Some(JobResult::NoEngine), EventType::Failed));
}

#[test]
fn each_cause_of_failure_keeps_its_name() {
    for result in [JobResult::Crash, JobResult::Timeout, JobResult::BudgetExceeded, JobResult::AuthError] {
        let world = after(verified(), result, None);
        assert_eq!(outcome(&world), (Stage::Failed, Some(result), EventType::Failed));
    }
}

#[test]
fn two_retries_make_three_runs_and_then_a_dead_letter() {
    let mut world = World::building(retrying(2, &[RetryOn::Crash]));
    for attempts in 1..=2 {
        world.ends(JobResult::Crash, None);
        assert_eq!(outcome(&world), (Stage::Queued, Some(JobResult::Crash), EventType::RetryScheduled));
        assert_eq!(world.job.retry_not_before, Some(world.now + Span::from_secs(5).duration()));
        assert_eq!(world.job.attempts, attempts);
        world.run_again();
    }
    world.ends(JobResult::Crash, None);
    assert_eq!(outcome(&world), (Stage::DeadLetter, Some(JobResult::RetriesExhausted), EventType::DeadLetter));
    assert_eq!((world.job.runs, world.run().result), (3, Some(JobResult::Crash)));
    world.must(&act(fleet_protocol::Action::Redrive));
    assert_eq!((world.job.stage, world.job.attempts, world.job.runs), (Stage::Queued, 0, 3));
}

#[test]
fn exponential_waits_follow_the_number_of_the_retry() {
    let retry = Some(Retry { on: vec![RetryOn::Crash], ..Retry::default() });
    let mut world = World::building(Manifest { retry, ..verified() });
    for (message, wait) in [("a", 30), ("b", 60), ("c", 120)] {
        let message = Some(message.to_owned());
        let lease_epoch = world.job.lease_epoch;
        world.must(&patch(PatchJob { lease_epoch, result: Some(JobResult::Crash), message, ..PatchJob::default() }));
        assert_eq!(world.job.retry_not_before, Some(world.now + Span::from_secs(wait).duration()));
        world.run_again();
    }
}

#[test]
fn only_named_and_curable_failures_are_tried_again() {
    let fails = |on: &[RetryOn], result, error_class| {
        let mut world = World::building(retrying(3, on));
        let report = PatchJob { lease_epoch: 1, result: Some(result), error_class, ..PatchJob::default() };
        world.must(&patch(report));
        world.job.stage
    };
    let every = RetryOn::ALL;
    assert_eq!(fails(&[RetryOn::Timeout], JobResult::Crash, None), Stage::Failed);
    assert_eq!(fails(&[RetryOn::Timeout], JobResult::Timeout, None), Stage::Queued);
    assert_eq!(fails(&[RetryOn::Transient], JobResult::AgentFailed, None), Stage::Failed);
    assert_eq!(fails(&[RetryOn::Transient], JobResult::AgentFailed, Some(ErrorClass::Transient)), Stage::Queued);
    for class in [ErrorClass::Auth, ErrorClass::Permanent] {
        assert_eq!(fails(every, JobResult::AgentFailed, Some(class)), Stage::Failed);
    }
    for result in [JobResult::CapabilityMismatch, JobResult::NoEngine, JobResult::AuthError, JobResult::ScopeViolation]
    {
        assert_eq!(fails(every, result, Some(ErrorClass::Transient)), Stage::Failed, "{result}");
    }
}

#[test]
fn three_equal_failures_in_a_row_park_the_job() {
    let mut world = World::building(retrying(10, RetryOn::ALL));
    let fail = |world: &mut World, text: &str| -> Step {
        let (lease_epoch, message) = (world.job.lease_epoch, Some(text.to_owned()));
        world.must(&patch(PatchJob { lease_epoch, result: Some(JobResult::Crash), message, ..PatchJob::default() }))
    };
    for text in ["a", "a", "b", "a", "a"] {
        fail(&mut world, text);
        assert_eq!(world.job.stage, Stage::Queued);
        world.run_again();
        let epoch = world.job.lease_epoch;
        world.must(&release(epoch, JobResult::Preempted));
        world.run_again();
    }
    fail(&mut world, "a");
    assert_eq!(outcome(&world), (Stage::Failed, Some(JobResult::RepeatedFailure), EventType::Failed));
    world.must(&act(fleet_protocol::Action::Requeue));
    assert_eq!((world.job.attempts, &world.job.repeated), (6, &None));
}

#[test]
fn a_failed_check_that_is_tried_again_is_told_as_well() {
    let mut world = World::building(retrying(1, &[RetryOn::VerifyFailed]));
    let step = world.ends(JobResult::Ok, Some(evidence(Some(1))));
    let types: Vec<_> = step.events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::VerifyFailed, EventType::RetryScheduled]);
}

#[test]
fn a_job_that_is_handed_back_waits_its_turn_without_charge() {
    for result in [JobResult::Preempted, JobResult::LeaseExpired] {
        for input in [release(1, result), end(1, result, None)] {
            let mut world = World::building(verified());
            world.must(&input);
            let job = &world.job;
            assert_eq!((job.stage, job.result, job.attempts), (Stage::Queued, Some(result), 0));
            assert_eq!((job.retry_not_before, world.run().result), (None, Some(result)));
        }
    }
}

#[test]
fn a_release_with_a_failure_ends_like_a_report_of_it() {
    let mut world = World::building(retrying(1, &[RetryOn::Crash]));
    world.must(&release(1, JobResult::Crash));
    assert_eq!((world.job.stage, world.job.attempts), (Stage::Queued, 1));
    assert!(world.job.retry_not_before.is_some());
}

#[test]
fn a_failure_may_be_called_failed_though_it_is_tried_again() {
    let world = World::building(retrying(1, &[RetryOn::Crash]));
    let said = |stage| {
        let result = Some(JobResult::Crash);
        patch(PatchJob { lease_epoch: 1, stage: Some(stage), result, ..PatchJob::default() })
    };
    assert_eq!(world.peek(&said(Stage::Failed)).map(|step| step.job.stage), Ok(Stage::Queued));
    assert!(world.peek(&said(Stage::DeadLetter)).is_err());
}

#[test]
fn a_good_run_ends_a_row_of_failures_and_the_progress() {
    let mut world = World::building(retrying(3, &[RetryOn::Crash]));
    world.ends(JobResult::Crash, None);
    assert_eq!(world.job.repeated.as_ref().map(|repeated| repeated.times), Some(1));
    world.run_again();
    assert_eq!(world.job.result, None, "a new run has not ended yet");
    let (lease_epoch, progress) = (world.job.lease_epoch, Some(Progress { step: Some(1), ..Progress::default() }));
    world.must(&patch(PatchJob { lease_epoch, progress, ..PatchJob::default() }));
    world.ends(JobResult::Ok, Some(evidence(Some(0))));
    assert_eq!((&world.job.repeated, &world.job.progress), (&None, &None));
}

#[test]
fn what_a_release_brings_is_kept_for_the_next_run() {
    let mut world = World::building(verified());
    let checkpoint = Some(Checkpoint { commit: "c0ffee".to_owned(), branch: "refs/fleet/wip/x".to_owned() });
    let session_id = Some("session".to_owned());
    let (result, message) = (JobResult::Preempted, Some("drained".to_owned()));
    let request = ReleaseRequest {
        lease_epoch: 1,
        result,
        message,
        checkpoint: checkpoint.clone(),
        session_id: session_id.clone(),
    };
    let step = world.must(&Input::Release { request: Box::new(request) });
    let types: Vec<_> = step.events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::Checkpoint, EventType::Preempted]);
    assert_eq!((&world.job.checkpoint, &world.run().checkpoint), (&checkpoint, &checkpoint));
    assert_eq!((&world.run().session_id, world.run().message.as_deref()), (&session_id, Some("drained")));
}
