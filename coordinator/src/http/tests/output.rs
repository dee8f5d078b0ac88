//! The output of runs.

use axum::http::StatusCode;
use fleet_protocol::route;
use serde_json::{Value, json};

use super::fixture::{Answer, Fleet, on_both};

async fn put(fleet: &Fleet, id: &str, epoch: u64, offset: u64, data: Value) -> Answer {
    let mut append = json!({ "leaseEpoch": epoch, "run": epoch, "stream": "stdout", "offset": offset });
    append.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    fleet.post(&route::fill(route::JOB_LOGS, &[id]), &append).await
}

async fn read(fleet: &Fleet, id: &str, query: &str) -> Value {
    fleet.get(&format!("{}{query}", route::fill(route::JOB_LOGS, &[id]))).await.body
}

on_both! {
    async fn output_is_kept_by_its_offset(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        assert_eq!(put(fleet, &id, epoch, 0, json!({ "data": "one\n" })).await.body, json!({ "nextOffset": 4 }));
        assert_eq!(put(fleet, &id, epoch, 0, json!({ "data": "one\n" })).await.body, json!({ "nextOffset": 4 }));
        assert_eq!(put(fleet, &id, epoch, 2, json!({ "data": "e\ntwo\n" })).await.body, json!({ "nextOffset": 8 }));
        let gap = put(fleet, &id, epoch, 9, json!({ "data": "three" })).await;
        assert_eq!((gap.status, gap.code()), (StatusCode::CONFLICT, "conflict"));
        assert_eq!(gap.body["error"]["details"]["expectedOffset"], 8);
        let all = read(fleet, &id, "").await;
        assert_eq!(all["data"], "one\ntwo\n");
        assert_eq!((&all["nextOffset"], &all["size"], &all["run"]), (&json!(8), &json!(8), &json!(1)));
        assert_eq!(read(fleet, &id, "?offset=4&limit=4").await["data"], "two\n");
        assert_eq!(read(fleet, &id, "?stream=verify").await["size"], 0);
        assert_eq!(read(fleet, &id, "?run=9").await["error"]["code"], "not_found");
    }

    async fn bytes_may_be_sent_as_they_are(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let path = route::fill(route::JOB_LOGS, &[&id]);
        let send = async |query: &str, kind: &str, bytes: &'static [u8]| {
            let request = http::Request::post(format!("{path}?{query}"))
                .header("content-type", kind)
                .header(route::ACTOR_HEADER, "factory:f1")
                .body(axum::body::Body::from(bytes))
                .unwrap();
            fleet.send(request).await
        };
        let place = |offset: u64| format!("leaseEpoch={epoch}&run=1&stream=stdout&offset={offset}");
        let octets = "application/octet-stream";
        assert_eq!(send(&place(0), octets, b"one \xff\n").await.body, json!({ "nextOffset": 6 }));
        assert_eq!(send(&place(4), octets, b"\xff\ntwo\n").await.body, json!({ "nextOffset": 10 }));
        assert_eq!(read(fleet, &id, "").await["data"], "one \u{fffd}\ntwo\n");
        let gap = send(&place(11), octets, b"x").await;
        assert_eq!(gap.body["error"]["details"]["expectedOffset"], 10);
        assert_eq!(send("run=1", octets, b"x").await.code(), "invalid_request");
        assert_eq!(send(&place(10), "text/plain", b"x").await.code(), "invalid_request");
        assert_eq!(read(fleet, &id, "").await["size"], 10);
    }

    async fn bytes_that_are_no_text_are_sent_as_base64(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        put(fleet, &id, epoch, 0, json!({ "data": "//79Cg==", "encoding": "base64" })).await;
        let all = read(fleet, &id, "").await;
        assert_eq!((&all["size"], &all["lossy"]), (&json!(4), &json!(true)));
        assert_eq!(all["data"], "\u{fffd}\u{fffd}\u{fffd}\n");
        let wrong = put(fleet, &id, epoch, 4, json!({ "data": "!!", "encoding": "base64" })).await;
        assert_eq!(wrong.code(), "invalid_request");
    }

    async fn a_letter_is_never_cut_between_two_reads(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        // The first two of the three bytes of a euro sign.
        put(fleet, &id, epoch, 0, json!({ "data": "YeKC", "encoding": "base64" })).await;
        let first = read(fleet, &id, "").await;
        assert_eq!((&first["data"], &first["nextOffset"]), (&json!("a"), &json!(1)));
        put(fleet, &id, epoch, 3, json!({ "data": "rA==", "encoding": "base64" })).await;
        assert_eq!(read(fleet, &id, "?offset=1").await["data"], "€");
    }

    async fn too_much_at_once_is_refused(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let largest = "x".repeat(1024 * 1024);
        assert_eq!(put(fleet, &id, epoch, 0, json!({ "data": largest })).await.status, StatusCode::OK);
        assert_eq!(put(fleet, &id, epoch, 0, json!({ "data": format!("{largest}x") })).await.code(), "too_large");
        assert_eq!(put(fleet, &id, epoch, 0, json!({ "data": "x".repeat(7 * 1024 * 1024) })).await.code(), "too_large");
    }

    async fn the_last_lines_may_come_after_the_end(fleet: &Fleet) {
        let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
        fleet.prove(&id, epoch).await;
        assert_eq!(put(fleet, &id, epoch, 0, json!({ "data": "bye\n" })).await.status, StatusCode::OK);
    }

    async fn output_of_a_run_that_is_not_the_sender_s_is_refused(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let answer = put(fleet, &id, epoch, 0, json!({ "data": "x", "run": 2 })).await;
        assert_eq!(answer.code(), "invalid_request");
        assert!(!fleet.folder.path().join("logs").join(&id).exists());
    }

    async fn a_job_that_never_ran_has_no_output(fleet: &Fleet) {
        let id = fleet.submitted("x").await;
        assert_eq!(read(fleet, &id, "").await["size"], 0);
    }
}
