//! Every way to be refused has the one shape.

use axum::http::{Method, StatusCode};
use fleet_protocol::{ErrorCode, route};
use serde_json::json;

use super::fixture::{Fleet, claim, job_path, on_both, request, with};

const NOBODY: &str = "0000000000";

on_both! {
    async fn every_error_has_the_one_shape(fleet: &Fleet) {
        let nobody = job_path(NOBODY);
        let logs = route::fill(route::JOB_LOGS, &[NOBODY]);
        let act = route::fill(route::JOB_ACTION, &[NOBODY, "fly"]);
        let ship = route::fill(route::JOB_ACTION, &[NOBODY, "ship"]);
        let renew = route::fill(route::LEASE_RENEW, &[NOBODY]);
        let table = [
            (Method::GET, "/api/fleet/nothing", "", 404, ErrorCode::NotFound),
            (Method::GET, "/", "", 404, ErrorCode::NotFound),
            (Method::DELETE, nobody.as_str(), "", 405, ErrorCode::InvalidRequest),
            (Method::GET, route::CLAIM, "", 405, ErrorCode::InvalidRequest),
            (Method::GET, nobody.as_str(), "", 404, ErrorCode::NotFound),
            (Method::GET, "/api/fleet/jobs/..%2f..%2fetc", "", 404, ErrorCode::NotFound),
            (Method::GET, "/api/fleet/jobs/%ff", "", 404, ErrorCode::NotFound),
            (Method::GET, "/api/fleet/jobs?stage=flying", "", 400, ErrorCode::InvalidRequest),
            (Method::GET, "/api/fleet/jobs?color=red", "", 400, ErrorCode::InvalidRequest),
            (Method::GET, "/api/fleet/jobs?cursor=x", "", 400, ErrorCode::InvalidRequest),
            (Method::GET, "/api/fleet/jobs?limit=0", "", 400, ErrorCode::InvalidRequest),
            (Method::GET, logs.as_str(), "", 404, ErrorCode::NotFound),
            (Method::POST, act.as_str(), "{}", 400, ErrorCode::InvalidRequest),
            (Method::POST, ship.as_str(), "{}", 404, ErrorCode::NotFound),
            (Method::POST, ship.as_str(), r#"{"why": "x"}"#, 400, ErrorCode::InvalidRequest),
            (Method::POST, renew.as_str(), "", 400, ErrorCode::InvalidRequest),
            (Method::POST, renew.as_str(), r#"{"leaseEpoch": 1}"#, 404, ErrorCode::NotFound),
            (Method::PATCH, nobody.as_str(), "[]", 400, ErrorCode::InvalidRequest),
            (Method::PATCH, nobody.as_str(), "{", 400, ErrorCode::InvalidRequest),
            (Method::POST, route::CLAIM, "{}", 400, ErrorCode::InvalidRequest),
            (Method::POST, route::JOBS, "{", 400, ErrorCode::InvalidRequest),
        ];
        for (method, path, body, status, code) in table {
            let answer = fleet.send(request(method.clone(), path, body)).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (status, code.as_str()), "{method} {path} {body}");
            let error = answer.body["error"].as_object().unwrap();
            assert!(!error["message"].as_str().unwrap().is_empty() && error["details"].is_object(), "{error:?}");
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    }

    async fn a_wrong_method_is_told_the_right_ones(fleet: &Fleet) {
        let answer = fleet.send(request(Method::PUT, &job_path(NOBODY), "")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.headers["allow"].to_str().unwrap().contains("PATCH"));
    }

    async fn every_wrong_parameter_is_told(fleet: &Fleet) {
        let answer = fleet.get("/api/fleet/jobs?stage=flying&color=red&limit=many&tag=fine").await;
        let fields: Vec<&str> = answer.body["error"]["details"]["errors"]
            .as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["stage", "color", "limit"]);
    }

    async fn a_job_of_another_product_is_no_job(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let before = fleet.job(&id).await;
        let text = json!({ "leaseEpoch": epoch, "run": 1, "stream": "stdout", "offset": 0, "data": "x" });
        let table = [
            (Method::GET, job_path(&id), json!({})),
            (Method::PATCH, job_path(&id), json!({ "leaseEpoch": epoch, "result": "crash" })),
            (Method::GET, route::fill(route::JOB_BODY, &[&id]), json!({})),
            (Method::GET, route::fill(route::JOB_SOURCE, &[&id]), json!({})),
            (Method::POST, route::fill(route::JOB_ACTION, &[&id, "cancel"]), json!({})),
            (Method::GET, route::fill(route::JOB_EXPLAIN, &[&id]), json!({})),
            (Method::GET, route::fill(route::JOB_RUNS, &[&id]), json!({})),
            (Method::GET, route::fill(route::JOB_EVENTS, &[&id]), json!({})),
            (Method::GET, route::fill(route::JOB_LOGS, &[&id]), json!({})),
            (Method::POST, route::fill(route::JOB_LOGS, &[&id]), text),
            (Method::POST, route::fill(route::LEASE_RENEW, &[&id]), json!({ "leaseEpoch": epoch })),
            (Method::POST, route::fill(route::LEASE_RELEASE, &[&id]), json!({ "leaseEpoch": epoch, "result": "crash" })),
        ];
        for (method, path, body) in table {
            let body = if method == Method::GET { String::new() } else { body.to_string() };
            let foreign = with(request(method.clone(), &path, &body), route::PRODUCT_HEADER, "other");
            let answer = fleet.send(foreign).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "not_found"), "{method} {path}");
        }
        assert_eq!(fleet.job(&id).await, before);
        let list = with(request(Method::GET, route::JOBS, ""), route::PRODUCT_HEADER, "other");
        assert_eq!(fleet.send(list).await.body["jobs"], json!([]));
        fleet.submitted("y").await;
        let ask = with(request(Method::POST, route::CLAIM, &claim("f").to_string()), route::PRODUCT_HEADER, "other");
        assert_eq!(fleet.send(ask).await.reason(), Some("none_queued"));
    }

    async fn names_in_headers_must_be_names(fleet: &Fleet) {
        for (header, value) in [
            (route::ACTOR_HEADER, "coordinator"),
            (route::ACTOR_HEADER, ""),
            (route::PRODUCT_HEADER, " "),
            (route::IDEMPOTENCY_HEADER, ""),
        ] {
            let id = fleet.submitted("x").await;
            let act = route::fill(route::JOB_ACTION, &[&id, "hold"]);
            let answer = fleet.send(with(request(Method::POST, &act, "{}"), header, value)).await;
            assert_eq!(answer.code(), "invalid_request", "{header}: {value}");
        }
    }

    async fn a_factory_opens_no_gate(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
        fleet.prove(&id, epoch).await;
        let ship = route::fill(route::JOB_ACTION, &[&id, "ship"]);
        let answer = fleet.send(with(request(Method::POST, &ship, "{}"), route::ACTOR_HEADER, "factory:f1")).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "forbidden"));
    }
}
