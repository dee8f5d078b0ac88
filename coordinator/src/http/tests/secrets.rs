//! What a client says that does not mask secrets itself.

use fleet_protocol::route;
use serde_json::json;

use super::fixture::{Fleet, on_both, proof};

/// Put together at run time, so that scanners of source code find nothing here.
fn token() -> String {
    format!("gh{}_{}", "p", "0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO")
}

/// Every byte that the coordinator keeps.
fn kept(fleet: &Fleet) -> Vec<u8> {
    let mut waiting = vec![fleet.folder.path().to_owned()];
    let mut bytes = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => waiting.push(entry.path()),
                false => bytes.extend(std::fs::read(entry.path()).unwrap()),
            }
        }
    }
    bytes
}

on_both! {
    async fn a_token_in_any_report_is_masked_on_arrival(fleet: &Fleet) {
        let token = token();
        let (id, epoch) = fleet.building("---\nverify: x\nretry: { max: 2 }\n---\nx").await;
        let logs = route::fill(route::JOB_LOGS, &[&id]);
        for (offset, data) in [(0, &token[..20]), (20, &token[20..])] {
            let append = json!({ "leaseEpoch": epoch, "run": 1, "stream": "stdout", "offset": offset, "data": data });
            assert!(fleet.post(&logs, &append).await.status.is_success());
        }
        let news = json!({ "leaseEpoch": epoch, "progress": { "status": token }, "sessionId": token });
        assert!(fleet.patch(&id, &news).await.status.is_success());
        let mut end = proof(epoch);
        end["message"] = json!(token);
        end["insights"] = json!({ "summary": format!("said {token}") });
        end["evidence"]["verify"]["command"] = json!(format!("curl -H {token}"));
        assert!(fleet.patch(&id, &end).await.status.is_success());
        let back = fleet.act(&id, "request-changes", &json!({ "reason": format!("use {token}") })).await;
        assert!(back.status.is_success(), "{}", back.body);
        let (_, next) = fleet.claimed("two").await;
        let release = json!({ "leaseEpoch": next, "result": "preempted", "message": token });
        assert!(fleet.post(&route::fill(route::LEASE_RELEASE, &[&id]), &release).await.status.is_success());

        let told = [
            fleet.get(&logs).await.body,
            fleet.get(&format!("{logs}?run=1")).await.body,
            fleet.job(&id).await,
            fleet.get(&route::fill(route::JOB_RUNS, &[&id])).await.body,
            fleet.get(&route::fill(route::JOB_EVENTS, &[&id])).await.body,
        ];
        let told = json!(told).to_string();
        assert!(!told.contains(&token[4..]) && told.matches("ghp_****").count() >= 5, "{told}");
        let bytes = kept(fleet);
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "it is in a file");
    }

    async fn names_that_would_lead_elsewhere_lead_nowhere(fleet: &Fleet) {
        let (id, epoch) = fleet.building("x").await;
        for name in ["..", "../../etc", "..%2f..%2fetc%2fpasswd", "%2e%2e", "%2e%2e%2f", ".", "a%00b", "%2fetc%2fpasswd", "aaaaaaaaai", "~root", "a%0ab"] {
            for route in [route::JOB, route::JOB_BODY, route::JOB_SOURCE, route::JOB_LOGS, route::JOB_RUNS, route::JOB_EVENTS, route::JOB_EXPLAIN] {
                let answer = fleet.get(&route::fill(route, &[name])).await;
                assert!(answer.status.is_client_error(), "{route} {name}: {}", answer.status);
            }
            for profile in [[name, "abc"], ["reviewer", name]] {
                let answer = fleet.get(&route::fill(route::PROFILE_VERSION, &profile)).await;
                assert!(answer.status.is_client_error(), "{profile:?}: {}", answer.status);
            }
            let stream = format!("{}?stream={name}", route::fill(route::JOB_LOGS, &[&id]));
            assert!(fleet.get(&stream).await.status.is_client_error(), "{name}");
            let append = json!({ "leaseEpoch": epoch, "run": 1, "stream": name, "offset": 0, "data": "x" });
            assert!(fleet.post(&route::fill(route::JOB_LOGS, &[&id]), &append).await.status.is_client_error(), "{name}");
            assert!(fleet.act(&id, name, &json!({})).await.status.is_client_error(), "{name}");
        }
        assert!(!fleet.folder.path().join("logs").exists(), "no log was begun");
    }
}
