//! What a look for work costs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fleet_protocol::api::{PatchJob, SubmitQuery};

use super::*;
use crate::{
    Options, SystemClock,
    logs::Logs,
    service::{Caller, Service, Submitted, TaskText},
    store::{Place, Store},
};

fn service() -> Service {
    let random = AtomicU64::new(1);
    let randomness = Arc::new(move || random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
    let logs = Logs::new(std::path::PathBuf::new());
    let store = Store::open(Place::memory()).unwrap();
    Service::new(store, logs, Options::default(), Arc::new(SystemClock), randomness)
}

fn caller() -> Caller {
    Caller { product: "p".to_owned(), actor: "operator:ann".to_owned(), repeat: None }
}

async fn submit(service: &Service, front: &str) -> Job {
    let text = TaskText::Markdown(format!("---\n{front}---\nx"));
    match service.submit(&caller(), &text, &SubmitQuery::default()).await {
        Ok(Submitted::New(job)) => *job,
        other => panic!("{other:?}"),
    }
}

fn request() -> ClaimRequest {
    let able =
        r#"{"factoryId": "f", "seats": 9999, "seatsFree": 9999, "capabilities": ["git"], "engines": ["claude"]}"#;
    serde_json::from_str(able).unwrap()
}

/// Fails for want of the machine, and is to be tried again: it waits for a time that has come.
async fn make_due(service: &Service, job: &Job) {
    let asking = ClaimRequest { only: Some(job.id.clone()), sole: true, ..request() };
    let claimed = service.claim(&caller(), &asking).await.unwrap();
    let crate::service::ClaimOutcome::Granted(claimed) = claimed else { panic!("{claimed:?}") };
    let patch = |text: &str| -> PatchJob { serde_json::from_str(text).unwrap() };
    let epoch = claimed.lease.epoch;
    for report in [
        format!(r#"{{"leaseEpoch": {epoch}, "stage": "building"}}"#),
        format!(r#"{{"leaseEpoch": {epoch}, "result": "crash"}}"#),
    ] {
        let holder = Caller { actor: "factory:f".to_owned(), ..caller() };
        service.patch(&holder, &job.id, patch(&report)).await.unwrap();
    }
}

/// What a claim that finds the one job behind `blocked` others costs, in steps of SQLite's machine.
async fn cost(front: &str, blocked: usize, due: bool) -> i32 {
    let service = service();
    if front.contains("lock") {
        submit(&service, front).await;
        let claimed = service.claim(&caller(), &request()).await.unwrap();
        assert!(matches!(claimed, crate::service::ClaimOutcome::Granted(_)), "{claimed:?}");
    }
    for _ in 0..blocked {
        let job = submit(&service, front).await;
        if due {
            make_due(&service, &job).await;
        }
    }
    let wanted = submit(&service, "priority: medium\n").await.id;
    let now = service.now().checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let (found, steps) = service
        .store
        .look::<_, StoreError>(|look| {
            let mut asking = request();
            asking.busy_locks = look.locks("p")?;
            let search = Search { look, product: "p", request: &asking, now, in_flight: &service.in_flight };
            look.steps()?;
            let found = search.first()?.map(|found| found.job.id);
            Ok((found, look.steps()?))
        })
        .unwrap();
    assert_eq!(found, Ok(wanted));
    steps
}

/// The cost is counted, not timed: what stands in front must not matter, however many there are.
#[tokio::test]
async fn a_claim_costs_the_same_however_many_unrunnable_jobs_are_older() {
    let unrunnable = [
        "lock: db\n",
        "lock: db\npriority: critical\n",
        "capabilities: [gpu]\n",
        "engine: codex\n",
        "hold: true\n",
        "deps: [never]\n",
    ];
    for front in unrunnable {
        let (few, many) = (cost(front, 5, false).await, cost(front, 300, false).await);
        assert!(many <= few + few / 4, "{front}: {few} steps behind 5 jobs, {many} behind 300");
    }
    for front in ["capabilities: [gpu]\nretry: { max: 3, backoff: 1s }\n"] {
        let (few, many) = (cost(front, 5, true).await, cost(front, 100, true).await);
        assert!(many <= few + few / 4, "{front} (due again): {few} steps behind 5 jobs, {many} behind 100");
    }
}
