//! Several processes on one file: what one of them was told is true for all.
//!
//! A test starts itself again as each of its processes; a variable tells them what they are.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::http::{Method, StatusCode};
use fleet_protocol::route;
use serde_json::{Value, json};

use super::fixture::{Answer, Fleet, TestClock, claim, job_path, open, request, send};
use crate::Coordinator;

const PROCESSES: usize = 4;
const TASKS: usize = 16;
/// Says where the database lies, and so that this is one of the processes.
const PLACE: &str = "FLEET_TEST_CROWD";
/// How long the crowd writes, in seconds; longer by hand than in everyday tests.
const SECONDS: &str = "FLEET_TEST_CROWD_SECONDS";

/// Starts this test as each of the processes; what each printed after `told:`.
fn crowd(test: &str, folder: &Path) -> Vec<String> {
    let start = || -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("http::tests::processes::{test}"), "--nocapture"])
            .env(PLACE, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let started: Vec<Child> = (0..PROCESSES).map(|_| start()).collect();
    let told = |child: Child| {
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{printed}");
        let line = printed.lines().find_map(|line| line.split_once("told: ")).expect("a process tells something");
        line.1.to_owned()
    };
    started.into_iter().map(told).collect()
}

/// In one of the processes: the coordinator on the common file.
fn here() -> Option<Coordinator> {
    std::env::var_os(PLACE).map(|folder| open(Path::new(&folder), &TestClock::new()))
}

async fn ask(coordinator: &Coordinator, method: Method, path: &str, body: &Value) -> Answer {
    send(coordinator, request(method, path, &body.to_string())).await
}

/// Counts on in the job's progress, from what was read, until the time is over. How often that was taken.
async fn count_on(coordinator: &Coordinator, id: &str, until: Instant) -> u64 {
    let mut taken = 0;
    while Instant::now() < until {
        let job = ask(coordinator, Method::GET, &job_path(id), &json!({})).await.body;
        let step = job["progress"]["step"].as_u64().unwrap_or(0) + 1;
        let report = json!({ "leaseEpoch": job["leaseEpoch"], "expectRev": job["rev"], "progress": { "step": step } });
        let answer = ask(coordinator, Method::PATCH, &job_path(id), &report).await;
        match answer.status {
            StatusCode::OK => taken += 1,
            StatusCode::CONFLICT => {}
            other => panic!("{other}: {:?}", answer.body),
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_tasks_in_four_processes_lose_no_update_and_make_none_twice() {
    if let Some(coordinator) = here() {
        let jobs = ask(&coordinator, Method::GET, route::JOBS, &json!({})).await.body;
        let id = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();
        let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(2);
        let until = Instant::now() + Duration::from_secs(seconds);
        let tasks = (0..TASKS).map(|_| {
            let (coordinator, id) = (coordinator.clone(), id.clone());
            tokio::spawn(async move { count_on(&coordinator, &id, until).await })
        });
        let taken: u64 = futures_util::future::join_all(tasks).await.into_iter().map(Result::unwrap).sum();
        return println!("told: {taken}");
    }
    let fleet = Fleet::on_file();
    let (id, _) = fleet.building("x").await;
    let before = fleet.job(&id).await["rev"].as_u64().unwrap();
    let told = crowd("sixty_four_tasks_in_four_processes_lose_no_update_and_make_none_twice", fleet.folder.path());
    let taken: Vec<u64> = told.iter().map(|count| count.parse().unwrap()).collect();
    let total: u64 = taken.iter().sum();
    let job = fleet.job(&id).await;
    assert!(total > 0 && taken.len() == PROCESSES, "{taken:?}");
    assert_eq!(job["progress"]["step"], total, "each counted on from the one before: {taken:?}");
    assert_eq!(job["rev"], before + total);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_that_claim_at_once_get_each_job_once() {
    if let Some(coordinator) = here() {
        let mut got = Vec::new();
        loop {
            let answer =
                ask(&coordinator, Method::POST, route::CLAIM, &claim(&format!("f{}", std::process::id()))).await;
            if answer.status != StatusCode::OK {
                break;
            }
            got.push(answer.body["job"]["id"].as_str().unwrap().to_owned());
        }
        return println!("told: {}", got.join(" "));
    }
    let fleet = Fleet::on_file();
    let mut expected = Vec::new();
    for _ in 0..60 {
        expected.push(fleet.submitted("x").await);
    }
    let told = crowd("four_processes_that_claim_at_once_get_each_job_once", fleet.folder.path());
    let mut got: Vec<&str> = told.iter().flat_map(|line| line.split_whitespace()).collect();
    got.sort_unstable();
    expected.sort_unstable();
    assert_eq!(got, expected, "all of them, and none twice");
}
