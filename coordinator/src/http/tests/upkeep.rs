//! What time brings: the reaper, and what another process left undone.

use axum::http::StatusCode;
use fleet_protocol::route;
use serde_json::json;

use super::fixture::{Fleet, on_both, open};
use crate::{Coordinator, Grace, Options};

on_both! {
    async fn an_expired_lease_is_taken_back_once(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let checkpoint = json!({ "commit": "beef", "branch": "refs/fleet/wip/x" });
        fleet.patch(&id, &json!({ "leaseEpoch": epoch, "checkpoint": checkpoint })).await;
        fleet.clock.advance(89);
        fleet.coordinator.tick().await;
        assert_eq!(fleet.job(&id).await["stage"], "building", "its time is not over");
        fleet.clock.advance(1);
        fleet.coordinator.tick().await;
        let job = fleet.job(&id).await;
        assert_eq!((&job["stage"], &job["leaseEpoch"]), (&json!("queued"), &json!(2)));
        assert_eq!((&job["checkpoint"], &job["attempts"]), (&checkpoint, &json!(0)));
        fleet.coordinator.tick().await;
        assert_eq!(fleet.job(&id).await, job);
        let expired = fleet.events(&id).await.into_iter().filter(|event| event == "lease_expired").count();
        assert_eq!(expired, 1);
    }

    async fn a_dependency_that_no_job_is_called_is_pointed_out_after_an_hour(fleet: &Fleet) {
        let waiting = fleet.submitted("---\ndeps: [nobody]\n---\nx").await;
        let told = async || {
            let alerts = fleet.get(route::STATUS).await.body["alerts"].clone();
            let alerts = alerts.as_array().unwrap().iter().filter(|alert| alert["code"] == "unknown_dependency");
            alerts.map(|alert| alert["jobs"].clone()).collect::<Vec<_>>()
        };
        fleet.clock.advance(3600);
        assert!(told().await.is_empty(), "its time is not over");
        fleet.clock.advance(1);
        assert_eq!(told().await, [json!([waiting])]);
        fleet.submitted("---\nidempotency-key: nobody\n---\nx").await;
        assert!(told().await.is_empty(), "somebody is called so now");
        assert_eq!(fleet.job(&waiting).await["blockedBy"][0]["reason"], "pending");
    }

    async fn a_day_over_fifty_parked_jobs_changes_nothing_and_starts_nothing(fleet: &Fleet) {
        for nth in 0..50 {
            let (id, epoch) = fleet.building("---\nverify: ./check.sh\n---\nx").await;
            match nth % 3 {
                0 => fleet.prove(&id, epoch).await,
                1 => drop(fleet.act(&id, "stop", &json!({})).await),
                _ => drop(fleet.act(&id, "cancel", &json!({})).await),
            }
        }
        let jobs = async || fleet.get(&format!("{}?limit=100", route::JOBS)).await.body;
        let version = async || fleet.get(route::QUEUE_STATE).await.body;
        let before = (jobs().await, version().await);
        assert_eq!(before.0["jobs"].as_array().unwrap().len(), 50);
        for _ in 0..24 * 60 {
            fleet.clock.advance(60);
            fleet.coordinator.tick().await;
        }
        assert_eq!(fleet.claim("f1").await.status, StatusCode::NO_CONTENT, "nothing starts");
        assert_eq!((jobs().await, version().await), before);
    }

    async fn a_renewed_lease_is_left_alone(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        for _ in 0..5 {
            fleet.clock.advance(60);
            fleet.post(&route::fill(route::LEASE_RENEW, &[&id]), &json!({ "leaseEpoch": epoch })).await;
            fleet.coordinator.tick().await;
        }
        assert_eq!(fleet.job(&id).await["stage"], "building");
    }

    async fn a_job_that_is_never_started_is_taken_back(fleet: &Fleet) {
        let id = fleet.submitted("x").await;
        let (_, epoch) = fleet.claimed("f1").await;
        for _ in 0..3 {
            fleet.clock.advance(41);
            fleet.post(&route::fill(route::LEASE_RENEW, &[&id]), &json!({ "leaseEpoch": epoch })).await;
        }
        fleet.coordinator.tick().await;
        assert_eq!(fleet.job(&id).await["stage"], "queued");
    }

    async fn two_reapers_at_once_are_as_good_as_one(fleet: &Fleet) {
        let (id, _) = fleet.building("x").await;
        fleet.clock.advance(100);
        tokio::join!(fleet.coordinator.tick(), fleet.coordinator.tick(), fleet.coordinator.tick());
        assert_eq!(fleet.events(&id).await, ["submitted", "claimed", "started", "lease_expired"]);
    }
}

#[tokio::test]
async fn a_restart_expires_nobody_before_one_lease_time() {
    let fleet = Fleet::on_file();
    let (id, _) = fleet.building("x").await;
    fleet.clock.advance(1_000);
    let restarted = fleet.another();
    restarted.tick().await;
    assert_eq!(fleet.job(&id).await["stage"], "building");
    fleet.clock.advance(90);
    restarted.tick().await;
    assert_eq!(fleet.job(&id).await["stage"], "queued");
}

#[tokio::test]
async fn a_process_that_is_not_the_only_way_in_may_reap_at_once() {
    let fleet = Fleet::on_file();
    let (id, _) = fleet.building("x").await;
    fleet.clock.advance(1_000);
    let options = Options { grace: Grace::None, ..Options::default() };
    let other =
        Coordinator::open(fleet.folder.path(), options, fleet.clock.clone(), super::fixture::randomness()).unwrap();
    other.tick().await;
    assert_eq!(fleet.job(&id).await["stage"], "queued");
}

/// A process that dies between a change and the telling of its dependants leaves them to the next tick.
#[tokio::test]
async fn a_tick_unblocks_who_was_not_told() {
    let fleet = Fleet::on_file();
    let first = fleet.submitted("---\nidempotency-key: a\n---\nx").await;
    let second = fleet.submitted("---\ndeps: [a]\n---\nx").await;
    let db = rusqlite::Connection::open(fleet.folder.path().join("fleet.db")).unwrap();
    db.execute("UPDATE jobs SET stage = 'shipped' WHERE id = ?1", [&first]).unwrap();
    assert_eq!(fleet.job(&second).await["stage"], "blocked");
    fleet.coordinator.tick().await;
    assert_eq!(fleet.job(&second).await["stage"], "queued");
    assert_eq!(fleet.events(&second).await, ["submitted", "blocked", "unblocked"]);
}

/// As after `kill -9`: nothing is closed, and whoever opens next finds all that was answered.
#[tokio::test]
async fn what_was_answered_survives_a_process_that_just_stops() {
    let fleet = Fleet::on_file();
    let (id, epoch) = fleet.building("x").await;
    let before = fleet.job(&id).await;
    let Fleet { coordinator, clock, folder } = fleet;
    std::mem::forget(coordinator);
    let fleet = Fleet { coordinator: open(folder.path(), &clock), clock, folder };
    assert_eq!(fleet.job(&id).await, before);
    let renewed = fleet.post(&route::fill(route::LEASE_RENEW, &[&id]), &json!({ "leaseEpoch": epoch })).await;
    assert_eq!(renewed.body["directive"], "continue");
}
