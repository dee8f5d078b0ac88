//! Admission, claims, epochs, renewals and expiry.

use fleet_protocol::{
    Action, ErrorCode, EventType, JobResult, Manifest, Stage,
    api::PatchJob,
    job::{Checkpoint, Progress, Usage},
    lease::{Directive, LeaseStatus},
};
use serde_json::json;

use super::{
    super::{Input, admit, admit_invalid, directive},
    fixture::{World, act, at, blocker, claim, end, evidence, new_job, patch, release, start, verified},
};

#[test]
fn a_new_job_is_queued_or_blocked_or_held() {
    let plain = admit(new_job(1, Manifest::default()), Vec::new(), at(0), "operator:ann");
    assert_eq!((plain.job.stage, plain.job.held, plain.events.len()), (Stage::Queued, false, 1));
    assert_eq!(plain.events[0].event_type, EventType::Submitted);
    assert_eq!((plain.events[0].stage_from, plain.events[0].stage_to), (None, Some(Stage::Queued)));

    let held = Manifest { hold: Some(true), ..Manifest::default() };
    let both = admit(new_job(1, held), vec![blocker("other")], at(0), "operator:ann");
    assert_eq!((both.job.stage, both.job.held), (Stage::Blocked, true));
    let types: Vec<_> = both.events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::Submitted, EventType::Blocked, EventType::Held]);
}

#[test]
fn an_unreadable_task_is_kept_as_failed_and_cannot_be_requeued() {
    let step = admit_invalid(new_job(1, Manifest::default()), "line 3: no".to_owned(), at(0), "operator:ann");
    assert_eq!((step.job.stage, step.job.result), (Stage::Failed, Some(JobResult::InvalidManifest)));
    assert_eq!(step.job.actions, []);
    let changes = step.events.iter().filter(|event| event.stage_from != event.stage_to).count();
    assert_eq!(changes, 1);
}

#[test]
fn each_claim_raises_the_epoch_and_begins_a_run() {
    let mut world = World::new(verified());
    world.must(&claim());
    assert_eq!((world.job.stage, world.job.lease_epoch, world.job.runs), (Stage::Assigned, 1, 1));
    assert_eq!(world.job.lease.as_ref().map(|lease| lease.expires_at), Some(at(90)));
    assert_eq!((world.run().number, world.run().started_at), (1, None));
    world.must(&release(1, JobResult::Preempted));
    world.must(&claim());
    assert_eq!((world.job.lease_epoch, world.job.runs, world.run().number), (2, 2, 2));
}

#[test]
fn a_held_job_and_one_that_backs_off_cannot_be_claimed() {
    let mut world = World::new(verified());
    world.must(&act(Action::Hold));
    assert_eq!(world.peek(&claim()).map_err(|refusal| refusal.code), Err(ErrorCode::InvalidTransition));
    world.must(&act(Action::Release));
    world.job.retry_not_before = Some(at(1));
    assert!(world.peek(&claim()).is_err());
    world.now = at(1);
    assert!(world.peek(&claim()).is_ok());
}

#[test]
fn the_epoch_is_looked_at_before_anything_else() {
    let mut world = World::building(verified());
    world.must(&act(Action::Cancel));
    let current = world.job.lease_epoch;
    for (epoch, code) in
        [(0, ErrorCode::Fenced), (current - 1, ErrorCode::Fenced), (current + 1, ErrorCode::InvalidEpoch)]
    {
        let expiry = Input::Expire { lease_epoch: epoch, expires_at: at(90) };
        let renewal = Input::Renew { lease_epoch: epoch, ttl: super::fixture::TTL };
        let never_started = Input::NeverStarted { lease_epoch: epoch };
        let inputs = [start(epoch), end(epoch, JobResult::Ok, None), release(epoch, JobResult::Crash), renewal, expiry];
        for input in inputs.iter().chain([&never_started]) {
            let refusal = world.peek(input).expect_err("the epoch is wrong");
            assert_eq!((refusal.code, &refusal.details["currentEpoch"]), (code, &json!(current)), "{input:?}");
        }
    }
}

#[test]
fn a_stranger_with_the_right_epoch_is_refused() {
    let world = World::building(verified());
    let patch = Box::new(PatchJob { lease_epoch: 1, ..PatchJob::default() });
    let refusal = world.peek(&Input::Patch { factory: "other".to_owned(), patch }).expect_err("it is not the holder");
    assert_eq!(refusal.code, ErrorCode::Fenced);
}

#[test]
fn a_start_is_told_once_and_may_be_repeated() {
    let mut world = World::new(verified());
    world.must(&claim());
    world.now = at(5);
    world.must(&start(1));
    assert_eq!((world.job.stage, world.last_event()), (Stage::Building, EventType::Started));
    world.now = at(9);
    assert_eq!(world.must(&start(1)).events, []);
    assert_eq!(world.run().started_at, Some(at(5)));
}

#[test]
fn a_holder_cannot_name_any_other_stage() {
    let world = World::building(verified());
    for stage in Stage::ALL.iter().copied().filter(|stage| *stage != Stage::Building) {
        let report = patch(PatchJob { lease_epoch: 1, stage: Some(stage), ..PatchJob::default() });
        let refusal = world.peek(&report).expect_err("only the start is reported by stage");
        assert_eq!(refusal.code, ErrorCode::InvalidTransition, "{stage}");
    }
}

#[test]
fn news_is_told_once_and_what_a_report_leaves_out_stays() {
    let mut world = World::building(verified());
    let checkpoint = Some(Checkpoint { commit: "c0ffee".to_owned(), branch: "refs/fleet/wip/x".to_owned() });
    let progress = Some(Progress { percent: Some(40.0), ..Progress::default() });
    let news = patch(PatchJob { lease_epoch: 1, checkpoint, progress, ..PatchJob::default() });
    let types: Vec<_> = world.must(&news).events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::Checkpoint, EventType::Progress]);
    assert_eq!(world.must(&news).events, []);
    world.must(&patch(PatchJob { lease_epoch: 1, branch: Some("fleet/x".to_owned()), ..PatchJob::default() }));
    assert_eq!(world.job.progress.as_ref().and_then(|progress| progress.percent), Some(40.0));
    assert_eq!(world.run().checkpoint, world.job.checkpoint);
}

#[test]
fn an_unusable_checkpoint_is_dropped_and_told() {
    let mut world = World::building(verified());
    world.job.checkpoint = Some(Checkpoint { commit: "dead".to_owned(), branch: "refs/fleet/wip/x".to_owned() });
    let checkpoint_unusable = Some("no such commit".to_owned());
    let step = world.must(&patch(PatchJob { lease_epoch: 1, checkpoint_unusable, ..PatchJob::default() }));
    assert_eq!(step.events[0].event_type, EventType::CheckpointUnusable);
    assert_eq!(step.events[0].data["checkpoint"]["commit"], "dead");
    assert_eq!(world.job.checkpoint, None);
}

#[test]
fn a_renewal_moves_the_expiry_and_nothing_else() {
    let mut world = World::building(verified());
    let before = world.job.clone();
    world.now = at(30);
    let step = world.must(&Input::Renew { lease_epoch: 1, ttl: super::fixture::TTL });
    assert_eq!((step.events.len(), step.run), (0, None));
    assert_eq!(world.job.lease.as_ref().map(|lease| lease.expires_at), Some(at(120)));
    world.job.lease.clone_from(&before.lease);
    assert_eq!(world.job, before);
}

#[test]
fn pausing_and_resuming_reach_the_holder_and_keep_its_epoch() {
    let mut world = World::building(verified());
    assert_eq!(directive(&world.job), Directive::Continue);
    world.must(&act(Action::Pause));
    assert_eq!(directive(&world.job), Directive::Pause);
    assert!(world.peek(&act(Action::Pause)).is_err());
    world.must(&act(Action::Resume));
    assert_eq!((directive(&world.job), world.job.lease_epoch), (Directive::Resume, 1));
    world.ends(JobResult::Ok, Some(evidence(Some(0))));
    assert_eq!(directive(&world.job), Directive::Continue);
}

#[test]
fn an_expired_lease_goes_back_once_without_charge_and_keeps_the_checkpoint() {
    let mut world = World::building(verified());
    let checkpoint = Checkpoint { commit: "c0ffee".to_owned(), branch: "refs/fleet/wip/x".to_owned() };
    world.job.checkpoint = Some(checkpoint.clone());
    let expiry = Input::Expire { lease_epoch: 1, expires_at: at(90) };
    world.now = at(89);
    assert!(world.peek(&expiry).is_err(), "the lease still runs");
    world.now = at(90);
    world.must(&expiry);
    let job = &world.job;
    assert_eq!((job.stage, job.result, job.attempts), (Stage::Queued, Some(JobResult::LeaseExpired), 0));
    assert_eq!((job.lease_epoch, &job.checkpoint), (2, &Some(checkpoint)));
    assert_eq!(job.lease.as_ref().map(|lease| lease.status), Some(LeaseStatus::Expired));
    assert_eq!((world.run().result, world.run().ended_at), (Some(JobResult::LeaseExpired), Some(at(90))));
    assert_eq!(world.peek(&expiry).map_err(|refusal| refusal.code), Err(ErrorCode::Fenced));
}

#[test]
fn a_reaper_that_saw_an_older_expiry_changes_nothing() {
    let mut world = World::building(verified());
    world.now = at(89);
    world.must(&Input::Renew { lease_epoch: 1, ttl: super::fixture::TTL });
    world.now = at(1000);
    let refusal = world.peek(&Input::Expire { lease_epoch: 1, expires_at: at(90) }).expect_err("it was renewed");
    assert_eq!(refusal.code, ErrorCode::InvalidTransition);
}

#[test]
fn a_holder_that_renews_but_never_starts_loses_the_job() {
    let mut world = World::new(verified());
    world.must(&claim());
    let late = Input::NeverStarted { lease_epoch: 1 };
    let mut started = world.clone();
    started.must(&start(1));
    assert!(started.peek(&late).is_err());
    world.must(&late);
    assert_eq!((world.job.stage, world.job.lease_epoch, world.job.attempts), (Stage::Queued, 2, 0));
}

#[test]
fn what_runs_cost_adds_up_in_the_job() {
    let mut world = World::building(verified());
    for (so_far, total) in [(100, 100), (40, 140)] {
        let usage = Some(Usage { input_tokens: so_far, ..Usage::UNKNOWN });
        let lease_epoch = world.job.lease_epoch;
        world.must(&patch(PatchJob { lease_epoch, usage, ..PatchJob::default() }));
        world.must(&release(lease_epoch, JobResult::Preempted));
        assert_eq!(world.job.usage.input_tokens, total);
        world.run_again();
    }
}

#[test]
fn dependencies_move_a_pending_job_and_are_remembered_by_others() {
    let settle = |deps: &[&str]| Input::Dependencies { blocked_by: deps.iter().map(|dep| blocker(dep)).collect() };
    let mut world = World::new(verified());
    world.must(&settle(&["a"]));
    assert_eq!((world.job.stage, world.last_event()), (Stage::Blocked, EventType::Blocked));
    assert_eq!(world.must(&settle(&["a"])).events, []);
    world.must(&settle(&[]));
    assert_eq!((world.job.stage, world.last_event()), (Stage::Queued, EventType::Unblocked));
    world.run_again();
    world.must(&settle(&["b"]));
    world.must(&release(1, JobResult::Preempted));
    assert_eq!((world.job.stage, world.last_event()), (Stage::Blocked, EventType::Preempted));
}
