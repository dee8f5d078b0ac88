//! Long random lives: whatever happens in whatever order, the invariants hold after every input.

use fleet_protocol::{
    Action, ErrorCode, EventType, JobResult, Manifest, Stage,
    api::PatchJob,
    job::Usage,
    manifest::{Backoff, Retry, ReviewPolicy},
    run::Evidence,
};
use proptest::prelude::*;

use super::{
    super::{Input, Step},
    fixture::{OPERATOR, TTL, World, act, act_because, blocker, claim, end, evidence, patch, release, verified},
};

/// An input that does not know yet which epoch is current.
#[derive(Debug, Clone)]
enum Op {
    Claim,
    /// By a holder whose epoch is off by so much.
    Start(i64),
    Spend(i64, u64),
    End(i64, JobResult, Option<Evidence>),
    Release(i64, JobResult),
    Renew(i64),
    Expire(i64),
    NeverStarted(i64),
    Dependencies(bool),
    Act(Action),
    /// So many seconds pass.
    Wait(i64),
}

impl Op {
    /// How far the sender's epoch is off, for a worker's input.
    const fn epoch_error(&self) -> Option<i64> {
        match self {
            Self::Start(off)
            | Self::Spend(off, _)
            | Self::End(off, ..)
            | Self::Release(off, _)
            | Self::Renew(off)
            | Self::Expire(off)
            | Self::NeverStarted(off) => Some(*off),
            Self::Claim | Self::Dependencies(_) | Self::Act(_) | Self::Wait(_) => None,
        }
    }

    fn input(&self, world: &World) -> Option<Input> {
        let epoch = |off: &i64| world.job.lease_epoch.saturating_add_signed(*off);
        Some(match self {
            Self::Claim => claim(),
            Self::Start(off) => super::fixture::start(epoch(off)),
            Self::Spend(off, tokens) => {
                let usage = Some(Usage { output_tokens: *tokens, ..Usage::UNKNOWN });
                patch(PatchJob { lease_epoch: epoch(off), usage, ..PatchJob::default() })
            }
            Self::End(off, result, evidence) => end(epoch(off), *result, evidence.clone()),
            Self::Release(off, result) => release(epoch(off), *result),
            Self::Renew(off) => Input::Renew { lease_epoch: epoch(off), ttl: TTL },
            Self::Expire(off) => {
                let expires_at = world.job.lease.as_ref().map_or(world.now, |lease| lease.expires_at);
                Input::Expire { lease_epoch: epoch(off), expires_at }
            }
            Self::NeverStarted(off) => Input::NeverStarted { lease_epoch: epoch(off) },
            Self::Dependencies(met) => {
                Input::Dependencies { blocked_by: if *met { Vec::new() } else { vec![blocker("other")] } }
            }
            Self::Act(action) => act_because(*action, "because"),
            Self::Wait(_) => return None,
        })
    }
}

fn off() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(0i64), 1 => Just(-1), 1 => Just(1)]
}

fn any_result() -> impl Strategy<Value = JobResult> {
    proptest::sample::select(JobResult::ALL)
}

fn any_evidence() -> impl Strategy<Value = Option<Evidence>> {
    let verdicts = (proptest::option::of(-1..2i32), any::<bool>(), any::<bool>(), any::<bool>());
    proptest::option::of(verdicts.prop_map(|(exit_code, changed, no_changes_claimed, clean)| Evidence {
        changed: Some(changed),
        no_changes_claimed,
        clean,
        commits: Vec::new(),
        ..evidence(exit_code)
    }))
}

fn any_op() -> impl Strategy<Value = Op> {
    let gates = [Action::Ship, Action::Promote, Action::Approve, Action::RequestChanges, Action::Reject];
    let others: Vec<Action> = Action::ALL.iter().copied().filter(|action| !gates.contains(action)).collect();
    prop_oneof![
        6 => Just(Op::Claim),
        6 => off().prop_map(Op::Start),
        2 => (off(), 0..1000u64).prop_map(|(off, tokens)| Op::Spend(off, tokens)),
        4 => (off(), any_result(), any_evidence()).prop_map(|(off, result, evidence)| Op::End(off, result, evidence)),
        4 => (off(), any_evidence()).prop_map(|(off, evidence)| Op::End(off, JobResult::Ok, evidence)),
        1 => (off(), any_result()).prop_map(|(off, result)| Op::Release(off, result)),
        2 => off().prop_map(Op::Renew),
        1 => off().prop_map(Op::Expire),
        1 => off().prop_map(Op::NeverStarted),
        2 => any::<bool>().prop_map(Op::Dependencies),
        2 => proptest::sample::select(gates.to_vec()).prop_map(Op::Act),
        3 => proptest::sample::select(others).prop_map(Op::Act),
        3 => (0..200i64).prop_map(Op::Wait),
    ]
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let retry = proptest::option::of((0..4u32, any::<bool>()).prop_map(|(max, exp)| {
        let backoff = if exp { Backoff::Exp } else { Backoff::Fixed(TTL) };
        Retry { max: Some(max), backoff, ..Retry::default() }
    }));
    (retry, any::<bool>(), any::<bool>()).prop_map(|(retry, manual, hold)| Manifest {
        retry,
        review_policy: manual.then_some(ReviewPolicy::Manual),
        hold: Some(hold),
        ..verified()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_through_any_500_inputs(manifest in any_manifest(), ops in prop::collection::vec(any_op(), 500)) {
        let mut world = World::new(manifest.clone());
        let mut inputs_after_the_end = 0;
        for op in &ops {
            if let Op::Wait(secs) = op {
                world.now += jiff::SignedDuration::from_secs(*secs);
            }
            let Some(input) = op.input(&world) else { continue };
            let before = world.clone();
            let outcome = world.offer(&input);
            check_epoch_first(&before, op, &outcome)?;
            match &outcome {
                Ok(step) => check_step(&before, &input, step)?,
                Err(_) => prop_assert_eq!((&before.job, &before.runs), (&world.job, &world.runs)),
            }
            check_state(&world)?;
            if world.job.stage == Stage::Shipped {
                inputs_after_the_end += 1;
                if inputs_after_the_end > 20 {
                    world = World::new(manifest.clone());
                    inputs_after_the_end = 0;
                }
            }
        }
    }
}

/// Whatever else is wrong with a worker's input, a wrong epoch is what it is told.
fn check_epoch_first(
    before: &World,
    op: &Op,
    outcome: &Result<Step, super::super::Refusal>,
) -> Result<(), TestCaseError> {
    // Epoch 0 has no predecessor.
    let error = op.epoch_error().filter(|off| *off >= 0 || before.job.lease_epoch > 0);
    let expected = match error {
        Some(1) => ErrorCode::InvalidEpoch,
        Some(-1) => ErrorCode::Fenced,
        _ => return Ok(()),
    };
    prop_assert_eq!(outcome.as_ref().map(|_| ()).map_err(|refusal| refusal.code), Err(expected));
    Ok(())
}

/// What one accepted input may and must do.
fn check_step(before: &World, input: &Input, step: &Step) -> Result<(), TestCaseError> {
    let (old, new) = (&before.job, &step.job);
    prop_assert_eq!(old.rev, new.rev);
    prop_assert!(old.lease_epoch <= new.lease_epoch && new.lease_epoch <= old.lease_epoch + 1);
    prop_assert!(old.stage != Stage::Shipped, "something left or touched a shipped job: {:?}", input);
    let changes: Vec<_> = step.events.iter().filter(|event| event.stage_from != event.stage_to).collect();
    if old.stage == new.stage {
        prop_assert!(changes.is_empty());
    } else {
        prop_assert_eq!(changes.len(), 1);
        prop_assert_eq!((changes[0].stage_from, changes[0].stage_to), (Some(old.stage), Some(new.stage)));
        prop_assert_eq!(changes[0].lease_epoch, new.lease_epoch);
    }
    for note in step.events.iter().filter(|event| event.stage_from == event.stage_to) {
        prop_assert_eq!(note.stage_from, Some(old.stage), "notes come before the change");
    }
    let told = |kinds: &[EventType]| changes.iter().any(|event| kinds.contains(&event.event_type));
    if old.stage != new.stage {
        match new.stage {
            Stage::Shipped => prop_assert!(told(&[EventType::Shipped]) && changes[0].actor == OPERATOR),
            Stage::Testing => {
                prop_assert!(told(&[EventType::VerifyPassed, EventType::Approved, EventType::Promoted]));
            }
            Stage::Assigned => prop_assert!(told(&[EventType::Claimed]) && new.lease_epoch == old.lease_epoch + 1),
            _ => {}
        }
        if old.stage == Stage::DeadLetter {
            prop_assert!(told(&[EventType::Redriven]));
        }
    }
    Ok(())
}

/// What is true of a job at any time.
fn check_state(world: &World) -> Result<(), TestCaseError> {
    let (job, runs) = (&world.job, &world.runs);
    let active = job.lease.as_ref().filter(|lease| lease.status == fleet_protocol::lease::LeaseStatus::Active);
    prop_assert_eq!(job.stage.is_held(), active.is_some());
    if let Some(lease) = active {
        prop_assert_eq!(lease.lease_epoch, job.lease_epoch);
        prop_assert_eq!(Some(&lease.holder_factory_id), job.factory.as_ref());
    }
    let open: Vec<_> = runs.iter().filter(|run| run.ended_at.is_none()).collect();
    prop_assert_eq!(open.len(), usize::from(job.stage.is_held()));
    prop_assert!(open.iter().all(|run| run.started_at.is_some() == (job.stage == Stage::Building)));
    prop_assert_eq!(runs.len(), job.runs as usize);
    prop_assert!(runs.iter().enumerate().all(|(i, run)| run.number as usize == i + 1));
    prop_assert!(job.attempts <= job.runs);
    if job.stage.is_pending() {
        prop_assert_eq!(job.stage == Stage::Blocked, !job.blocked_by.is_empty());
    }
    prop_assert!(!job.held || job.stage.is_pending());
    prop_assert!(!(job.paused || job.resumed) || job.stage == Stage::Building);
    prop_assert!(job.retry_not_before.is_none() || job.stage.is_pending());
    prop_assert_eq!(job.stage.is_terminal() && job.stage != Stage::Shipped, is_bad_end(job.stage, job.result));
    let spent: u64 = runs.iter().filter(|run| run.ended_at.is_some()).map(|run| run.usage.output_tokens).sum();
    prop_assert_eq!(job.usage.output_tokens, spent);
    for action in Action::ALL {
        prop_assert_eq!(world.peek(&act(*action)).is_ok(), job.actions.contains(action), "{}", action);
    }
    Ok(())
}

/// Whether stage and result belong to a job that ended badly.
fn is_bad_end(stage: Stage, result: Option<JobResult>) -> bool {
    match stage {
        Stage::Failed => result.is_some_and(|result| !result.is_success() && !result.is_handback()),
        Stage::DeadLetter => result == Some(JobResult::RetriesExhausted),
        _ => false,
    }
}
