//! Giving jobs out.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use fleet_protocol::route;
use serde_json::json;

use super::fixture::{Fleet, TTL, claim, on_both, request, send, with};

on_both! {
    async fn a_claim_brings_job_run_lease_and_body(fleet: &Fleet) {
        let id = fleet.submitted("Do it.").await;
        let answer = fleet.claim("f1").await;
        assert_eq!(answer.status, StatusCode::OK);
        let claimed = answer.body;
        assert_eq!(claimed["job"]["id"], id);
        assert_eq!((&claimed["job"]["stage"], &claimed["job"]["rev"]), (&json!("assigned"), &json!(2)));
        assert_eq!(claimed["lease"], json!({ "epoch": 1, "ttlMs": TTL.millis() }));
        assert_eq!((&claimed["run"]["number"], &claimed["run"]["factory"]), (&json!(1), &json!("f1")));
        assert_eq!((&claimed["body"], &claimed["earlier"]), (&json!("Do it."), &json!([])));
        assert_eq!(fleet.job(&id).await, claimed["job"]);
        assert_eq!(fleet.events(&id).await, ["submitted", "claimed"]);
    }

    async fn jobs_come_by_priority_then_age(fleet: &Fleet) {
        let mut expected = Vec::new();
        for (turn, priority) in [(3, "medium"), (5, "low"), (1, "critical"), (4, "medium"), (2, "high")] {
            fleet.clock.advance(1);
            expected.push((turn, fleet.submitted(&format!("---\npriority: {priority}\n---\nx")).await));
        }
        expected.sort();
        for (_, id) in expected {
            assert_eq!(fleet.claimed("f1").await.0, id);
        }
    }

    async fn an_empty_claim_says_why(fleet: &Fleet) {
        let empty = fleet.claim("f1").await;
        assert_eq!((empty.status, empty.reason()), (StatusCode::NO_CONTENT, Some("none_queued")));
        let first = fleet.submitted("---\nidempotency-key: a\n---\nx").await;
        let mut full = claim("f1");
        full["seatsFree"] = json!(0);
        assert_eq!(fleet.post(route::CLAIM, &full).await.reason(), Some("no_seat"));
        fleet.act(&first, "hold", &json!({})).await;
        assert_eq!(fleet.claim("f1").await.reason(), Some("held"));
        fleet.submitted("---\ndeps: [a]\n---\nx").await;
        assert_eq!(fleet.claim("f1").await.reason(), Some("blocked"));
        fleet.submitted("---\ncapabilities: [gpu]\n---\nx").await;
        assert_eq!(fleet.claim("f1").await.reason(), Some("capability"));
    }

    async fn a_job_in_backoff_is_claimed_at_its_time(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nretry: { max: 2, backoff: 5s }\n---\nx").await;
        let failed = fleet.patch(&id, &json!({ "leaseEpoch": epoch, "result": "crash" })).await;
        assert_eq!(failed.body["stage"], "queued", "{:?}", failed.body);
        assert_eq!(fleet.claim("f1").await.reason(), Some("backoff"));
        assert_eq!(fleet.get(route::STATUS).await.body["delayed"], 1);
        fleet.clock.advance(5);
        let again = fleet.claim("f1").await;
        assert_eq!(again.body["job"]["id"], id);
        assert_eq!(again.body["run"]["number"], 2);
        assert_eq!(again.body["earlier"][0]["result"], "crash");
    }

    async fn jobs_that_cannot_run_do_not_hide_those_that_can(fleet: &Fleet) {
        for _ in 0..40 {
            fleet.submitted("---\npriority: critical\ncapabilities: [gpu]\n---\nx").await;
            fleet.submitted("---\npriority: critical\ntags: [other]\n---\nx").await;
        }
        let wanted = fleet.submitted("---\npriority: low\ntags: [mine]\n---\nx").await;
        let mut mine = claim("f1");
        mine["tags"] = json!(["mine"]);
        assert_eq!(fleet.post(route::CLAIM, &mine).await.body["job"]["id"], wanted);
    }

    async fn jobs_with_one_lock_run_one_after_another(fleet: &Fleet) {
        fleet.submitted("---\nlock: db\n---\nx").await;
        let second = fleet.submitted("---\nlock: db\n---\nx").await;
        let (first, epoch) = fleet.claimed("f1").await;
        assert_eq!(fleet.claim("f2").await.reason(), Some("locked"));
        fleet.post(&route::fill(route::LEASE_RELEASE, &[&first]), &json!({ "leaseEpoch": epoch, "result": "auth_error" })).await;
        assert_eq!(fleet.claimed("f2").await.0, second);
    }

    async fn a_factory_never_holds_more_than_its_seats(fleet: &Fleet) {
        for _ in 0..3 {
            fleet.submitted("x").await;
        }
        let mut two = claim("f1");
        two["seats"] = json!(2);
        assert_eq!(fleet.post(route::CLAIM, &two).await.status, StatusCode::OK);
        assert_eq!(fleet.post(route::CLAIM, &two).await.status, StatusCode::OK);
        assert_eq!(fleet.post(route::CLAIM, &two).await.reason(), Some("no_seat"));
        assert_eq!(fleet.claim("f2").await.status, StatusCode::OK);
    }

    async fn a_dry_claim_takes_nothing(fleet: &Fleet) {
        let id = fleet.submitted("x").await;
        let mut dry = claim("f1");
        dry["dryRun"] = json!(true);
        assert_eq!(fleet.post(route::CLAIM, &dry).await.body["job"]["id"], id);
        assert_eq!(fleet.job(&id).await["stage"], "queued");
        assert_eq!(fleet.events(&id).await, ["submitted"]);
    }

    async fn a_lost_answer_is_asked_for_again_while_the_lease_lives(fleet: &Fleet) {
        let id = fleet.submitted("x").await;
        fleet.submitted("y").await;
        let ask = |factory: &str| with(
            request(Method::POST, route::CLAIM, &claim(factory).to_string()), route::IDEMPOTENCY_HEADER, "k1",
        );
        let first = fleet.send(ask("f1")).await;
        assert_eq!(first.body["job"]["id"], id);
        fleet.clock.advance(30);
        let again = fleet.send(ask("f1")).await;
        assert_eq!((&again.body["job"]["id"], &again.body["lease"]["epoch"]), (&json!(id), &json!(1)));
        assert_eq!(again.body["lease"]["ttlMs"], 60_000);
        assert_eq!(again.body["run"], first.body["run"]);
        assert_eq!(fleet.send(ask("f2")).await.code(), "idempotency_conflict");
        let release = json!({ "leaseEpoch": 1, "result": "preempted" });
        fleet.post(&route::fill(route::LEASE_RELEASE, &[&id]), &release).await;
        let fresh = fleet.send(ask("f1")).await;
        assert_eq!((&fresh.body["job"]["id"], &fresh.body["lease"]["epoch"]), (&json!(id), &json!(2)));
    }

    async fn an_empty_answer_is_not_remembered(fleet: &Fleet) {
        let ask = || with(request(Method::POST, route::CLAIM, &claim("f1").to_string()), route::IDEMPOTENCY_HEADER, "k");
        assert_eq!(fleet.send(ask()).await.status, StatusCode::NO_CONTENT);
        fleet.submitted("x").await;
        assert_eq!(fleet.send(ask()).await.status, StatusCode::OK);
    }

    async fn a_waiting_claim_is_woken_by_a_submit(fleet: &Fleet) {
        let mut waiting = claim("f1");
        waiting["waitMs"] = json!(20_000);
        let start = Instant::now();
        let (claimed, id) = tokio::join!(fleet.post(route::CLAIM, &waiting), fleet.submitted("x"));
        assert_eq!(claimed.body["job"]["id"], id);
        assert!(start.elapsed() < Duration::from_secs(10), "it was not woken, it timed out");
    }

    async fn a_waiting_claim_ends_at_its_time(fleet: &Fleet) {
        let mut waiting = claim("f1");
        waiting["waitMs"] = json!(50);
        let answer = fleet.post(route::CLAIM, &waiting).await;
        assert_eq!((answer.status, answer.reason()), (StatusCode::NO_CONTENT, Some("none_queued")));
    }

    async fn every_claimer_gets_another_job(fleet: &Fleet) {
        for _ in 0..20 {
            fleet.submitted("x").await;
        }
        let factories: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
        let claims = futures_util::future::join_all(factories.iter().map(|factory| fleet.claimed(factory))).await;
        let ids: std::collections::BTreeSet<String> = claims.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 20);
    }
}

#[tokio::test]
async fn a_waiting_claim_is_woken_by_another_process() {
    let fleet = Fleet::on_file();
    let other = fleet.another();
    let mut waiting = claim("f1");
    waiting["waitMs"] = json!(20_000);
    let start = Instant::now();
    let submit = with(request(Method::POST, route::JOBS, "x"), "content-type", "text/markdown");
    let (claimed, submitted) = tokio::join!(fleet.post(route::CLAIM, &waiting), send(&other, submit));
    assert_eq!(claimed.body["job"]["id"], submitted.body["id"]);
    assert!(start.elapsed() < Duration::from_secs(10), "it was not woken, it timed out");
}

/// Many threads, several coordinators on one file as several processes have them: nobody gets what another has.
#[test]
fn no_job_is_given_out_twice() {
    const JOBS: usize = 200;
    let fleet = Fleet::on_file();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        futures_util::future::join_all((0..JOBS).map(|_| fleet.submitted("x"))).await;
    });
    let taken = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (coordinator, taken) =
                (if thread % 2 == 0 { fleet.another() } else { fleet.coordinator.clone() }, &taken);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    loop {
                        let ask = request(Method::POST, route::CLAIM, &claim(&format!("f{thread}")).to_string());
                        let answer = send(&coordinator, ask).await;
                        if answer.status == StatusCode::NO_CONTENT {
                            break;
                        }
                        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
                        taken.lock().unwrap().push(answer.body["job"]["id"].as_str().unwrap().to_owned());
                    }
                });
            });
        }
    });
    let mut taken = taken.into_inner().unwrap();
    assert_eq!(taken.len(), JOBS);
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), JOBS, "some job was given out twice");
}
