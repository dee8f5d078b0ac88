//! Explain cannot lie, turn is by priority and age, and an empty claim says why.

use fleet_protocol::{
    Job, Manifest, Stage,
    api::{ClaimRequest, EmptyReason, Health},
    manifest::Priority,
};
use jiff::Timestamp;
use proptest::prelude::*;

use fleet_protocol::capability::unmet;

use super::{compare, explain, obstacles, order, pick};
use crate::lifecycle::{
    admit, step,
    tests::fixture::{OPERATOR, at, blocker, claim, new_job},
};

const NOW: i64 = 1000;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn request() -> ClaimRequest {
    ClaimRequest {
        factory_id: "local".to_owned(),
        capabilities: words(&["linux", "gpu"]),
        engines: words(&["one", "two"]),
        tags: Vec::new(),
        seats: 2,
        seats_free: 1,
        health: Health::Ok,
        load: 0.0,
        wait_ms: 0,
        dry_run: false,
        busy_locks: words(&["db"]),
        only: None,
        sole: false,
    }
}

fn job(bits: u64, manifest: Manifest, created: Timestamp) -> Job {
    admit(new_job(bits, manifest), Vec::new(), created, OPERATOR).job
}

fn demanding(change: impl FnOnce(&mut Manifest)) -> Job {
    let mut manifest = Manifest::default();
    change(&mut manifest);
    job(1, manifest, at(0))
}

fn altered(change: impl FnOnce(&mut Job)) -> Job {
    let mut job = job(1, Manifest::default(), at(0));
    change(&mut job);
    job
}

#[test]
fn turn_is_by_priority_then_age_then_id() {
    let with =
        |bits, priority, created| job(bits, Manifest { priority: Some(priority), ..Manifest::default() }, at(created));
    let jobs = [
        with(4, Priority::Low, 0),
        with(3, Priority::High, 9),
        with(2, Priority::High, 5),
        with(1, Priority::High, 9),
        with(0, Priority::Critical, 99),
    ];
    assert_eq!(order(&jobs), [4, 2, 3, 1, 0]);
    assert_eq!(pick(&jobs, &request(), at(NOW)), Ok(4));
}

#[test]
fn a_job_that_cannot_run_does_not_stand_in_the_way() {
    let mut poisoned = demanding(|manifest| manifest.capabilities = words(&["quantum"]));
    poisoned.priority = Priority::Critical;
    assert_eq!(pick(&[poisoned, job(2, Manifest::default(), at(9))], &request(), at(NOW)), Ok(1));
}

#[test]
fn an_empty_claim_says_why() {
    let full = ClaimRequest { seats_free: 0, ..request() };
    let picky = ClaimRequest { tags: words(&["docs"]), ..request() };
    let plain = job(1, Manifest::default(), at(0));
    let cases = [
        (EmptyReason::Held, altered(|job| job.held = true), request()),
        (EmptyReason::Backoff, altered(|job| job.retry_not_before = Some(at(NOW + 1))), request()),
        (EmptyReason::Capability, demanding(|manifest| manifest.capabilities = words(&["quantum"])), request()),
        (EmptyReason::Capability, demanding(|manifest| manifest.engine = Some("three".to_owned())), request()),
        (EmptyReason::Locked, demanding(|manifest| manifest.lock = Some("db".to_owned())), request()),
        (EmptyReason::NoSeat, plain.clone(), full),
        (EmptyReason::NoneQueued, plain, picky),
        (EmptyReason::NoneQueued, altered(|job| job.stage = Stage::Building), request()),
        (
            EmptyReason::Blocked,
            altered(|job| {
                job.stage = Stage::Blocked;
                job.blocked_by = vec![blocker("other")];
            }),
            request(),
        ),
    ];
    for (reason, job, request) in cases {
        assert_eq!(pick(std::slice::from_ref(&job), &request, at(NOW)), Err(reason));
        let explanation = explain(&job, &[request], at(NOW));
        assert!(!explanation.blockers.is_empty() && !explanation.next.is_empty(), "{reason}: {explanation:?}");
    }
    assert_eq!(pick(&[], &request(), at(NOW)), Err(EmptyReason::NoneQueued));
}

#[test]
fn a_backoff_ends_at_its_moment() {
    let due = altered(|job| job.retry_not_before = Some(at(NOW)));
    assert_eq!(pick(&[due], &request(), at(NOW)), Ok(0));
}

#[test]
fn capabilities_are_met_by_equal_offers_and_any_system() {
    assert_eq!(unmet(&words(&["gpu", "os:any", "arm"]), &words(&["gpu"])), ["arm"]);
}

#[test]
fn explain_names_what_is_missing_and_who_could_help() {
    let unroutable = demanding(|manifest| manifest.capabilities = words(&["quantum"]));
    let nobody = explain(&unroutable, &[], at(NOW));
    assert_eq!((nobody.blockers[0].code.as_str(), nobody.factories.len()), ("no_factory", 0));
    let one = explain(&unroutable, &[request()], at(NOW));
    assert_eq!(one.blockers[0].code, "capability");
    assert!(one.blockers[0].message.contains("`quantum`") && one.next.contains("`quantum`"), "{one:?}");
    assert_eq!((one.factories[0].eligible, one.factories[0].blockers.len()), (false, 1));
    let able = ClaimRequest { factory_id: "able".to_owned(), capabilities: words(&["quantum"]), ..request() };
    let two = explain(&unroutable, &[request(), able], at(NOW));
    assert!(two.blockers.is_empty() && two.next.contains("`able`"), "{two:?}");
}

prop_compose! {
    fn any_job()(
        bits in any::<u64>(),
        stage in prop_oneof![4 => Just(Stage::Queued), 1 => proptest::sample::select(Stage::ALL)],
        held in prop::bool::weighted(0.2),
        backoff in proptest::option::weighted(0.3, NOW - 2..NOW + 3),
        capability in proptest::option::weighted(0.4, proptest::sample::select(vec!["gpu", "quantum", "os:any"])),
        engine in proptest::option::weighted(0.4, proptest::sample::select(vec!["one", "three"])),
        lock in proptest::option::weighted(0.3, proptest::sample::select(vec!["db", "web"])),
        tag in proptest::option::weighted(0.5, proptest::sample::select(vec!["docs", "code"])),
        priority in proptest::sample::select(Priority::ALL),
        created in 0..4i64,
    ) -> Job {
        let manifest = Manifest {
            capabilities: capability.into_iter().map(str::to_owned).collect(),
            engine: engine.map(str::to_owned),
            lock: lock.map(str::to_owned),
            tags: tag.into_iter().map(str::to_owned).collect(),
            priority: Some(priority),
            ..Manifest::default()
        };
        let mut job = job(bits, manifest, at(created));
        job.stage = stage;
        job.held = held;
        job.retry_not_before = backoff.map(at);
        if stage == Stage::Blocked {
            job.blocked_by = vec![blocker("other")];
        }
        job
    }
}

prop_compose! {
    fn any_request()(
        seats_free in 0..3u32,
        capabilities in proptest::sample::subsequence(vec!["gpu", "quantum", "linux"], 0..=3),
        engines in proptest::sample::subsequence(vec!["one", "two", "three"], 0..=3),
        tags in proptest::sample::subsequence(vec!["docs", "code"], 0..=2),
        busy in proptest::sample::subsequence(vec!["db", "web"], 0..=2),
    ) -> ClaimRequest {
        ClaimRequest {
            seats_free,
            capabilities: words(&capabilities),
            engines: words(&engines),
            tags: words(&tags),
            busy_locks: words(&busy),
        only: None,
        sole: false,
            ..request()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_factory_takes_a_job_exactly_when_explain_shows_no_blocker(
        job in any_job(),
        factories in prop::collection::vec(any_request(), 0..4),
    ) {
        let explanation = explain(&job, &factories, at(NOW));
        let mut taken = false;
        for (factory, verdict) in factories.iter().zip(&explanation.factories) {
            let takes = pick(std::slice::from_ref(&job), factory, at(NOW)).is_ok();
            prop_assert_eq!(takes, verdict.eligible);
            prop_assert_eq!(takes, obstacles(&job, factory, at(NOW)).is_empty());
            if takes {
                prop_assert!(verdict.blockers.is_empty());
            }
            taken |= takes;
        }
        prop_assert_eq!(taken, explanation.blockers.is_empty());
    }

    #[test]
    fn what_is_picked_can_be_claimed_and_what_keeps_it_from_all_cannot(job in any_job()) {
        let eager = ClaimRequest {
            capabilities: words(&["gpu", "quantum"]),
            engines: words(&["one", "three"]),
            busy_locks: Vec::new(),
        only: None,
        sole: false,
            ..request()
        };
        let picked = pick(std::slice::from_ref(&job), &eager, at(NOW)).is_ok();
        prop_assert_eq!(picked, step(&job, None, &claim(), at(NOW)).is_ok());
    }

    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_candidates(
        jobs in prop::collection::vec(any_job(), 0..12),
        request in any_request(),
        turn in any::<prop::sample::Index>(),
    ) {
        let mut turned = jobs.clone();
        if !jobs.is_empty() {
            turned.rotate_left(turn.index(jobs.len()));
        }
        let picked = pick(&jobs, &request, at(NOW));
        prop_assert_eq!(
            picked.map(|position| &jobs[position].id),
            pick(&turned, &request, at(NOW)).map(|position| &turned[position].id)
        );
        if let Ok(position) = picked {
            let passed_over = jobs.iter().filter(|job| compare(job, &jobs[position]).is_lt());
            for job in passed_over {
                prop_assert!(!obstacles(job, &request, at(NOW)).is_empty());
            }
        }
    }
}
