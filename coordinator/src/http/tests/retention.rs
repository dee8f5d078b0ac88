//! Output of finished jobs goes with age and number; everything else stays.

use std::num::NonZeroU32;

use fleet_protocol::route;
use serde_json::{Value, json};

use super::fixture::{Fleet, on_both, options, randomness};
use crate::{Coordinator, Options, Retention};

const DAY: i64 = 24 * 60 * 60;

/// A job of one run that said `said`; being built.
async fn talking(fleet: &Fleet) -> (String, u64) {
    let (id, epoch) = fleet.building("---\nverify: x\n---\nx").await;
    say(fleet, &id, epoch, 1).await;
    (id, epoch)
}

async fn say(fleet: &Fleet, id: &str, epoch: u64, run: u32) {
    let append = json!({ "leaseEpoch": epoch, "run": run, "stream": "stdout", "offset": 0, "data": "said\n" });
    fleet.post(&route::fill(route::JOB_LOGS, &[id]), &append).await;
}

async fn cancelled(fleet: &Fleet) -> String {
    let (id, _) = talking(fleet).await;
    fleet.act(&id, "cancel", &json!({})).await;
    id
}

async fn log(fleet: &Fleet, id: &str, run: u32) -> Value {
    fleet.get(&format!("{}?run={run}", route::fill(route::JOB_LOGS, &[id]))).await.body
}

async fn says(fleet: &Fleet, id: &str) -> bool {
    log(fleet, id, 1).await["data"] == "said\n"
}

on_both! {
    async fn after_ninety_one_days_the_log_is_gone_and_history_and_result_remain(fleet: &Fleet) {
        let (id, epoch) = talking(fleet).await;
        fleet.prove(&id, epoch).await;
        fleet.act(&id, "ship", &json!({ "commit": "c0ffee" })).await;
        let (job, events) = (fleet.job(&id).await, fleet.events(&id).await);
        fleet.clock.advance(89 * DAY);
        fleet.coordinator.tick().await;
        assert!(says(fleet, &id).await, "it is not old yet");
        fleet.clock.advance(2 * DAY);
        fleet.coordinator.tick().await;
        let gone = log(fleet, &id, 1).await;
        assert_eq!((&gone["data"], &gone["size"]), (&json!(""), &json!(0)));
        assert_eq!(gone["expiredAt"], "2027-02-19T08:00:00Z", "{gone}");
        assert!(!fleet.folder.path().join("logs").join(&id).exists());
        assert_eq!((fleet.job(&id).await, fleet.events(&id).await), (job, events));
        fleet.clock.advance(DAY);
        fleet.coordinator.tick().await;
        assert_eq!(log(fleet, &id, 1).await, gone, "it goes once");
    }

    async fn jobs_that_are_not_over_keep_their_output(fleet: &Fleet) {
        let (testing, epoch) = talking(fleet).await;
        fleet.prove(&testing, epoch).await;
        let queued = cancelled(fleet).await;
        fleet.act(&queued, "requeue", &json!({})).await;
        fleet.act(&queued, "hold", &json!({})).await;
        let (reviewed, epoch) = fleet.building("---\nreview-policy: manual\n---\nx").await;
        say(fleet, &reviewed, epoch, 1).await;
        fleet.patch(&reviewed, &super::fixture::proof(epoch)).await;
        assert_eq!(fleet.job(&reviewed).await["stage"], "review");
        fleet.clock.advance(10_000 * DAY);
        for _ in 0..3 {
            fleet.coordinator.tick().await;
        }
        for id in [testing, queued, reviewed] {
            assert!(says(fleet, &id).await, "{}", fleet.job(&id).await["stage"]);
        }
    }

    async fn a_job_that_runs_again_keeps_what_it_says_then(fleet: &Fleet) {
        let id = cancelled(fleet).await;
        fleet.clock.advance(91 * DAY);
        fleet.coordinator.tick().await;
        assert!(log(fleet, &id, 1).await["expiredAt"].is_string());
        fleet.act(&id, "requeue", &json!({})).await;
        let epoch = fleet.claimed("f1").await.1;
        say(fleet, &id, epoch, 2).await;
        fleet.act(&id, "cancel", &json!({})).await;
        fleet.clock.advance(89 * DAY);
        fleet.coordinator.tick().await;
        assert_eq!(log(fleet, &id, 2).await["data"], "said\n");
        assert!(log(fleet, &id, 1).await["expiredAt"].is_string(), "of the first run nothing comes back");
        fleet.clock.advance(2 * DAY);
        fleet.coordinator.tick().await;
        assert!(log(fleet, &id, 2).await["expiredAt"].is_string());
    }

    async fn a_run_that_said_nothing_is_not_one_whose_output_was_let_go(fleet: &Fleet) {
        let (id, _) = fleet.building("x").await;
        fleet.act(&id, "cancel", &json!({})).await;
        assert_eq!(log(fleet, &id, 1).await.get("expiredAt"), None);
    }
}

#[tokio::test]
async fn of_so_many_jobs_the_newest_keep_their_output() {
    let fleet = Fleet::on_file();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(cancelled(&fleet).await);
        fleet.clock.advance(60);
    }
    let retention = Retention { max_jobs: NonZeroU32::new(2), ..Retention::default() };
    let options = Options { retention, ..options() };
    let two = Coordinator::open(fleet.folder.path(), options, fleet.clock.clone(), randomness()).unwrap();
    for _ in 0..2 {
        two.tick().await;
        let mut kept = Vec::new();
        for id in &ids {
            kept.push(says(&fleet, id).await);
        }
        assert_eq!(kept, [false, false, false, true, true]);
    }
}

#[tokio::test]
async fn a_tick_lets_go_of_some_and_the_next_ones_of_the_rest() {
    let fleet = Fleet::in_memory();
    for _ in 0..120 {
        cancelled(&fleet).await;
    }
    fleet.clock.advance(91 * DAY);
    let mut left = Vec::new();
    for _ in 0..3 {
        fleet.coordinator.tick().await;
        left.push(std::fs::read_dir(fleet.folder.path().join("logs")).unwrap().count());
    }
    assert_eq!(left, [70, 20, 0]);
}
