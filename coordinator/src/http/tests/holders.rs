//! What holders say: reports, renewals, releases; and what former holders say.

use axum::http::{Method, StatusCode};
use fleet_protocol::route;
use serde_json::{Value, json};

use super::fixture::{Fleet, TTL, job_path, on_both, proof, request, with};

/// Every write that a holder can make.
fn writes(id: &str, epoch: u64) -> Vec<(Method, String, Value)> {
    let checkpoint = json!({ "commit": "beef", "branch": "refs/fleet/wip/x" });
    vec![
        (Method::PATCH, job_path(id), json!({ "leaseEpoch": epoch, "stage": "building" })),
        (Method::PATCH, job_path(id), json!({ "leaseEpoch": epoch, "checkpoint": checkpoint })),
        (Method::PATCH, job_path(id), proof(epoch)),
        (Method::POST, route::fill(route::LEASE_RENEW, &[id]), json!({ "leaseEpoch": epoch })),
        (Method::POST, route::fill(route::LEASE_RELEASE, &[id]), json!({ "leaseEpoch": epoch, "result": "preempted" })),
        (
            Method::POST,
            route::fill(route::JOB_LOGS, &[id]),
            json!({ "leaseEpoch": epoch, "run": 1, "stream": "stdout", "offset": 0, "data": "late" }),
        ),
    ]
}

on_both! {
    async fn a_run_goes_from_start_to_testing(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: ./check.sh\n---\nx").await;
        let progress = json!({ "leaseEpoch": epoch, "progress": { "percent": 50.0 } });
        assert_eq!(fleet.patch(&id, &progress).await.body["progress"]["percent"], 50.0);
        fleet.prove(&id, epoch).await;
        let job = fleet.job(&id).await;
        assert_eq!((&job["result"], &job["headCommit"]), (&json!("ok"), &json!("c0ffee")));
        assert_eq!(fleet.events(&id).await, ["submitted", "claimed", "started", "progress", "verify_passed"]);
        let runs = fleet.get(&route::fill(route::JOB_RUNS, &[&id])).await.body;
        assert_eq!(runs["runs"][0]["evidence"]["verify"]["exitCode"], 0);
    }

    async fn a_stale_epoch_changes_nothing_but_leaves_one_line(fleet: &Fleet) {
        let (id, old) = fleet.building("x").await;
        fleet.act(&id, "requeue", &json!({})).await;
        let (_, new) = fleet.claimed("f2").await;
        assert!(new > old);
        let before = fleet.job(&id).await;
        let events = fleet.events(&id).await.len();
        for (method, path, body) in writes(&id, old) {
            let answer = fleet.send(request(method, &path, &body.to_string())).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "fenced"), "{path} {body}");
            assert_eq!(answer.body["error"]["details"]["currentEpoch"], new);
        }
        assert_eq!(fleet.job(&id).await, before);
        assert_eq!(fleet.events(&id).await.len(), events + 1);
        assert_eq!(fleet.events(&id).await.last().unwrap(), "fenced");
        let log = fleet.get(&format!("{}?run=1", route::fill(route::JOB_LOGS, &[&id]))).await;
        assert_eq!(log.body["size"], 0);
    }

    async fn of_two_reports_that_expect_the_same_rev_one_is_taken_and_one_is_a_conflict(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let rev = fleet.job(&id).await["rev"].as_u64().unwrap();
        let report = |percent: f64| json!({ "leaseEpoch": epoch, "expectRev": rev, "progress": { "percent": percent } });
        let (one, two) = (report(10.0), report(20.0));
        let (one, two) = tokio::join!(fleet.patch(&id, &one), fleet.patch(&id, &two));
        let mut codes = [one.status, two.status];
        codes.sort();
        assert_eq!(codes, [StatusCode::OK, StatusCode::CONFLICT]);
        let (taken, refused) = if one.status == StatusCode::OK { (one, two) } else { (two, one) };
        assert_eq!(refused.code(), "conflict");
        assert_eq!(refused.body["error"]["details"]["rev"], rev + 1);
        let job = fleet.job(&id).await;
        assert_eq!((&job["rev"], &job["progress"]), (&json!(rev + 1), &taken.body["progress"]), "nothing of the other one");
    }

    async fn a_stale_holder_with_an_old_rev_hears_that_it_is_fenced_off(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let rev = fleet.job(&id).await["rev"].clone();
        fleet.act(&id, "requeue", &json!({})).await;
        let late = fleet.patch(&id, &json!({ "leaseEpoch": epoch, "expectRev": rev, "stage": "building" })).await;
        assert_eq!(late.code(), "fenced");
    }

    async fn an_epoch_from_the_future_is_invalid(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let before = fleet.job(&id).await;
        for (method, path, body) in writes(&id, epoch + 1) {
            let answer = fleet.send(request(method, &path, &body.to_string())).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "invalid_epoch"), "{path} {body}");
        }
        assert_eq!(fleet.job(&id).await, before);
    }

    async fn another_factory_cannot_use_the_holder_s_epoch(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let before = fleet.job(&id).await;
        for (method, path, body) in writes(&id, epoch) {
            let stranger = with(request(method, &path, &body.to_string()), route::ACTOR_HEADER, "factory:f2");
            assert_eq!(fleet.send(stranger).await.code(), "fenced", "{path} {body}");
        }
        assert_eq!(fleet.job(&id).await, before);
    }

    async fn nothing_moves_a_shipped_job(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
        fleet.prove(&id, epoch).await;
        fleet.act(&id, "ship", &json!({})).await;
        let before = fleet.job(&id).await;
        for (method, path, body) in writes(&id, epoch) {
            let answer = fleet.send(request(method, &path, &body.to_string())).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "invalid_transition"), "{path} {body}");
        }
        assert_eq!(fleet.job(&id).await, before);
    }

    async fn a_renewal_prolongs_the_lease_and_is_no_change_of_the_job(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let before = fleet.job(&id).await;
        let version = fleet.get(route::QUEUE_STATE).await.body;
        fleet.clock.advance(60);
        let answer = fleet.post(&route::fill(route::LEASE_RENEW, &[&id]), &json!({ "leaseEpoch": epoch })).await;
        assert_eq!(answer.body, json!({ "ttlMs": TTL.millis(), "directive": "continue" }));
        let after = fleet.job(&id).await;
        assert_ne!(after["lease"]["expiresAt"], before["lease"]["expiresAt"]);
        assert_eq!((&after["rev"], &after["updatedAt"]), (&before["rev"], &before["updatedAt"]));
        assert_eq!(fleet.get(route::QUEUE_STATE).await.body, version);
    }

    async fn many_leases_are_renewed_at_once_and_judged_alone(fleet: &Fleet) {
        let (first, epoch) = fleet.building("x").await;
        let (second, _) = fleet.building("y").await;
        let nobody = "0000000000";
        let leases = json!({ "leases": [
            { "jobId": first, "leaseEpoch": epoch },
            { "jobId": second, "leaseEpoch": 7 },
            { "jobId": nobody, "leaseEpoch": 1 },
        ]});
        let answer = fleet.post(route::LEASES_RENEW, &leases).await;
        assert_eq!(answer.status, StatusCode::OK);
        let leases = &answer.body["leases"];
        assert_eq!(leases[0], json!({ "jobId": first, "ttlMs": TTL.millis(), "directive": "continue" }));
        assert_eq!(leases[1]["error"]["code"], "invalid_epoch");
        assert_eq!(leases[2]["error"]["code"], "not_found");
    }

    async fn a_paused_run_is_told_so_at_its_renewal(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        fleet.act(&id, "pause", &json!({})).await;
        let renew = route::fill(route::LEASE_RENEW, &[&id]);
        assert_eq!(fleet.post(&renew, &json!({ "leaseEpoch": epoch })).await.body["directive"], "pause");
        fleet.act(&id, "resume", &json!({})).await;
        assert_eq!(fleet.post(&renew, &json!({ "leaseEpoch": epoch })).await.body["directive"], "resume");
    }

    async fn a_job_handed_back_is_queued_with_its_checkpoint_and_no_attempt(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let checkpoint = json!({ "commit": "beef", "branch": "refs/fleet/wip/x" });
        let release = json!({ "leaseEpoch": epoch, "result": "preempted", "checkpoint": checkpoint });
        let answer = fleet.post(&route::fill(route::LEASE_RELEASE, &[&id]), &release).await;
        assert_eq!((&answer.body["stage"], &answer.body["attempts"]), (&json!("queued"), &json!(0)));
        let again = fleet.claim("f2").await.body;
        assert_eq!((&again["checkpoint"], &again["lease"]["epoch"]), (&checkpoint, &json!(2)));
    }

    async fn a_stage_that_the_evidence_does_not_support_is_refused(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
        let mut report = proof(epoch);
        report["evidence"]["verify"]["exitCode"] = json!(1);
        report["stage"] = json!("testing");
        assert_eq!(fleet.patch(&id, &report).await.code(), "invalid_transition");
        assert_eq!(fleet.job(&id).await["stage"], "building");
    }

    async fn an_operator_acts_on_what_was_seen(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
        fleet.prove(&id, epoch).await;
        let seen = fleet.job(&id).await["rev"].as_u64().unwrap();
        let stale = fleet.act(&id, "ship", &json!({ "expectRev": seen - 1 })).await;
        assert_eq!((stale.code(), &stale.body["error"]["details"]["rev"]), ("conflict", &json!(seen)));
        let shipped = fleet.act(&id, "ship", &json!({ "expectRev": seen, "commit": "abc" })).await;
        assert_eq!(shipped.body["stage"], "shipped");
        assert_eq!(fleet.act(&id, "ship", &json!({})).await.code(), "invalid_transition");
    }

    async fn a_requeued_job_is_blocked_while_its_dependencies_are_unmet(fleet: &Fleet) {
        let first = fleet.submitted("---\nidempotency-key: a\nverify: x\n---\nx").await;
        let (_, epoch) = fleet.claimed("f1").await;
        fleet.patch(&first, &json!({ "leaseEpoch": epoch, "stage": "building" })).await;
        fleet.prove(&first, epoch).await;
        let second = fleet.submitted("---\ndeps: [a]\ndeps-mode: soft\n---\ny").await;
        let (claimed, epoch) = fleet.claimed("f1").await;
        assert_eq!(claimed, second);
        fleet.act(&first, "reject", &json!({})).await;
        fleet.patch(&second, &json!({ "leaseEpoch": epoch, "result": "crash" })).await;
        let back = fleet.act(&second, "requeue", &json!({})).await.body;
        assert_eq!((&back["stage"], &back["blockedBy"][0]["reason"]), (&json!("blocked"), &json!("dependency_failed")));
    }
}
