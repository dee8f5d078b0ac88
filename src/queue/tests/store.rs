//! A coordinator in memory, just the routes that the keeper asks, and a world around it: a folder and a keeper.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use fleet_protocol::{
    Action, Bucket, ErrorCode, Job, JobId, JobResult, Problem, Stage,
    api::{ActionRequest, JobList, JobsQuery, QueueState, QueueStateQuery, SubmitQuery},
    manifest::{DepsMode, Kind, Priority},
    problem::ProblemBody,
    route,
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    client::Client,
    queue::{
        Folder, Keeper,
        keeper::{Pace, Report},
    },
};

/// A task whose front matter is broken, as this store sees it.
pub(super) const MALFORMED: &str = "---\nbroken";

#[derive(Clone)]
pub(super) struct Store {
    jobs: Arc<Mutex<Vec<(Job, String)>>>,
    version: watch::Sender<u64>,
    listings: Arc<AtomicUsize>,
    /// The answer to every act, instead of doing it.
    pub(super) refusal: Arc<Mutex<Option<Problem>>>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { jobs: Arc::default(), version: watch::Sender::new(1), listings: Arc::default(), refusal: Arc::default() }
    }

    pub(super) fn client(&self) -> Client {
        let router = Router::new()
            .route(route::JOBS, get(list).post(submit))
            .route(route::JOB, get(show))
            .route(route::JOB_SOURCE, get(source))
            .route(route::JOB_ACTION, post(act))
            .route(route::QUEUE_STATE, get(state))
            .with_state(self.clone());
        Client::embedded(router, "default", "operator:test")
    }

    /// How many pages of jobs were asked for so far.
    pub(super) fn listings(&self) -> usize {
        self.listings.load(Ordering::Relaxed)
    }

    pub(super) fn jobs(&self) -> Vec<Job> {
        self.jobs.lock().unwrap().iter().map(|(job, _)| job.clone()).collect()
    }

    pub(super) fn sources(&self) -> Vec<String> {
        self.jobs.lock().unwrap().iter().map(|(_, source)| source.clone()).collect()
    }

    pub(super) fn job(&self, file: &str) -> Job {
        self.jobs().into_iter().find(|job| job.file == file).unwrap_or_else(|| panic!("no job has the file {file}"))
    }

    /// What a submit does.
    pub(super) fn submit(&self, file: &str, text: &str) -> (Job, bool) {
        let mut jobs = self.jobs.lock().unwrap();
        let key = text.lines().find_map(|line| line.strip_prefix("key: ")).map(str::to_owned);
        if let Some((job, _)) = jobs.iter().find(|(job, _)| key.is_some() && job.idempotency_key == key) {
            return (job.clone(), false);
        }
        let id = JobId::from_random((jobs.len() as u64 + 1) * 0x9e37_79b9_7f4a);
        let taken = jobs.iter().any(|(job, _)| job.file == file);
        let stem = file.strip_suffix(".md").unwrap_or(file);
        let file = if taken { format!("{stem}-{}.md", &id.as_str()[..4]) } else { format!("{stem}.md") };
        let mut job = job(id, file);
        job.idempotency_key = key;
        if text.starts_with(MALFORMED) {
            job.result = Some(JobResult::InvalidManifest);
            job.message = Some(fleet_protocol::manifest::examine(text, &job.file).mistakes().to_string());
            turn(&mut job, Stage::Failed);
        }
        jobs.push((job.clone(), text.to_owned()));
        self.changed();
        (job, true)
    }

    /// What a worker, a verb or the coordinator itself does.
    pub(super) fn go(&self, file: &str, stage: Stage) {
        let mut jobs = self.jobs.lock().unwrap();
        let (job, _) = jobs.iter_mut().find(|(job, _)| job.file == file).unwrap();
        turn(job, stage);
        self.changed();
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }
}

fn turn(job: &mut Job, stage: Stage) {
    use Action::{Approve, Cancel, Hold, Redrive, Reject, RequestChanges, Requeue, Ship};
    let malformed = job.result == Some(JobResult::InvalidManifest);
    job.stage = stage;
    job.rev += 1;
    job.actions = match stage {
        Stage::Queued | Stage::Blocked => vec![Cancel, Hold],
        Stage::Assigned | Stage::Building | Stage::Waiting => vec![Cancel],
        Stage::Review => vec![Approve, RequestChanges, Reject],
        Stage::Testing => vec![Ship, Reject],
        Stage::Failed if malformed => vec![],
        Stage::Failed => vec![Requeue],
        Stage::DeadLetter => vec![Redrive],
        Stage::Shipped => vec![],
    };
}

fn job(id: JobId, file: String) -> Job {
    let mut job: Job = serde_json::from_value(json!({
        "id": id, "title": file, "product": "default", "file": file, "stage": "queued", "priority": Priority::default(),
        "kind": Kind::default(), "deps": [], "depsMode": DepsMode::default(), "blockedBy": [], "rev": 0, "leaseEpoch": 0, "attempts": 0, "runs": 0,
        "tags": [], "trigger": "manual", "held": false, "paused": false, "actions": [],
        "usage": {"basis": "unknown"}, "scopeWarning": [], "feedback": [],
        "createdAt": "2026-11-20T08:00:00Z", "updatedAt": "2026-11-20T08:00:00Z", "manifest": {}, "extra": {},
    }))
    .unwrap();
    turn(&mut job, Stage::Queued);
    job
}

fn refuse(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap();
    (status, Json(ProblemBody { error: problem })).into_response()
}

async fn list(State(store): State<Store>, Query(query): Query<JobsQuery>) -> Json<JobList> {
    store.listings.fetch_add(1, Ordering::Relaxed);
    // Small pages, so that there are several.
    let jobs = store.jobs();
    let start: usize = query.cursor.map_or(0, |cursor| cursor.parse().unwrap());
    let end = (start + 3).min(jobs.len());
    let next = (end < jobs.len()).then(|| end.to_string());
    Json(JobList { jobs: jobs[start..end].to_vec(), next })
}

async fn submit(State(store): State<Store>, Query(query): Query<SubmitQuery>, text: String) -> Response {
    assert!(query.keep_invalid, "a dropped file is kept even when it is malformed");
    if text.contains("deps: cycle") {
        return refuse(Problem::new(ErrorCode::DependencyCycle, "the dependencies form a cycle"));
    }
    let (job, new) = store.submit(&query.file.unwrap(), &text);
    (if new { StatusCode::CREATED } else { StatusCode::OK }, Json(job)).into_response()
}

async fn show(State(store): State<Store>, Path(id): Path<String>) -> Response {
    match store.jobs().into_iter().find(|job| job.id.as_str() == id) {
        Some(job) => Json(job).into_response(),
        None => refuse(Problem::new(ErrorCode::NotFound, "no such job")),
    }
}

async fn source(State(store): State<Store>, Path(id): Path<String>) -> String {
    store.jobs.lock().unwrap().iter().find(|(job, _)| job.id.as_str() == id).unwrap().1.clone()
}

async fn act(
    State(store): State<Store>,
    Path((id, action)): Path<(String, Action)>,
    Json(request): Json<ActionRequest>,
) -> Response {
    if let Some(problem) = store.refusal.lock().unwrap().clone() {
        return refuse(problem);
    }
    let job = store.jobs().into_iter().find(|job| job.id.as_str() == id).unwrap();
    if request.expect_rev.is_some_and(|rev| rev != job.rev) {
        return refuse(Problem::new(ErrorCode::Conflict, "the job has changed"));
    }
    if !job.actions.contains(&action) {
        return refuse(Problem::new(ErrorCode::InvalidTransition, format!("`{action}` is not possible")));
    }
    let stage = match action {
        Action::Approve => Stage::Testing,
        Action::Ship => Stage::Shipped,
        Action::RequestChanges | Action::Requeue | Action::Redrive => Stage::Queued,
        Action::Reject | Action::Cancel => Stage::Failed,
        other => panic!("no move asks for {other}"),
    };
    store.go(&job.file, stage);
    Json(store.job(&job.file)).into_response()
}

async fn state(State(store): State<Store>, Query(query): Query<QueueStateQuery>) -> Json<QueueState> {
    let mut version = store.changes();
    if let (Some(after), Some(wait)) = (query.after, query.wait_ms) {
        let changed = version.wait_for(|version| *version != after);
        let _ = tokio::time::timeout(Duration::from_millis(wait), changed).await;
    }
    let version = *version.borrow();
    Json(QueueState { version })
}

/// A folder, a store, and a keeper between them.
pub(super) struct World {
    pub(super) home: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) folder: Folder,
    pub(super) keeper: Keeper,
}

/// Files must be a minute old here, so that no slow machine makes one old enough by accident.
pub(super) const PACE: Pace =
    Pace { quiet: Duration::from_secs(60), missing: Duration::ZERO, patience: Duration::from_secs(10) };

impl World {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new();
        let folder = Folder::new(home.path().join("tasks"), home.path().join(".fleet"));
        folder.create().unwrap();
        let keeper = keeper(&folder, &store);
        Self { home, store, folder, keeper }
    }

    /// A new process.
    pub(super) fn restart(&mut self) {
        self.keeper = keeper(&self.folder, &self.store);
    }

    pub(super) fn path(&self, bucket: Bucket, name: &str) -> PathBuf {
        self.folder.file(bucket, name)
    }

    /// Puts a file there that was written long ago.
    pub(super) fn put(&self, bucket: Bucket, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(bucket, name);
        fs::write(&path, text).unwrap();
        age(&path);
    }

    pub(super) fn mv(&self, name: &str, from: Bucket, to: Bucket) {
        fs::rename(self.path(from, name), self.path(to, name)).unwrap();
    }

    pub(super) fn read(&self, bucket: Bucket, name: &str) -> String {
        fs::read_to_string(self.path(bucket, name)).unwrap()
    }

    pub(super) fn note(&self, bucket: Bucket, name: &str) -> String {
        self.read(bucket, &format!("{name}.note.txt"))
    }

    /// Every file under the queue folder, as `bucket/name`, without those inside folders of a bucket.
    pub(super) fn tree(&self) -> Vec<String> {
        let mut tree = Vec::new();
        for dir in fs::read_dir(self.home.path().join("tasks")).unwrap() {
            let dir = dir.unwrap();
            for file in fs::read_dir(dir.path()).unwrap() {
                tree.push(format!("{}/{}", dir.file_name().display(), file.unwrap().file_name().display()));
            }
        }
        tree.sort();
        tree
    }

    /// Reconciles, and makes sure that it was enough.
    pub(super) async fn reconcile(&mut self) -> Report {
        let report = self.keeper.reconcile().await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let tree = self.tree();
        let again = self.keeper.reconcile().await.unwrap();
        assert_eq!(again.changes, 0, "a second run changes nothing");
        assert_eq!(self.tree(), tree);
        report
    }
}

fn keeper(folder: &Folder, store: &Store) -> Keeper {
    let client = store.client();
    Keeper::new(folder.clone(), client.clone(), Arc::new(client), Some("/repo".to_owned())).at_pace(PACE)
}

/// Makes a file look as if it was written an hour ago.
pub(super) fn age(path: &std::path::Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}
