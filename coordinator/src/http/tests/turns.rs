//! What a claim brings, held against every job there is: the search looks at few of them, and must not be told from one
//! that looks at all.

use axum::http::StatusCode;
use fleet_protocol::{
    Job, Stage,
    api::{ClaimRequest, Explanation},
    manifest::Priority,
    route,
};
use proptest::prelude::*;
use serde_json::json;

use super::fixture::Fleet;
use crate::{Clock, scheduler};

#[derive(Debug, Clone)]
enum Act {
    Submit(Task),
    Claim(Asking),
    /// A run that ends without success, of one of the jobs that are held.
    End {
        job: prop::sample::Index,
        crash: bool,
    },
    Hold(prop::sample::Index),
    LetGo(prop::sample::Index),
    Wait(i64),
}

#[derive(Debug, Clone)]
struct Task {
    priority: Priority,
    capability: Option<&'static str>,
    engine: Option<&'static str>,
    lock: Option<&'static str>,
    tag: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Asking {
    factory: &'static str,
    seats: u32,
    capabilities: Vec<&'static str>,
    engines: Vec<&'static str>,
    tags: Vec<&'static str>,
    only: Option<prop::sample::Index>,
    dry_run: bool,
}

prop_compose! {
    fn any_task()(
        priority in proptest::sample::select(vec![Priority::High, Priority::Medium]),
        capability in proptest::option::weighted(0.3, Just("gpu")),
        engine in proptest::option::weighted(0.3, Just("codex")),
        lock in proptest::option::weighted(0.7, proptest::sample::select(vec!["db", "web"])),
        tag in proptest::option::weighted(0.3, proptest::sample::select(vec!["docs", "code"])),
    ) -> Task {
        Task { priority, capability, engine, lock, tag }
    }
}

prop_compose! {
    fn any_asking()(
        factory in proptest::sample::select(vec!["f1", "f2"]),
        seats in proptest::sample::select(vec![2, 9, 9]),
        capabilities in proptest::sample::subsequence(vec!["gpu", "git"], 0..=2),
        engines in proptest::sample::subsequence(vec!["claude", "codex"], 0..=2),
        tags in prop_oneof![3 => Just(Vec::new()), 1 => proptest::sample::subsequence(vec!["docs", "code"], 1..=2)],
        only in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
        dry_run in prop::bool::weighted(0.3),
    ) -> Asking {
        Asking { factory, seats, capabilities, engines, tags, only, dry_run }
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    let any_job = any::<prop::sample::Index>;
    prop_oneof![
        6 => any_task().prop_map(Act::Submit),
        5 => any_asking().prop_map(Act::Claim),
        3 => (any_job(), any::<bool>()).prop_map(|(job, crash)| Act::End { job, crash }),
        1 => any_job().prop_map(Act::Hold),
        1 => any_job().prop_map(Act::LetGo),
        1 => (1..6i64).prop_map(Act::Wait),
    ]
}

impl Task {
    fn text(&self) -> String {
        let list = |name, word: Option<&str>| word.map(|word| format!("{name}: [{word}]\n")).unwrap_or_default();
        let word = |name, word: Option<&str>| word.map(|word| format!("{name}: {word}\n")).unwrap_or_default();
        format!(
            "---\npriority: {}\nretry: {{ max: 9, backoff: 3s }}\n{}{}{}{}---\nx",
            self.priority,
            list("capabilities", self.capability),
            word("engine", self.engine),
            word("lock", self.lock),
            list("tags", self.tag),
        )
    }
}

async fn jobs(fleet: &Fleet) -> Vec<Job> {
    let answer = fleet.get(route::JOBS).await;
    serde_json::from_value(answer.body["jobs"].clone()).unwrap()
}

/// The jobs that `fits`, one of them; none when there is none.
async fn one(fleet: &Fleet, index: &prop::sample::Index, fits: impl Fn(&Job) -> bool) -> Option<Job> {
    let mut found: Vec<Job> = jobs(fleet).await.into_iter().filter(fits).collect();
    (!found.is_empty()).then(|| found.swap_remove(index.index(found.len())))
}

async fn end(fleet: &Fleet, job: &Job, crash: bool) {
    let id = job.id.as_str();
    let answer = if crash {
        fleet.patch(id, &json!({ "leaseEpoch": job.lease_epoch, "stage": "building" })).await;
        fleet.patch(id, &json!({ "leaseEpoch": job.lease_epoch, "result": "crash" })).await
    } else {
        let request = json!({ "leaseEpoch": job.lease_epoch, "result": "preempted" });
        fleet.post(&route::fill(route::LEASE_RELEASE, &[id]), &request).await
    };
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
}

/// Claims, and holds the answer against what the scheduler says of all jobs, and `explain` of the one that is granted.
async fn claim(fleet: &Fleet, asking: &Asking) {
    let all = jobs(fleet).await;
    let held: Vec<&Job> = all.iter().filter(|job| job.stage.is_held()).collect();
    let only = asking.only.as_ref().filter(|_| !all.is_empty()).map(|index| all[index.index(all.len())].id.clone());
    let request = json!({
        "factoryId": asking.factory, "seats": asking.seats, "seatsFree": asking.seats,
        "capabilities": asking.capabilities, "engines": asking.engines, "tags": asking.tags,
        "only": only, "dryRun": asking.dry_run,
    });
    let mut stands: ClaimRequest = serde_json::from_value(request.clone()).unwrap();
    let taken = held.iter().filter(|job| job.factory.as_deref() == Some(asking.factory)).count();
    stands.seats_free = asking.seats.saturating_sub(u32::try_from(taken).unwrap());
    stands.busy_locks = held.iter().filter_map(|job| job.manifest.lock.clone()).collect();
    let now = fleet.clock.now();

    let answer = fleet.post(route::CLAIM, &request).await;
    match scheduler::pick(&all, &stands, now) {
        Err(reason) => assert_eq!(answer.reason(), Some(reason.as_str()), "{:?}", answer.body),
        Ok(position) => {
            assert_eq!(answer.status, StatusCode::OK, "{:?} instead of {:?}", answer.reason(), all[position]);
            let id = answer.body["job"]["id"].as_str().unwrap();
            let granted = all.iter().find(|job| job.id.as_str() == id).unwrap();
            assert_eq!(scheduler::explain(granted, &[stands], now).blockers, []);
            let first = &all[position];
            // Of jobs whose retry time has come, the one that was due first goes first.
            if first.retry_not_before.is_none() && granted.retry_not_before.is_none() {
                assert_eq!(granted.id, first.id);
            } else {
                assert_eq!(granted.priority, first.priority);
            }
        }
    }
}

/// For each job: `explain` shows no blocker exactly when a factory that is known would get it, were it alone.
async fn explain(fleet: &Fleet) {
    for job in jobs(fleet).await {
        let answer = fleet.get(&route::fill(route::JOB_EXPLAIN, &[job.id.as_str()])).await;
        let explanation: Explanation = serde_json::from_value(answer.body).unwrap();
        let eligible = explanation.factories.iter().any(|factory| factory.eligible);
        assert_eq!(explanation.blockers.is_empty(), eligible, "{explanation:?}");
        if eligible {
            assert_eq!(job.stage, Stage::Queued);
        }
    }
}

async fn play(acts: Vec<Act>) {
    let fleet = Fleet::in_memory();
    for act in acts {
        // No two jobs are of one age.
        fleet.clock.advance(1);
        match act {
            Act::Submit(task) => drop(fleet.submitted(&task.text()).await),
            Act::Claim(asking) => claim(&fleet, &asking).await,
            Act::End { job, crash } => {
                if let Some(job) = one(&fleet, &job, |job| job.stage.is_held()).await {
                    end(&fleet, &job, crash).await;
                }
            }
            Act::Hold(job) => {
                if let Some(job) = one(&fleet, &job, |job| job.stage.is_pending() && !job.held).await {
                    fleet.act(job.id.as_str(), "hold", &json!({})).await;
                }
            }
            Act::LetGo(job) => {
                if let Some(job) = one(&fleet, &job, |job| job.held).await {
                    fleet.act(job.id.as_str(), "release", &json!({})).await;
                }
            }
            Act::Wait(seconds) => fleet.clock.advance(seconds),
        }
    }
    explain(&fleet).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_claim_brings_what_the_scheduler_picks_of_all_jobs(acts in prop::collection::vec(any_act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(acts));
    }
}
