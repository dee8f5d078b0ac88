//! Taking jobs in.

use axum::http::{Method, StatusCode};
use fleet_protocol::route;
use serde_json::json;

use super::fixture::{Fleet, on_both, request, with};

const KEYED: &str = "---\nidempotency-key: nightly\n---\n# Nightly\n\nDo it.\n";

on_both! {
    async fn a_task_file_becomes_a_queued_job(fleet: &Fleet) {
        let text = "---\nverify: ./check.sh\npriority: high\n---\n# Add validation\n\nTo the form.\n";
        let answer = fleet.task_with(text, "?file=add-validation.md&repo=%2Fsrv%2Fshop").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let job = answer.body;
        assert_eq!(job["title"], "Add validation");
        assert_eq!(job["stage"], "queued");
        assert_eq!(job["priority"], "high");
        assert_eq!(job["file"], "add-validation.md");
        assert_eq!(job["repo"], "/srv/shop");
        assert_eq!(job["rev"], 1);
        assert_eq!(job["actions"], json!(["cancel", "hold"]));
        let id = job["id"].as_str().unwrap();
        assert_eq!(fleet.job(id).await, job);
        assert_eq!(fleet.events(id).await, ["submitted"]);
        assert_eq!(fleet.get(&route::fill(route::JOB_SOURCE, &[id])).await.body, text);
        let body = fleet.get(&route::fill(route::JOB_BODY, &[id])).await;
        assert_eq!(body.body, "# Add validation\n\nTo the form.\n");
        assert_eq!(body.headers["content-type"], "text/markdown; charset=utf-8");
    }

    async fn a_job_that_is_submitted_again_without_its_lock_waits_behind_nobody(fleet: &Fleet) {
        fleet.submitted("---\nlock: L\n---\n# First\n").await;
        let text = |lock: &str| format!("---\nidempotency-key: again\n{lock}---\n# Second\n");
        let id = fleet.submitted(&text("lock: L\n")).await;
        fleet.claimed("f1").await;
        assert_eq!(fleet.task(&text("")).await.status, StatusCode::OK, "its content is replaced");
        assert_eq!(fleet.claimed("f1").await.0, id);
    }

    async fn json_is_taken_like_a_task_file(fleet: &Fleet) {
        let answer = fleet.post(route::JOBS, &json!({ "title": "Fix it", "body": "Now.", "priority": 1 })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        assert_eq!(answer.body["priority"], "critical");
        assert_eq!(fleet.get(&route::fill(route::JOB_BODY, &[&answer.id()])).await.body, "Now.");
    }

    async fn two_jobs_never_share_a_file_name(fleet: &Fleet) {
        let first = fleet.task_with("a", "?file=same.md").await.body;
        let second = fleet.task_with("b", "?file=same.md").await.body;
        let short = &second["id"].as_str().unwrap()[..4];
        assert_eq!(first["file"], "same.md");
        assert_eq!(second["file"], format!("same-{short}.md"));
    }

    async fn every_mistake_is_told_at_once_and_nothing_is_stored(fleet: &Fleet) {
        let answer = fleet.task("---\npriority: soon\ntimeout: 5 parsecs\nretry: maybe\n---\nx").await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "invalid_request"));
        assert_eq!(answer.body["error"]["details"]["errors"].as_array().unwrap().len(), 3, "{:?}", answer.body);
        assert_eq!(fleet.get(route::JOBS).await.body["jobs"], json!([]));
    }

    async fn what_is_not_supported_is_refused_with_every_reason(fleet: &Fleet) {
        let answer = fleet.task("---\nruntime: docker\nschedule: 0 9 * * 1\nprofile: nobody\n---\nx").await;
        assert_eq!(answer.code(), "invalid_request");
        let keys: Vec<&str> = answer.body["error"]["details"]["errors"]
            .as_array().unwrap().iter().map(|error| error["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["runtime", "schedule", "profile"]);
        assert!(answer.message().contains("known: careful"), "{}", answer.message());
    }

    async fn mistakes_of_every_kind_are_told_together_in_the_order_of_the_file(fleet: &Fleet) {
        let text = "---\nruntime: docker\nproject: shpo\npriority: soon\nprofile: nobody\nengine: clade\ntags: [a\n---\nx";
        for query in ["", "?dryRun=true"] {
            let answer = fleet.task_with(text, query).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "invalid_request"));
            let told: Vec<String> = answer.body["error"]["details"]["errors"]
                .as_array().unwrap().iter()
                .map(|error| format!("{}:{} {}", error["line"], error["column"], error["key"].as_str().unwrap_or("")))
                .collect();
            let expected = ["2:10 runtime", "3:10 project", "4:11 priority", "5:10 profile", "6:9 engine"];
            assert_eq!(told[..5], expected, "{}", answer.message());
            assert_eq!(told.len(), 6, "and the list that does not end: {told:?}");
        }
        assert_eq!(fleet.get(route::JOBS).await.body["jobs"], json!([]));
        let kept = fleet.task_with(text, "?keepInvalid=true&file=dropped.md").await;
        let message = kept.body["message"].as_str().unwrap();
        for expected in ["2:10: ", "3:10: ", "4:11: ", "5:10: ", "6:9: "] {
            assert!(message.lines().any(|line| line.starts_with(expected)), "{message}");
        }
    }

    async fn a_value_that_may_be_a_secret_is_not_judged_further(fleet: &Fleet) {
        let secret = format!("ghp_{}", "a1B2".repeat(9));
        for key in ["engine", "project", "profile"] {
            let answer = fleet.task(&format!("---\n{key}: {secret}\npriority: soon\n---\nx")).await;
            assert_eq!(answer.body["error"]["details"]["errors"].as_array().unwrap().len(), 2, "{}", answer.message());
            assert!(!answer.body.to_string().contains(&secret), "{}", answer.message());
        }
    }

    async fn an_untrusted_task_is_against_policy(fleet: &Fleet) {
        let answer = fleet.task("---\ntrust: untrusted\n---\nx").await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "forbidden"));
    }

    async fn a_profile_completes_the_job_and_its_version_is_kept(fleet: &Fleet) {
        let job = fleet.task("---\nprofile: careful\n---\nx").await.body;
        assert_eq!(job["manifest"]["verify"], "npm test");
        let version = job["profile"]["version"].as_str().unwrap();
        let text = fleet.get(&route::fill(route::PROFILE_VERSION, &["careful", version])).await;
        assert!(text.body.as_str().unwrap().contains("You are careful."));
        assert_eq!(fleet.get(&route::fill(route::PROFILE_VERSION, &["careful", "nope"])).await.code(), "not_found");
        let claimed = fleet.claim("f1").await;
        assert_eq!(claimed.body["persona"], "You are careful.\n");
        assert_eq!(claimed.body["body"], "x");
    }

    async fn a_dry_run_shows_what_would_be_and_stores_nothing(fleet: &Fleet) {
        let answer = fleet.task_with("---\nprofile: careful\npriority: low\nodd-key: 1\n---\n# T\n", "?dryRun=true").await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert_eq!(answer.body["title"], "T");
        assert_eq!(answer.body["origins"]["verify"], "profile");
        assert_eq!(answer.body["origins"]["priority"], "job");
        assert_eq!(answer.body["warnings"].as_array().unwrap().len(), 1);
        assert_eq!(fleet.get(route::JOBS).await.body["jobs"], json!([]));
    }

    async fn a_malformed_file_can_be_kept_as_a_failed_job(fleet: &Fleet) {
        let text = "---\npriority: soon\n---\nx";
        let answer = fleet.task_with(text, "?keepInvalid=true&file=dropped.md").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let job = &answer.body;
        assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("invalid_manifest")));
        assert_eq!((&job["runs"], &job["file"]), (&json!(0), &json!("dropped.md")));
        assert!(job["message"].as_str().unwrap().contains("2:"), "{}", job["message"]);
        assert_eq!(fleet.get(&route::fill(route::JOB_SOURCE, &[&answer.id()])).await.body, text);
        assert_eq!(fleet.get(&route::fill(route::JOB_RUNS, &[&answer.id()])).await.body["runs"], json!([]));
    }

    async fn the_same_key_and_content_is_the_same_job(fleet: &Fleet) {
        let first = fleet.submitted(KEYED).await;
        let second = fleet.task(KEYED).await;
        assert_eq!((second.status, second.id()), (StatusCode::OK, first.clone()));
        assert_eq!(fleet.events(&first).await, ["submitted"]);
    }

    async fn another_content_replaces_a_job_that_nobody_has_begun(fleet: &Fleet) {
        let id = fleet.submitted(KEYED).await;
        let answer = fleet.task(&KEYED.replace("Do it", "Do it well")).await;
        assert_eq!((answer.status, answer.id()), (StatusCode::OK, id.clone()));
        assert_eq!(answer.body["rev"], 2);
        let body = fleet.get(&route::fill(route::JOB_BODY, &[&id])).await.body;
        assert!(body.as_str().unwrap().contains("Do it well"));
        assert_eq!(fleet.events(&id).await, ["submitted", "submitted"]);
        assert_eq!(fleet.claimed("f1").await.0, id);
        let late = fleet.task(KEYED).await;
        assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, "conflict"));
        assert_eq!(late.body["error"]["details"]["jobId"], id);
    }

    async fn dedupe_makes_one_job_of_equal_submissions(fleet: &Fleet) {
        let first = fleet.task_with("Do it.", "?dedupe=true").await;
        let second = fleet.task_with("Do it.", "?dedupe=true").await;
        let other = fleet.task_with("Do it again.", "?dedupe=true").await;
        assert_eq!(first.id(), second.id());
        assert_ne!(first.id(), other.id());
    }

    async fn dedupe_makes_a_new_job_once_the_one_before_is_over(fleet: &Fleet) {
        let first = fleet.task_with("Do it.", "?dedupe=true").await.id();
        fleet.act(&first, "cancel", &json!({})).await;
        let second = fleet.task_with("Do it.", "?dedupe=true").await.id();
        assert_ne!(first, second);
        assert_eq!(fleet.task_with("Do it.", "?dedupe=true").await.id(), second, "and then the same again");
    }

    async fn a_job_waits_for_what_it_depends_on_by_key_or_id(fleet: &Fleet) {
        let first = fleet.submitted("---\nidempotency-key: a\nverify: x\n---\na").await;
        let by_key = fleet.task("---\ndeps: [a]\nidempotency-key: b\n---\nb").await.body;
        assert_eq!(by_key["stage"], "blocked");
        assert_eq!(by_key["blockedBy"], json!([{ "dep": "a", "jobId": first, "reason": "pending" }]));
        let by_id = fleet.submitted(&format!("---\ndeps: [{first}]\ndeps-mode: soft\n---\nc")).await;
        let unknown = fleet.task("---\ndeps: [later]\n---\nd").await.body;
        assert_eq!(unknown["blockedBy"][0]["reason"], "unknown");

        let (claimed, epoch) = fleet.claimed("f1").await;
        assert_eq!(claimed, first);
        fleet.patch(&first, &json!({ "leaseEpoch": epoch, "stage": "building" })).await;
        fleet.prove(&first, epoch).await;
        assert_eq!(fleet.job(&by_id).await["stage"], "queued", "soft: from testing on");
        assert_eq!(fleet.job(by_key["id"].as_str().unwrap()).await["stage"], "blocked", "hard: when shipped");
        fleet.act(&first, "ship", &json!({})).await;
        assert_eq!(fleet.job(by_key["id"].as_str().unwrap()).await["stage"], "queued");

        fleet.submitted("---\nidempotency-key: later\n---\ne").await;
        assert_eq!(fleet.job(unknown["id"].as_str().unwrap()).await["blockedBy"][0]["reason"], "pending");
    }

    async fn a_circle_of_dependencies_is_refused_with_its_jobs(fleet: &Fleet) {
        fleet.submitted("---\nidempotency-key: a\ndeps: [b]\n---\na").await;
        fleet.submitted("---\nidempotency-key: b\ndeps: [c]\n---\nb").await;
        let answer = fleet.task("---\nidempotency-key: c\ndeps: [a]\n---\nc").await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "dependency_cycle"));
        assert_eq!(answer.body["error"]["details"]["cycle"], json!(["c", "a", "b", "c"]));
        let own = fleet.task("---\nidempotency-key: self\ndeps: [self]\n---\nc").await;
        assert_eq!(own.body["error"]["details"]["cycle"], json!(["self", "self"]));
        assert_eq!(fleet.get(route::JOBS).await.body["jobs"].as_array().unwrap().len(), 2);
    }

    async fn a_replaced_job_cannot_close_a_circle_either(fleet: &Fleet) {
        fleet.submitted("---\nidempotency-key: a\n---\na").await;
        let second = fleet.submitted("---\nidempotency-key: b\ndeps: [a]\n---\nb").await;
        let answer = fleet.task("---\nidempotency-key: a\ndeps: [b]\n---\na").await;
        assert_eq!(answer.code(), "dependency_cycle");
        assert_eq!(fleet.job(&second).await["blockedBy"][0]["reason"], "pending");
    }

    async fn a_task_that_is_too_long_is_refused(fleet: &Fleet) {
        let answer = fleet.task(&"x".repeat(4 * 1024 * 1024 + 1)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
        let largest = fleet.task(&"x".repeat(4 * 1024 * 1024)).await;
        assert_eq!(largest.status, StatusCode::CREATED);
    }

    async fn another_kind_of_body_is_refused(fleet: &Fleet) {
        let image = with(request(Method::POST, route::JOBS, "x"), "content-type", "image/png");
        assert_eq!(fleet.send(image).await.code(), "invalid_request");
    }
}
