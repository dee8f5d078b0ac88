//! What people do to jobs.

use fleet_protocol::{
    Action, ErrorCode, EventType, JobResult, Manifest, Stage, lease::LeaseStatus, manifest::ReviewPolicy,
};

use super::{
    super::{Input, actions},
    fixture::{OPERATOR, World, act, act_because, at, blocker, claim, evidence, patch, start, verified},
};

fn in_review() -> World {
    let mut world = World::building(Manifest { review_policy: Some(ReviewPolicy::Manual), ..verified() });
    world.ends(JobResult::Ok, Some(evidence(Some(0))));
    world
}

fn in_testing() -> World {
    let mut world = World::building(verified());
    world.ends(JobResult::Ok, Some(evidence(Some(0))));
    world
}

#[test]
fn a_job_s_actions_are_those_that_work() {
    for world in [World::new(verified()), World::building(verified()), in_review(), in_testing()] {
        assert_eq!(world.job.actions, actions(&world.job));
        for action in Action::ALL {
            assert_eq!(world.peek(&act(*action)).is_ok(), world.job.actions.contains(action), "{action}");
        }
    }
}

#[test]
fn a_refusal_says_what_is_possible() {
    let refusal = in_review().peek(&act(Action::Ship)).expect_err("it is not proven yet");
    assert_eq!(refusal.code, ErrorCode::InvalidTransition);
    assert_eq!(refusal.details["stage"], "review");
    assert_eq!(refusal.details["actions"][0], "promote");
    assert!(refusal.message.contains("possible now: promote, approve, request-changes, reject, cancel"), "{refusal}");
}

#[test]
fn people_move_a_job_to_the_end_and_nothing_leaves_it() {
    for (first, told) in [(Action::Approve, EventType::Approved), (Action::Promote, EventType::Promoted)] {
        for last in [Action::Ship, Action::Promote] {
            let mut world = in_review();
            world.must(&act(first));
            assert_eq!((world.job.stage, world.last_event()), (Stage::Testing, told));
            let commit = Some("c0ffee".to_owned());
            world.must(&Input::Act { action: last, actor: OPERATOR.to_owned(), reason: None, commit });
            assert_eq!((world.job.stage, world.last_event()), (Stage::Shipped, EventType::Shipped));
            assert_eq!(world.events.last().map(|event| &event.data["commit"]), Some(&"c0ffee".into()));
            assert_eq!(world.job.actions, []);
        }
    }
}

#[test]
fn no_machine_opens_a_gate() {
    for (world, action) in
        [(in_review(), Action::Approve), (in_review(), Action::Promote), (in_testing(), Action::Ship)]
    {
        for actor in ["factory:local", "coordinator", ""] {
            let input = Input::Act { action, actor: actor.to_owned(), reason: None, commit: None };
            assert_eq!(world.peek(&input).map_err(|refusal| refusal.code), Err(ErrorCode::Forbidden), "{action}");
        }
    }
}

#[test]
fn a_request_for_changes_brings_the_words_and_costs_no_attempt() {
    for mut world in [in_review(), in_testing()] {
        assert_eq!(world.job.attempts, 1);
        world.must(&act_because(Action::RequestChanges, "please add a test"));
        let job = &world.job;
        assert_eq!((job.stage, job.result, job.attempts), (Stage::Queued, None, 0));
        assert_eq!((job.feedback[0].actor.as_str(), job.feedback[0].text.as_str()), (OPERATOR, "please add a test"));
        assert_eq!(world.last_event(), EventType::ChangesRequested);
    }
}

#[test]
fn rework_waits_for_unmet_dependencies() {
    let mut world = in_review();
    world.must(&Input::Dependencies { blocked_by: vec![blocker("other")] });
    world.must(&act(Action::RequestChanges));
    assert_eq!(world.job.stage, Stage::Blocked);
}

#[test]
fn a_rejected_job_keeps_the_reason() {
    let mut world = in_testing();
    world.must(&act_because(Action::Reject, "wrong approach"));
    assert_eq!((world.job.stage, world.job.result), (Stage::Failed, Some(JobResult::Rejected)));
    assert_eq!(world.job.message.as_deref(), Some("wrong approach"));
    assert_eq!(world.events.last().map(|event| &event.data["reason"]), Some(&"wrong approach".into()));
}

#[test]
fn acts_on_a_job_at_work_shut_its_holder_out() {
    for (action, stage, run_result) in [
        (Action::Requeue, Stage::Queued, JobResult::Fenced),
        (Action::Stop, Stage::Queued, JobResult::Fenced),
        (Action::Recover, Stage::Queued, JobResult::Crash),
        (Action::Cancel, Stage::Failed, JobResult::Cancelled),
    ] {
        let mut world = World::building(verified());
        world.now = at(7);
        world.must(&act(action));
        assert_eq!((world.job.stage, world.job.lease_epoch), (stage, 2), "{action}");
        assert_eq!((world.run().result, world.run().ended_at), (Some(run_result), Some(at(7))), "{action}");
        assert_eq!(world.job.lease.as_ref().map(|lease| lease.status), Some(LeaseStatus::Fenced));
        assert_eq!(world.peek(&start(1)).map_err(|refusal| refusal.code), Err(ErrorCode::Fenced));
    }
}

#[test]
fn a_recovered_job_is_charged_and_goes_back_whatever_the_policy() {
    let mut world = World::building(verified());
    world.must(&act_because(Action::Recover, "the runner died"));
    assert_eq!((world.job.attempts, world.job.result), (1, Some(JobResult::Crash)));
    assert_eq!(world.events.last().map(|event| &event.data["reason"]), Some(&"the runner died".into()));
    world.run_again();
    world.must(&act(Action::Requeue));
    assert_eq!((world.job.attempts, world.job.result), (1, None));
}

#[test]
fn a_stopped_job_stays_out_of_the_queue_until_released() {
    let mut world = World::building(verified());
    world.must(&act(Action::Stop));
    assert_eq!((world.job.held, world.job.attempts, world.last_event()), (true, 0, EventType::Held));
    assert!(world.peek(&claim()).is_err());
    world.must(&act(Action::Release));
    assert!(world.peek(&claim()).is_ok());
}

#[test]
fn a_cancelled_job_may_be_requeued_and_is_not_held_then() {
    let mut world = World::new(verified());
    world.must(&act(Action::Hold));
    world.must(&act(Action::Cancel));
    assert_eq!((world.job.stage, world.job.result), (Stage::Failed, Some(JobResult::Cancelled)));
    world.must(&act(Action::Requeue));
    assert!(world.peek(&claim()).is_ok());
}

#[test]
fn a_holder_of_a_job_that_has_moved_on_is_told_so() {
    let world = in_testing();
    let report = patch(fleet_protocol::api::PatchJob { lease_epoch: 1, ..Default::default() });
    let refusal = world.peek(&report).expect_err("the run is over");
    assert_eq!((refusal.code, &refusal.details["stage"]), (ErrorCode::InvalidTransition, &"testing".into()));
}
