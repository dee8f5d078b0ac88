//! One loopback listener for both APIs, on a thread of its own; it ends with the value.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{anthropic, openai, script::Script};

/// A request as a test may want to look at it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) script: String,
    /// The newest user prompt.
    pub(crate) prompt: String,
}

#[derive(Default)]
pub(super) struct Shared {
    scripts: HashMap<String, Script>,
    asked: Mutex<Vec<Asked>>,
}

impl Shared {
    pub(super) fn script(&self, name: &str) -> Script {
        self.scripts.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn note(&self, script: &str, prompt: &str) {
        let asked = Asked { script: script.to_owned(), prompt: prompt.to_owned() };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }
}

/// A running model server.
pub(crate) struct ModelServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelServer {
    /// Starts one that plays these scripts, each under its own name.
    pub(crate) fn start(scripts: impl IntoIterator<Item = (&'static str, Script)>) -> Self {
        let scripts = scripts.into_iter().map(|(name, script)| (name.to_owned(), script)).collect();
        let shared = Arc::new(Shared { scripts, asked: Mutex::default() });
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let router = router(shared.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("the listener joins the runtime");
                tokio::select! {
                    served = axum::serve(listener, router) => served.expect("the model server serves"),
                    _ = stopped => {}
                }
            });
        });
        Self { addr, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// The base address under which the script `name` is played.
    pub(crate) fn base(&self, name: &str) -> String {
        format!("http://{}/s/{name}", self.addr)
    }

    /// Every request that a script got so far.
    pub(crate) fn asked(&self, script: &str) -> Vec<Asked> {
        let asked = self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|one| one.script == script).cloned().collect()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking(), "the model server panicked");
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/s/{name}/v1/messages", any(messages))
        .route("/s/{name}/v1/messages/count_tokens", any(|| async { Json(json!({"input_tokens": 100})) }))
        .route("/s/{name}/v1/responses", any(responses))
        .route("/s/{name}/v1/models", get(|| async { Json(json!({"object": "list", "data": [], "models": []})) }))
        .route("/s/{name}", any(|| async { Json(json!({})) }))
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({"error": {"message": "no such path"}}))) })
        .with_state(shared)
}

async fn messages(State(shared): State<Arc<Shared>>, Path(name): Path<String>, Json(body): Json<Value>) -> Response {
    anthropic::answer(&shared, &name, &body).into_response()
}

async fn responses(State(shared): State<Arc<Shared>>, Path(name): Path<String>, Json(body): Json<Value>) -> Response {
    openai::answer(&shared, &name, &body).into_response()
}

/// An event stream of these named events, whole at once; `open` leaves it unfinished.
pub(super) fn stream(events: &[Value], open: bool) -> Response {
    let text: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("message")))
        .collect();
    let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(text)]);
    let body = if open {
        use futures_util::StreamExt;
        axum::body::Body::from_stream(first.chain(futures_util::stream::pending()))
    } else {
        axum::body::Body::from_stream(first)
    };
    ([("content-type", "text/event-stream"), ("cache-control", "no-cache")], body).into_response()
}

/// The agent's working folder as its own prompt states it.
pub(super) fn working_folder(body: &Value) -> String {
    let text = body.to_string().replace("\\n", "\n");
    for label in ["orking directory: ", "<cwd>", "irectory is: "] {
        if let Some(start) = text.find(label).map(|at| at + label.len()) {
            let rest = &text[start..];
            let end = rest.find(['\n', '<', '"']).unwrap_or(rest.len());
            return rest[..end].trim().trim_matches(['`', '\'']).to_owned();
        }
    }
    ".".to_owned()
}
