//! The routes and what answers them.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use fleet_protocol::{
    Action, ErrorCode, Problem,
    api::{
        ActionRequest, ClaimRequest, EventsQuery, JobsQuery, LogAppend, LogPlace, LogsQuery, PatchJob, QueueStateQuery,
        ReleaseRequest, RenewManyRequest, RenewRequest, RunsQuery, SubmitQuery, VersionView,
    },
    route,
};
use serde_json::json;

use super::{
    answer::{self, claim, look, markdown, once, problem},
    input::{Asked, Asker, Asking, Segments, query, repeatable_caller},
    strict,
};
use crate::service::{Caller, Failure, Service, Submitted, TaskText, decode};

/// Longest task file.
const TASK_LIMIT: usize = 4 * 1024 * 1024;

type Shared = State<Arc<Service>>;

/// Every route of the protocol.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(route::HEALTH, get(health))
        .route(route::READY, get(ready))
        .route(route::VERSION, get(version))
        .route(route::JOBS, get(list_jobs).post(submit))
        .route(route::JOB, get(show_job).patch(patch_job))
        .route(route::JOB_BODY, get(body))
        .route(route::JOB_SOURCE, get(source))
        .route(route::JOB_ACTION, post(act))
        .route(route::JOB_EXPLAIN, get(explain))
        .route(route::JOB_RUNS, get(runs))
        .route(route::JOB_EVENTS, get(events))
        .route(route::JOB_LOGS, get(read_log).post(append_log))
        .route(route::LEASE_RENEW, post(renew))
        .route(route::LEASE_RELEASE, post(release))
        .route(route::LEASES_RENEW, post(renew_many))
        .route(route::CLAIM, post(claim_job))
        .route(route::STATUS, get(status))
        .route(route::QUEUE_STATE, get(queue_state))
        .route(route::PROFILE_VERSION, get(profile_version))
        .route(route::PROJECTS, get(projects))
        .route(route::PROJECT, get(project))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(service)
}

async fn no_route(request: Request) -> Response {
    problem(&Problem::new(ErrorCode::NotFound, format!("no route `{}`", request.uri().path())))
}

async fn no_method(request: Request) -> Response {
    let message = format!("`{}` is not for {}", request.uri().path(), request.method());
    answer::problem_as(StatusCode::METHOD_NOT_ALLOWED, Problem::new(ErrorCode::InvalidRequest, message))
}

async fn health() -> Response {
    answer::json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn ready(State(service): Shared) -> Response {
    look(service.ready().await.map(|()| json!({ "status": "ready" })))
}

async fn version() -> Response {
    answer::json(StatusCode::OK, &VersionView { version: env!("CARGO_PKG_VERSION").to_owned() })
}

async fn submit(State(service): Shared, request: Request) -> Response {
    match read_submission(&service, request).await {
        Ok((caller, text, query)) => {
            once(&service, &caller, async {
                service.submit(&caller, &text, &query).await.map(|submitted| match submitted {
                    Submitted::New(job) => (StatusCode::CREATED, json!(job)),
                    Submitted::Known(job) => (StatusCode::OK, json!(job)),
                    Submitted::Preview(preview) => (StatusCode::OK, json!(preview)),
                })
            })
            .await
        }
        Err(found) => problem(&found),
    }
}

async fn read_submission(service: &Service, request: Request) -> Result<(Caller, TaskText, SubmitQuery), Problem> {
    let (parts, body) = request.into_parts();
    let query = query(&parts.uri)?;
    let kind: fn(String) -> TaskText = match strict::media_type(&parts.headers) {
        Some("text/markdown" | "text/plain") => TaskText::Markdown,
        Some("application/json") => TaskText::Json,
        _ => {
            let message = "send a task file as text/markdown, or its fields as application/json";
            return Err(Problem::new(ErrorCode::InvalidRequest, message));
        }
    };
    let bytes = strict::bytes(body, TASK_LIMIT).await?;
    let caller = repeatable_caller(&parts, &bytes, service)?;
    let text = String::from_utf8(bytes.into())
        .map_err(|error| Problem::new(ErrorCode::InvalidRequest, format!("the task is no UTF-8: {error}")))?;
    Ok((caller, kind(text), query))
}

async fn list_jobs(State(service): Shared, Asker(caller): Asker, Asking(query): Asking<JobsQuery>) -> Response {
    look(service.jobs(&caller, query).await)
}

async fn show_job(State(service): Shared, Asker(caller): Asker, path: Segments) -> Response {
    look(path.job().map_err(Failure::from).and_then(|id| service.job(&caller, &id)))
}

async fn patch_job(State(service): Shared, path: Segments, Asked(caller, patch): Asked<PatchJob>) -> Response {
    once(&service, &caller, async {
        let job = service.patch(&caller, &path.job()?, patch).await?;
        Ok((StatusCode::OK, job))
    })
    .await
}

async fn body(State(service): Shared, Asker(caller): Asker, path: Segments) -> Response {
    markdown(path.job().map_err(Failure::from).and_then(|id| service.body(&caller, &id)))
}

async fn source(State(service): Shared, Asker(caller): Asker, path: Segments) -> Response {
    markdown(path.job().map_err(Failure::from).and_then(|id| service.source(&caller, &id)))
}

async fn act(State(service): Shared, path: Segments, Asked(caller, request): Asked<ActionRequest>) -> Response {
    once(&service, &caller, async {
        let action: Action = path.get("action").parse().map_err(|error: fleet_protocol::words::UnknownWord| {
            Problem::new(ErrorCode::InvalidRequest, error.to_string())
        })?;
        let job = service.act(&caller, &path.job()?, action, request).await?;
        Ok((StatusCode::OK, job))
    })
    .await
}

async fn explain(State(service): Shared, Asker(caller): Asker, path: Segments) -> Response {
    look(path.job().map_err(Failure::from).and_then(|id| service.explain(&caller, &id)))
}

async fn runs(
    State(service): Shared,
    Asker(caller): Asker,
    path: Segments,
    Asking(query): Asking<RunsQuery>,
) -> Response {
    look(path.job().map_err(Failure::from).and_then(|id| service.runs(&caller, &id, &query)))
}

async fn events(
    State(service): Shared,
    Asker(caller): Asker,
    path: Segments,
    Asking(query): Asking<EventsQuery>,
) -> Response {
    look(path.job().map_err(Failure::from).and_then(|id| service.events(&caller, &id, &query)))
}

async fn read_log(
    State(service): Shared,
    Asker(caller): Asker,
    path: Segments,
    Asking(query): Asking<LogsQuery>,
) -> Response {
    match path.job() {
        Ok(id) => look(service.read_log(&caller, &id, query).await),
        Err(found) => problem(&found),
    }
}

async fn append_log(State(service): Shared, path: Segments, request: Request) -> Response {
    match (path.job(), read_output(&service, request).await) {
        (Ok(id), Ok((caller, place, bytes))) => look(service.append_log(&caller, &id, place, bytes).await),
        (Err(found), _) | (_, Err(found)) => problem(&found),
    }
}

/// Output as bytes, its place in the query; or both as JSON.
async fn read_output(service: &Service, request: Request) -> Result<(Caller, LogPlace, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let kind = strict::media_type(&parts.headers).unwrap_or("application/json");
    match kind {
        "application/octet-stream" => {
            let place = query(&parts.uri)?;
            let bytes = strict::bytes(body, <LogAppend as strict::Strict>::LIMIT).await?;
            Ok((repeatable_caller(&parts, &bytes, service)?, place, bytes))
        }
        "application/json" => {
            let bytes = strict::bytes(body, <LogAppend as strict::Strict>::LIMIT).await?;
            let caller = repeatable_caller(&parts, &bytes, service)?;
            let append: LogAppend = strict::parse(&bytes)?;
            Ok((caller, append.place(), decode(append)?))
        }
        _ => {
            let message = "send output as application/octet-stream, or with its place as application/json";
            Err(Problem::new(ErrorCode::InvalidRequest, message))
        }
    }
}

async fn renew(State(service): Shared, path: Segments, Asked(caller, request): Asked<RenewRequest>) -> Response {
    match path.job() {
        Ok(id) => look(service.renew(&caller, &id, request).await),
        Err(found) => problem(&found),
    }
}

async fn renew_many(State(service): Shared, Asked(caller, request): Asked<RenewManyRequest>) -> Response {
    look(service.renew_many(&caller, request).await)
}

async fn release(State(service): Shared, path: Segments, Asked(caller, request): Asked<ReleaseRequest>) -> Response {
    once(&service, &caller, async {
        let job = service.release(&caller, &path.job()?, request).await?;
        Ok((StatusCode::OK, job))
    })
    .await
}

async fn claim_job(State(service): Shared, Asked(caller, request): Asked<ClaimRequest>) -> Response {
    claim(service.claim(&caller, &request).await)
}

async fn status(State(service): Shared, Asker(caller): Asker) -> Response {
    look(service.status(&caller).await)
}

async fn queue_state(State(service): Shared, Asker(_): Asker, Asking(query): Asking<QueueStateQuery>) -> Response {
    look(service.queue_state(query).await)
}

async fn profile_version(State(service): Shared, Asker(_): Asker, path: Segments) -> Response {
    markdown(service.profile_version(path.get("name"), path.get("version")))
}

async fn projects(State(service): Shared, Asker(_): Asker) -> Response {
    answer::json(StatusCode::OK, &service.projects())
}

async fn project(State(service): Shared, Asker(_): Asker, path: Segments) -> Response {
    look(service.project(path.get("name")))
}
