//! A coordinator in this process, asked through its router as the command line and the worker ask it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, body::Body};
use bytes::Bytes;
use fleet_coordinator::{Coordinator, Options, SystemClock};
use fleet_protocol::{
    api::{ClaimRequest, Claimed, Health},
    route,
};
use http::{Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// Claimers, and submitters while a queue is filled.
pub(crate) const CLIENTS: usize = 64;

/// An open coordinator.
#[derive(Clone)]
pub(crate) struct Desk {
    router: Router,
    _coordinator: Coordinator,
    count: Arc<AtomicU64>,
}

impl Desk {
    pub(crate) fn open(state: &Path) -> Self {
        let randomness = Arc::new(|| getrandom::u64().expect("the system gives randomness"));
        let coordinator = Coordinator::open(state, Options::default(), Arc::new(SystemClock), randomness)
            .expect("the state can be opened");
        Self { router: coordinator.router(), _coordinator: coordinator, count: Arc::default() }
    }

    pub(crate) async fn post(&self, path: &str, (kind, key): (&str, Option<&str>), body: Bytes) -> (StatusCode, Bytes) {
        let mut request = Request::post(path).header(CONTENT_TYPE, kind).header(route::ACTOR_HEADER, "operator:bench");
        if let Some(key) = key {
            request = request.header(route::IDEMPOTENCY_HEADER, key);
        }
        let request = request.body(Body::from(body)).expect("a request is well formed");
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        let body = response.into_body().collect().await.expect("an answer is whole").to_bytes();
        (status, body)
    }

    /// Submits a task of one kilobyte with this front matter.
    pub(crate) async fn submit(&self, front: &str) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let text = task(number, front);
        let (status, body) = self.post(route::JOBS, ("text/markdown", None), text.into()).await;
        assert_eq!(status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&body));
    }

    /// Claims one job for a factory with seats enough; the job must be there.
    pub(crate) async fn claim(&self, factory: &str) -> Claimed {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let request = ClaimRequest {
            factory_id: factory.to_owned(),
            capabilities: vec!["os:linux".to_owned(), "git".to_owned()],
            engines: vec!["claude".to_owned(), "codex".to_owned()],
            tags: Vec::new(),
            seats: 100_000,
            seats_free: 100_000,
            health: Health::Ok,
            load: 0.0,
            wait_ms: 0,
            dry_run: false,
            busy_locks: Vec::new(),
            only: None,
            sole: false,
        };
        let body = serde_json::to_vec(&request).expect("a claim is JSON");
        let key = format!("{factory}-{number}");
        let (status, body) = self.post(route::CLAIM, ("application/json", Some(&key)), body.into()).await;
        assert_eq!(status, StatusCode::OK, "there is a job: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("a grant is of its shape")
    }

    /// Submits `count` jobs, many at a time.
    pub(crate) async fn fill(&self, count: usize, front: &'static str) {
        self.submit_by(CLIENTS, count, front).await;
    }

    /// Submits `count` jobs by so many clients.
    pub(crate) async fn submit_by(&self, clients: usize, count: usize, front: &'static str) {
        let work = (0..clients).map(|client| {
            let desk = self.clone();
            tokio::spawn(async move {
                for _ in 0..share(count, clients, client) {
                    desk.submit(front).await;
                }
            })
        });
        all(work).await;
    }

    /// Claims `count` jobs by `CLIENTS` factories at once; what each got.
    pub(crate) async fn claim_by_all(&self, count: usize) -> Vec<Claimed> {
        let work = (0..CLIENTS).map(|client| {
            let desk = self.clone();
            tokio::spawn(async move {
                let factory = format!("factory-{client}");
                let mut claimed = Vec::new();
                for _ in 0..share(count, CLIENTS, client) {
                    claimed.push(desk.claim(&factory).await);
                }
                claimed
            })
        });
        all(work).await.into_iter().flatten().collect()
    }
}

/// A task file of about one kilobyte.
pub(crate) fn task(number: u64, front: &str) -> String {
    let line = "Make the parser refuse what it does not understand, and say where it stands. ";
    format!("---\n{front}---\n# Task {number}\n\n{}\n", line.repeat(12))
}

/// How many of `count` this one of so many clients does.
pub(crate) const fn share(count: usize, clients: usize, client: usize) -> usize {
    count / clients + if client < count % clients { 1 } else { 0 }
}

/// The results of all tasks; they start together.
pub(crate) async fn all<T: Send + 'static>(tasks: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let started: Vec<_> = tasks.collect();
    let mut results = Vec::with_capacity(started.len());
    for task in started {
        results.push(task.await.expect("a client ends well"));
    }
    results
}
