//! A coordinator with a clock that stands still, and short words for asking it.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use fleet_protocol::{Project, Span, manifest::CommandLine, profile, route};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{Clock, Coordinator, Options, ProfileOrigin, ProfileSource};

/// A clock that moves when it is told to.
pub(super) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-11-20T08:00:00Z".parse().unwrap())))
    }

    pub(super) fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(seconds.seconds()).unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Numbers that look random and never come twice in this process.
pub(super) fn randomness() -> crate::clock::Randomness {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    Arc::new(|| {
        let mut bits = COUNT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    })
}

pub(super) fn options() -> Options {
    let text = "---\ndefault-verify: npm test\ncapabilities: [git]\n---\nYou are careful.\n";
    let profile = profile::parse(text, "careful").unwrap();
    let shop = Project {
        name: "shop".to_owned(),
        repo: "/srv/shop".to_owned(),
        base: Some("trunk".to_owned()),
        profile: Some("careful".to_owned()),
        verify: Some(CommandLine::Line("make check".to_owned())),
        secrets: vec!["NPM_TOKEN".to_owned()],
        ..Project::default()
    };
    let web = Project { name: "web".to_owned(), repo: "/srv/web".to_owned(), ..shop.clone() };
    Options {
        projects: vec![web, shop],
        engines: Some(vec!["claude".to_owned(), "codex".to_owned()]),
        profiles: vec![ProfileSource { profile, text: text.to_owned(), source: ProfileOrigin::Project }],
        ..Options::default()
    }
}

/// A coordinator under test.
pub(super) struct Fleet {
    pub(super) coordinator: Coordinator,
    pub(super) clock: Arc<TestClock>,
    pub(super) folder: tempfile::TempDir,
}

/// An answer, its body as JSON (or as a text, where it is none).
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Fleet {
    pub(super) fn in_memory() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let coordinator = Coordinator::in_memory(folder.path(), options(), clock.clone(), randomness()).unwrap();
        Self { coordinator, clock, folder }
    }

    pub(super) fn on_file() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let coordinator = open(folder.path(), &clock);
        Self { coordinator, clock, folder }
    }

    /// One more coordinator on the same file, as another process has it.
    pub(super) fn another(&self) -> Coordinator {
        open(self.folder.path(), &self.clock)
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.coordinator, request).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, "")).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(request(Method::POST, path, &body.to_string())).await
    }

    pub(super) async fn patch(&self, id: &str, body: &Value) -> Answer {
        self.send(request(Method::PATCH, &job_path(id), &body.to_string())).await
    }

    /// Submits a task file.
    pub(super) async fn task(&self, text: &str) -> Answer {
        self.task_with(text, "").await
    }

    /// Submits a task file with a query.
    pub(super) async fn task_with(&self, text: &str, query: &str) -> Answer {
        let mut task = request(Method::POST, &format!("{}{query}", route::JOBS), text);
        task.headers_mut().insert("content-type", "text/markdown".parse().unwrap());
        self.send(task).await
    }

    /// Submits a task file that must be taken; gives its id.
    pub(super) async fn submitted(&self, text: &str) -> String {
        let answer = self.task(text).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.id()
    }

    pub(super) async fn claim(&self, factory: &str) -> Answer {
        self.post(route::CLAIM, &claim(factory)).await
    }

    /// Submits, claims and starts a job; gives its id and epoch.
    pub(super) async fn building(&self, text: &str) -> (String, u64) {
        let id = self.submitted(text).await;
        let epoch = self.claimed("f1").await.1;
        let started = self.patch(&id, &json!({ "leaseEpoch": epoch, "stage": "building" })).await;
        assert_eq!(started.status, StatusCode::OK, "{:?}", started.body);
        (id, epoch)
    }

    /// Claims a job that must be there; gives its id and epoch.
    pub(super) async fn claimed(&self, factory: &str) -> (String, u64) {
        let answer = self.claim(factory).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.reason());
        (answer.body["job"]["id"].as_str().unwrap().to_owned(), answer.body["lease"]["epoch"].as_u64().unwrap())
    }

    /// Brings a job that is being built to `testing`.
    pub(super) async fn prove(&self, id: &str, epoch: u64) {
        let answer = self.patch(id, &proof(epoch)).await;
        assert_eq!(answer.body["stage"], "testing", "{:?}", answer.body);
    }

    pub(super) async fn act(&self, id: &str, action: &str, body: &Value) -> Answer {
        self.post(&route::fill(route::JOB_ACTION, &[id, action]), body).await
    }

    pub(super) async fn job(&self, id: &str) -> Value {
        self.get(&job_path(id)).await.body
    }

    /// The types of a job's events.
    pub(super) async fn events(&self, id: &str) -> Vec<String> {
        let answer = self.get(&route::fill(route::JOB_EVENTS, &[id])).await;
        answer.body["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Answer {
    pub(super) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(super) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// Why a claim came back empty.
    pub(super) fn reason(&self) -> Option<&str> {
        self.headers.get(route::REASON_HEADER).map(|value| value.to_str().unwrap())
    }
}

pub(super) fn open(folder: &Path, clock: &Arc<TestClock>) -> Coordinator {
    Coordinator::open(folder, options(), clock.clone(), randomness()).unwrap()
}

pub(super) async fn send(coordinator: &Coordinator, request: Request<Body>) -> Answer {
    let (parts, body) = coordinator.router().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A request of `ann`, an operator.
pub(super) fn request(method: Method, path: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header(route::ACTOR_HEADER, "operator:ann")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// The same with a header more.
pub(super) fn with(mut request: Request<Body>, header: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(header, value.parse().unwrap());
    request
}

/// A claim of a factory that can do everything the tests ask for.
pub(super) fn claim(factory: &str) -> Value {
    json!({ "factoryId": factory, "capabilities": ["git"], "engines": ["claude"], "seats": 500, "seatsFree": 500 })
}

/// The report of a run that did what it should.
pub(super) fn proof(epoch: u64) -> Value {
    json!({
        "leaseEpoch": epoch,
        "result": "ok",
        "headCommit": "c0ffee",
        "evidence": {
            "commits": ["c0ffee"], "changed": true, "differsFromBase": true, "clean": true,
            "verify": { "command": "true", "exitCode": 0, "durationMs": 3 },
        },
    })
}

pub(super) fn job_path(id: &str) -> String {
    route::fill(route::JOB, &[id])
}

pub(super) const TTL: Span = Span::from_secs(90);

/// Runs a test on a file and in memory: both must behave alike.
macro_rules! on_both {
    ($(async fn $name:ident($fleet:ident: &Fleet) $body:block)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                async fn test($fleet: &Fleet) $body
                for fleet in [Fleet::on_file(), Fleet::in_memory()] {
                    test(&fleet).await;
                }
            }
        )+
    };
}
pub(super) use on_both;
