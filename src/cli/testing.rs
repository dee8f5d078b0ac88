//! For tests of verbs: a context whose streams are kept and whose coordinator answers as told.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use fleet_protocol::{ErrorCode, ExitCode, Job, Problem, problem::ProblemBody};
use serde_json::{Value, json};

use super::{
    args::{Cli, Verb},
    command,
    context::{Asking, Context, Terminal},
    entry,
    error::CliError,
    output::{Format, Output, Streams},
};
use crate::{
    client::Client,
    config::{self, Environment},
    wiring::Embedded,
};

/// A coordinator that answers what a test says, and remembers what it was asked.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By method and path, with the query when it matters; the last answer stays.
    answers: BTreeMap<String, Vec<(u16, String)>>,
    asked: Vec<(String, String)>,
    /// What any task would run by, or why none would.
    preview: Option<Result<Value, Problem>>,
}

impl Fake {
    /// Answers `METHOD /path` (or `METHOD /path?query`) with a document.
    pub(super) fn on(self, request: &str, answer: Value) -> Self {
        self.answer(request, 200, answer.to_string())
    }

    /// Tells of any task that it would run by this.
    pub(super) fn previews(self, preview: Value) -> Self {
        self.0.lock().expect("no test panicked").preview = Some(Ok(preview));
        self
    }

    /// Refuses any task when it is only looked at.
    pub(super) fn refuse_previews(self, problem: Problem) -> Self {
        self.0.lock().expect("no test panicked").preview = Some(Err(problem));
        self
    }

    /// Answers a `POST` that makes something new.
    pub(super) fn creates(self, request: &str, answer: Value) -> Self {
        self.answer(request, 201, answer.to_string())
    }

    /// Answers with a problem.
    pub(super) fn refuse(self, request: &str, problem: Problem) -> Self {
        let status = problem.code.status();
        let body = serde_json::to_string(&ProblemBody { error: problem }).expect("plain data");
        self.answer(request, status, body)
    }

    fn answer(self, request: &str, status: u16, body: String) -> Self {
        self.0.lock().expect("no test panicked").answers.entry(request.to_owned()).or_default().push((status, body));
        self
    }

    /// A job that is found by its id and by its first four characters.
    pub(super) fn job(self, job: &Job) -> Self {
        let list = json!({ "jobs": [job], "next": null });
        let id = job.id.as_str();
        self.on(&format!("GET /api/fleet/jobs?name={id}"), list.clone())
            .on(&format!("GET /api/fleet/jobs?name={}", &id[..4]), list)
            .on(&format!("GET /api/fleet/jobs/{id}"), json!(job))
    }

    /// What the job's agent is told.
    pub(super) fn body(self, job: &Job, text: &str) -> Self {
        self.answer(&format!("GET /api/fleet/jobs/{}/body", job.id), 200, text.to_owned())
    }

    /// What was asked: `METHOD /path?query` and the body.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.0.lock().expect("no test panicked").asked.clone()
    }

    fn router(&self) -> Router {
        let state = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request<Body>| {
            let state = Arc::clone(&state);
            async move {
                let name = format!("{} {}", request.method(), request.uri());
                let bare = format!("{} {}", request.method(), request.uri().path());
                let body = to_bytes(request.into_body(), usize::MAX).await.expect("a body");
                let mut state = state.lock().expect("no test panicked");
                state.asked.push((name.clone(), String::from_utf8_lossy(&body).into_owned()));
                let key = if state.answers.contains_key(&name) { name.clone() } else { bare };
                if is_preview(&name) {
                    let answer = state.preview.clone().transpose();
                    let (status, body) = match answer {
                        Ok(answer) => (200, preview(&name, answer).to_string()),
                        Err(error) => (error.code.status(), json!(ProblemBody { error }).to_string()),
                    };
                    return Response::builder().status(status).body(Body::from(body)).expect("an answer");
                }
                let (status, body) = match state.answers.get_mut(&key) {
                    Some(answers) if answers.len() > 1 => answers.remove(0),
                    Some(answers) => answers[0].clone(),
                    None if key == "GET /api/fleet/jobs" => (200, json!({ "jobs": [], "next": null }).to_string()),
                    None => {
                        let error = Problem::new(ErrorCode::NotFound, format!("nothing answers {key}"));
                        (404, serde_json::to_string(&ProblemBody { error }).expect("plain data"))
                    }
                };
                Response::builder().status(status).body(Body::from(body)).expect("an answer")
            }
        })
    }
}

/// A look at what a task would run by, before it is submitted.
fn is_preview(request: &str) -> bool {
    request.starts_with("POST /api/fleet/jobs?") && request.contains("dryRun=true")
}

/// What a task would run by: `answer`, else as one that says nothing, in the repository that the request names.
fn preview(request: &str, answer: Option<Value>) -> Value {
    let query = request.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let query: BTreeMap<String, String> = serde_urlencoded::from_str(query).expect("a query");
    let usual = || json!({ "title": "Do it", "manifest": { "engine": "scripted" }, "origins": {}, "warnings": [] });
    let mut preview = answer.unwrap_or_else(usual);
    preview["repo"] = json!(query.get("repo"));
    preview
}

/// A job as the API shows it; `change` sets further fields.
pub(super) fn job(id: &str, stage: &str, change: Value) -> Job {
    let mut job = json!({
        "id": id, "title": "Add validation", "product": "default", "file": "add-validation.md", "stage": stage,
        "priority": "medium", "engine": "claude", "kind": "leaf", "deps": [], "depsMode": "hard", "blockedBy": [],
        "rev": 3, "leaseEpoch": 1, "attempts": 1, "runs": 1, "factory": "local", "repo": "/srv/project",
        "branch": format!("fleet/{id}-add"), "base": "main", "tags": [], "trigger": "manual", "held": false,
        "paused": false, "actions": [], "usage": { "basis": "unknown" }, "scopeWarning": [], "feedback": [],
        "createdAt": "2026-11-20T10:00:00Z", "updatedAt": "2026-11-20T11:00:00Z", "manifest": {}, "extra": {},
    });
    for (key, value) in change.as_object().expect("an object") {
        job[key] = value.clone();
    }
    serde_json::from_value(job).expect("a job")
}

/// What a command left behind.
pub(super) struct Outcome {
    pub(super) exit: ExitCode,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Outcome {
    /// stdout as one JSON document.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Makes the folder a repository on `main` with one empty commit: tasks are only taken where there is one.
fn commit_nothing(folder: &std::path::Path) {
    let repo = git2::Repository::init_opts(folder, git2::RepositoryInitOptions::new().initial_head("main"));
    let repo = repo.expect("a repository");
    let ann = git2::Signature::now("Ann", "ann@example.org").expect("a signature");
    let tree = repo.treebuilder(None).and_then(|tree| tree.write()).and_then(|id| repo.find_tree(id)).expect("a tree");
    repo.commit(Some("HEAD"), &ann, &ann, "first", &tree, &[]).expect("a commit");
}

/// A folder to run commands in, with `now` held still.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("fleet.toml"), "queue = \"tasks\"\n").expect("a configuration");
        std::fs::write(folder.path().join("now"), "2026-11-20T12:00:00Z").expect("a clock");
        commit_nothing(folder.path());
        Self { folder }
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// Runs `fleet ARGUMENTS` against `fake`.
    pub(super) fn run(&self, fake: &Fake, arguments: &[&str]) -> Outcome {
        let arguments: Vec<OsString> =
            std::iter::once("fleet").chain(arguments.iter().copied()).map(OsString::from).collect();
        let Ok(Cli { global, verb }) = command::parse(arguments, &Environment::default()) else {
            panic!("the arguments are wrong")
        };
        let (stdout, stderr) = (Kept::default(), Kept::default());
        let out = Output::of_streams(Streams {
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            format: if global.json { Format::Json } else { Format::Human },
        });
        let outcome = self.execute(fake, verb, out);
        Outcome { exit: outcome, stdout: stdout.text(), stderr: stderr.text() }
    }

    fn execute(&self, fake: &Fake, verb: Verb, out: Output) -> ExitCode {
        let clock = self.folder.path().join("now");
        let request = config::Request {
            cwd: entry::start_folder(&verb, self.folder.path().to_owned()),
            environment: Environment::from([("FLEET_TEST_CLOCK", clock.to_str().expect("a plain path"))]),
            mode: config::Mode::Test,
            ..config::Request::default()
        };
        let config = config::resolve(&request).expect("a valid configuration");
        let client = Client::embedded(fake.router(), "default", "operator:test");
        let context = Context::new(config, out, Asking::Never, Terminal::Dumb).expect("a context");
        let context = context.with_embedded(Embedded::answering(client));
        match entry::execute(&context, verb) {
            Ok(exit) => exit,
            Err(CliError::Report(report)) => {
                context.out.tell(&report);
                report.exit
            }
            Err(CliError::Closed) => ExitCode::Success,
        }
    }
}

/// Keeps what is written, without styles.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no test panicked").clone();
        anstream::adapter::strip_str(&String::from_utf8(bytes).expect("text")).to_string()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
