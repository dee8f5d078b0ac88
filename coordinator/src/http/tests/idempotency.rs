//! A request with an idempotency key has its effect once.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use fleet_protocol::route;
use serde_json::json;

use super::fixture::{Fleet, job_path, on_both, proof, request, with};

fn keyed(method: Method, path: &str, body: &str, key: &str) -> Request<Body> {
    with(request(method, path, body), route::IDEMPOTENCY_HEADER, key)
}

fn task(text: &str, key: &str) -> Request<Body> {
    with(keyed(Method::POST, route::JOBS, text, key), "content-type", "text/markdown")
}

on_both! {
    async fn a_repeated_submit_is_answered_and_not_done_again(fleet: &Fleet) {
        let first = fleet.send(task("x", "k")).await;
        let second = fleet.send(task("x", "k")).await;
        assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::CREATED));
        assert_eq!(first.body, second.body);
        assert_eq!(fleet.get(route::JOBS).await.body["jobs"].as_array().unwrap().len(), 1);
    }

    async fn the_key_of_another_request_is_refused(fleet: &Fleet) {
        let first = fleet.send(task("x", "k")).await;
        let other = fleet.send(task("y", "k")).await;
        assert_eq!((other.status, other.code()), (StatusCode::CONFLICT, "idempotency_conflict"));
        let act = route::fill(route::JOB_ACTION, &[&first.id(), "hold"]);
        assert_eq!(fleet.send(keyed(Method::POST, &act, "{}", "k")).await.code(), "idempotency_conflict");
        assert_eq!(fleet.job(&first.id()).await["held"], false);
    }

    async fn three_times_the_same_change_is_one_event(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
        let ship = route::fill(route::JOB_ACTION, &[&id, "ship"]);
        let changes = [
            keyed(Method::PATCH, &job_path(&id), &proof(epoch).to_string(), "proof"),
            keyed(Method::POST, &ship, "{}", "ship"),
        ];
        for change in changes {
            let (parts, body) = change.into_parts();
            let body = axum::body::to_bytes(body, 10_000).await.unwrap();
            let before = fleet.events(&id).await.len();
            let mut answers = Vec::new();
            for _ in 0..3 {
                let answer = fleet.send(Request::from_parts(parts.clone(), Body::from(body.clone()))).await;
                assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
                answers.push(answer.body);
            }
            assert_eq!(fleet.events(&id).await.len(), before + 1);
            assert!(answers.iter().all(|answer| *answer == answers[0]));
        }
        assert_eq!(fleet.job(&id).await["stage"], "shipped");
    }

    async fn the_same_request_under_way_twice_has_one_effect(fleet: &Fleet) {
        let answers = futures_util::future::join_all((0..16).map(|_| fleet.send(task("x", "k")))).await;
        let id = answers[0].id();
        assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED && answer.id() == id));
        assert_eq!(fleet.get(route::JOBS).await.body["jobs"].as_array().unwrap().len(), 1);
    }

    async fn a_refused_request_is_judged_anew(fleet: &Fleet) {
        let id = fleet.submitted("x").await;
        let release = route::fill(route::JOB_ACTION, &[&id, "release"]);
        assert_eq!(fleet.send(keyed(Method::POST, &release, "{}", "k")).await.code(), "invalid_transition");
        fleet.act(&id, "hold", &json!({})).await;
        assert_eq!(fleet.send(keyed(Method::POST, &release, "{}", "k")).await.status, StatusCode::OK);
    }

    async fn the_same_key_of_two_products_is_two_keys(fleet: &Fleet) {
        let first = fleet.send(task("x", "k")).await;
        let other = fleet.send(with(task("x", "k"), route::PRODUCT_HEADER, "other")).await;
        assert_eq!(other.status, StatusCode::CREATED);
        assert_ne!(first.id(), other.id());
    }
}

#[tokio::test]
async fn an_answer_outlives_the_process_that_gave_it() {
    let fleet = Fleet::on_file();
    let first = fleet.send(task("x", "k")).await;
    let again = super::fixture::send(&fleet.another(), task("x", "k")).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
}
