//! Looking.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use fleet_protocol::{Bucket, Stage, route};
use serde_json::{Value, json};

use super::fixture::{Fleet, on_both};

on_both! {
    async fn health_readiness_and_version_are_told(fleet: &Fleet) {
        assert_eq!(fleet.get(route::HEALTH).await.status, StatusCode::OK);
        assert_eq!(fleet.get(route::READY).await.status, StatusCode::OK);
        assert_eq!(fleet.get(route::VERSION).await.body["version"], env!("CARGO_PKG_VERSION"));
    }

    async fn paging_brings_each_job_once_while_others_are_added(fleet: &Fleet) {
        let mut expected = Vec::new();
        for _ in 0..25 {
            expected.push(fleet.submitted("x").await);
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = fleet.get(&format!("{}?limit=10{cursor}", route::JOBS)).await.body;
            seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
            if expected.len() < 28 {
                expected.push(fleet.submitted("added").await);
            }
        }
        assert_eq!(seen, expected);
    }

    async fn two_hundred_that_wait_are_told_at_once_and_keep_nobody_waiting(fleet: &Fleet) {
        let version = fleet.get(route::QUEUE_STATE).await.body["version"].clone();
        let path = format!("{}?after={version}&waitMs=20000", route::QUEUE_STATE);
        let waiting = futures_util::future::join_all((0..200).map(|_| fleet.get(&path)));
        let others = async {
            assert_eq!(fleet.get(route::HEALTH).await.status, StatusCode::OK);
            assert_eq!(fleet.get(route::STATUS).await.status, StatusCode::OK);
            fleet.submitted("x").await
        };
        let (told, _) = tokio::join!(waiting, others);
        assert!(told.iter().all(|answer| answer.status == StatusCode::OK && answer.body["version"] != version));
    }

    async fn the_runs_of_a_job_come_in_pages(fleet: &Fleet) {
        let id = fleet.submitted("x").await;
        for _ in 0..5 {
            let (_, epoch) = fleet.claimed("f1").await;
            fleet.patch(&id, &json!({ "leaseEpoch": epoch, "stage": "building" })).await;
            fleet.act(&id, "requeue", &json!({})).await;
        }
        let path = route::fill(route::JOB_RUNS, &[&id]);
        let numbers = |body: &Value| -> Vec<u64> {
            body["runs"].as_array().unwrap().iter().map(|run| run["number"].as_u64().unwrap()).collect()
        };
        let (mut seen, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = fleet.get(&format!("{path}?limit=2{cursor}")).await.body;
            seen.extend(numbers(&page));
            pages.push(numbers(&page).len());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((seen, pages), (vec![1, 2, 3, 4, 5], vec![2, 2, 1]));
        assert_eq!(fleet.get(&format!("{path}?limit=0")).await.status, StatusCode::BAD_REQUEST);
    }

    async fn jobs_are_found_by_what_is_asked(fleet: &Fleet) {
        let tagged = fleet.submitted("---\ntags: [ui, web]\npriority: high\nengine: claude\n---\nx").await;
        let plain = fleet.submitted("x").await;
        fleet.act(&plain, "cancel", &json!({})).await;
        for (query, expected) in [
            ("tag=ui", &tagged),
            ("priority=high", &tagged),
            ("engine=claude", &tagged),
            ("stage=failed", &plain),
            ("stage=queued&tag=web", &tagged),
        ] {
            let jobs = fleet.get(&format!("{}?{query}", route::JOBS)).await.body["jobs"].clone();
            assert_eq!(jobs.as_array().unwrap().len(), 1, "{query}");
            assert_eq!(jobs[0]["id"], *expected, "{query}");
        }
        assert_eq!(fleet.get(&format!("{}?tag=ui&stage=failed", route::JOBS)).await.body["jobs"], json!([]));
    }

    async fn a_name_is_an_id_a_key_or_the_beginning_of_an_id(fleet: &Fleet) {
        let id = fleet.submitted("---\nidempotency-key: nightly\n---\nx").await;
        for name in [id.as_str(), "nightly", &id[..4], &id[..7]] {
            let found = fleet.get(&format!("{}?name={name}", route::JOBS)).await.body;
            assert_eq!(found["jobs"][0]["id"], id, "{name}");
        }
        for name in [&id[..3], "nobody", "zzzzzzzzzz"] {
            assert_eq!(fleet.get(&format!("{}?name={name}", route::JOBS)).await.body["jobs"], json!([]), "{name}");
        }
    }

    async fn events_are_numbered_from_one_and_read_after_a_place(fleet: &Fleet) {
        let (id, _) = fleet.building("x").await;
        let path = route::fill(route::JOB_EVENTS, &[&id]);
        let all = fleet.get(&path).await.body;
        let seqs: Vec<u64> = all["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, [1, 2, 3]);
        assert_eq!(all["events"][0]["actor"], "operator:ann");
        assert_eq!(all["events"][1]["actor"], "factory:f1");
        let later = fleet.get(&format!("{path}?after=1&limit=1")).await.body;
        assert_eq!((&later["events"][0]["seq"], &later["next"]), (&json!(2), &json!("2")));
        let last = fleet.get(&format!("{path}?after=1&limit=1&cursor=2")).await.body;
        assert_eq!((&last["events"][0]["type"], &last["next"]), (&json!("started"), &Value::Null));
    }

    async fn status_counts_every_bucket_and_stage(fleet: &Fleet) {
        let empty = fleet.get(route::STATUS).await.body;
        assert_eq!(empty["counts"].as_object().unwrap().len(), Bucket::ALL.len());
        assert_eq!(empty["stages"].as_object().unwrap().len(), Stage::ALL.len());
        let (id, _) = fleet.building("---\ntitle: Build it\n---\nx").await;
        fleet.submitted("y").await;
        fleet.clock.advance(7);
        let status = fleet.get(route::STATUS).await.body;
        assert_eq!((&status["counts"]["building"], &status["counts"]["inbox"]), (&json!(1), &json!(1)));
        let running = &status["running"][0];
        assert_eq!((&running["id"], &running["title"], &running["run"]), (&json!(id), &json!("Build it"), &json!(1)));
        assert_eq!((&running["elapsedMs"], &running["stalled"]), (&json!(7_000), &json!(false)));
    }

    async fn a_silent_run_is_shown_as_stalled(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        let stalled = async || fleet.get(route::STATUS).await.body["running"][0]["stalled"].clone();
        let since = async || fleet.get(&route::fill(route::JOB, &[&id])).await.body["stalledSince"].clone();
        assert_eq!(since().await, Value::Null);
        let start = fleet.get(route::STATUS).await.body["now"].clone();
        fleet.clock.advance(601);
        assert_eq!(stalled().await, true);
        assert_eq!(since().await, start, "the job's own view says since when");
        let note = json!({ "leaseEpoch": epoch, "run": 1, "stream": "worker", "offset": 0, "data": "saved\n" });
        fleet.post(&route::fill(route::JOB_LOGS, &[&id]), &note).await;
        assert_eq!(stalled().await, true, "the worker's own notes are no output");
        let line = json!({ "leaseEpoch": epoch, "run": 1, "stream": "stderr", "offset": 0, "data": "still here\n" });
        fleet.post(&route::fill(route::JOB_LOGS, &[&id]), &line).await;
        assert_eq!(stalled().await, false);
        assert_eq!(since().await, Value::Null);
        fleet.clock.advance(601);
        assert_eq!(stalled().await, true);
    }

    async fn what_needs_a_person_is_an_alert(fleet: &Fleet) {
        let first = fleet.submitted("---\nidempotency-key: a\n---\nx").await;
        let second = fleet.submitted("---\ndeps: [a]\n---\nx").await;
        fleet.act(&first, "cancel", &json!({})).await;
        let alerts = fleet.get(route::STATUS).await.body["alerts"].clone();
        assert_eq!(alerts[0]["code"], "dependency_failed");
        assert_eq!(alerts[0]["jobs"], json!([second, first]));
        fleet.act(&first, "requeue", &json!({})).await;
        assert_eq!(fleet.get(route::STATUS).await.body["alerts"], json!([]));

        let stuck = fleet.submitted("---\ncapabilities: [gpu]\n---\nx").await;
        fleet.claim("f1").await;
        let alerts = fleet.get(route::STATUS).await.body["alerts"].clone();
        assert_eq!((&alerts[0]["code"], &alerts[0]["jobs"]), (&json!("unroutable_job"), &json!([stuck])));
    }

    async fn explain_names_what_is_missing(fleet: &Fleet) {
        let id = fleet.submitted("---\ncapabilities: [gpu]\n---\nx").await;
        fleet.claim("f1").await;
        let explanation = fleet.get(&route::fill(route::JOB_EXPLAIN, &[&id])).await.body;
        assert_eq!(explanation["factories"][0]["factoryId"], "f1");
        assert_eq!(explanation["factories"][0]["eligible"], false);
        assert_eq!(explanation["factories"][0]["blockers"][0]["code"], "capability");
        assert!(explanation["next"].as_str().unwrap().contains("gpu"));
    }

    async fn the_queue_s_version_changes_with_the_queue(fleet: &Fleet) {
        let version = async || fleet.get(route::QUEUE_STATE).await.body["version"].as_u64().unwrap();
        let first = version().await;
        assert_eq!(version().await, first);
        let id = fleet.submitted("x").await;
        let second = version().await;
        assert_ne!(second, first);
        let start = Instant::now();
        let waiting = format!("{}?after={second}&waitMs=20000", route::QUEUE_STATE);
        let hold = json!({});
        let (answer, _) = tokio::join!(fleet.get(&waiting), fleet.act(&id, "hold", &hold));
        assert_ne!(answer.body["version"], second);
        assert!(start.elapsed() < Duration::from_secs(10), "it was not woken, it timed out");
        let past = fleet.get(&format!("{}?after={first}&waitMs=20000", route::QUEUE_STATE)).await;
        assert_ne!(past.body["version"], first);
    }
}
