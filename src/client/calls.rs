//! Every call of the API, typed.

use axum::Router;
use bytes::Bytes;
use fleet_protocol::{
    Action, ErrorCode, Event, Job, JobId, Problem, Run,
    api::{
        ActionRequest, ClaimRequest, Claimed, EmptyReason, EventList, EventsQuery, Explanation, JobList, JobsQuery,
        LogAppended, LogChunk, LogPlace, LogsQuery, PatchJob, ProjectList, QueueState, QueueStateQuery, ReleaseRequest,
        RenewManyAnswer, RenewManyRequest, RunList, RunsQuery, StatusView, SubmitPreview, SubmitQuery,
    },
    route,
};
use http::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

use super::transport::{Answer, Call, Transport};

/// Speaks to the coordinator. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    transport: Transport,
}

/// What a claim brought.
pub(crate) enum ClaimAnswer {
    Job(Box<Claimed>),
    Nothing(EmptyReason),
}

const MARKDOWN: &str = "text/markdown";
const BYTES: &str = "application/octet-stream";

impl Client {
    /// A client of the router in this process. `actor` is who acts, for example `operator:ann`.
    pub(crate) fn embedded(router: Router, product: &str, actor: &str) -> Self {
        Self { transport: Transport::embedded(router, product.to_owned(), actor.to_owned()) }
    }

    /// Submits a whole task file. True beside the job: it is new; false: it was there.
    pub(crate) async fn submit(&self, text: &str, query: &SubmitQuery) -> Result<(Job, bool), Problem> {
        let answer = self.post_task(text, query).await?;
        Ok((decode(&answer)?, answer.status == StatusCode::CREATED))
    }

    /// Checks a task file and tells what it would run by; stores nothing.
    pub(crate) async fn preview(&self, text: &str, query: &SubmitQuery) -> Result<SubmitPreview, Problem> {
        let query = SubmitQuery { dry_run: true, ..query.clone() };
        decode(&self.post_task(text, &query).await?)
    }

    /// The projects there are, by name.
    pub(crate) async fn projects(&self) -> Result<ProjectList, Problem> {
        self.get(route::PROJECTS).await
    }

    /// One page of jobs.
    pub(crate) async fn jobs(&self, query: &JobsQuery) -> Result<JobList, Problem> {
        self.get(&with_query(route::JOBS, query)?).await
    }

    /// Every job that fits, page after page.
    pub(crate) async fn all_jobs(&self, query: &JobsQuery) -> Result<Vec<Job>, Problem> {
        let mut query = query.clone();
        let mut jobs = Vec::new();
        loop {
            let page = self.jobs(&query).await?;
            jobs.extend(page.jobs);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(jobs),
            }
        }
    }

    /// The one job that `name` means: an id, a unique prefix of one (four characters or more), or an idempotency key.
    pub(crate) async fn find(&self, name: &str) -> Result<Job, Problem> {
        let query = JobsQuery { name: Some(name.to_owned()), ..JobsQuery::default() };
        let mut jobs = self.jobs(&query).await?.jobs;
        match jobs.len() {
            // What could be the beginning of an id is not looked for while it is this short.
            0 if (1..4).contains(&name.chars().count()) => Err(Problem::new(
                ErrorCode::NotFound,
                format!("no job `{name}`; the beginning of an id needs four characters (`fleet jobs` lists them)"),
            )),
            0 => Err(Problem::new(ErrorCode::NotFound, format!("no job `{name}`; `fleet jobs` lists them"))),
            1 => Ok(jobs.remove(0)),
            _ => {
                let ids: Vec<String> = jobs.iter().map(|job| job.id.to_string()).collect();
                Err(Problem::new(
                    ErrorCode::NotFound,
                    format!("`{name}` means more than one job: {}, …", ids.join(", ")),
                ))
            }
        }
    }

    /// One job.
    pub(crate) async fn job(&self, id: &JobId) -> Result<Job, Problem> {
        self.get(&route::fill(route::JOB, &[id.as_str()])).await
    }

    /// What the agent is told, byte for byte.
    pub(crate) async fn body(&self, id: &JobId) -> Result<String, Problem> {
        self.get_text(&route::fill(route::JOB_BODY, &[id.as_str()])).await
    }

    /// The task file as submitted, byte for byte.
    pub(crate) async fn source(&self, id: &JobId) -> Result<String, Problem> {
        self.get_text(&route::fill(route::JOB_SOURCE, &[id.as_str()])).await
    }

    /// An operator's act.
    pub(crate) async fn act(&self, id: &JobId, action: Action, request: &ActionRequest) -> Result<Job, Problem> {
        self.post(&route::fill(route::JOB_ACTION, &[id.as_str(), action.as_str()]), request).await
    }

    /// One page of a job's runs.
    pub(crate) async fn runs(&self, id: &JobId, query: &RunsQuery) -> Result<RunList, Problem> {
        self.get(&with_query(&route::fill(route::JOB_RUNS, &[id.as_str()]), query)?).await
    }

    /// The runs after the cursor, page after page.
    pub(crate) async fn all_runs(&self, id: &JobId, cursor: Option<String>) -> Result<Vec<Run>, Problem> {
        let mut query = RunsQuery { cursor, limit: None };
        let mut runs = Vec::new();
        loop {
            let page = self.runs(id, &query).await?;
            runs.extend(page.runs);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(runs),
            }
        }
    }

    /// One page of a job's history.
    pub(crate) async fn events(&self, id: &JobId, query: &EventsQuery) -> Result<EventList, Problem> {
        self.get(&with_query(&route::fill(route::JOB_EVENTS, &[id.as_str()]), query)?).await
    }

    /// The history after `seq`, page after page.
    pub(crate) async fn all_events(&self, id: &JobId, after: u64) -> Result<Vec<Event>, Problem> {
        let mut query = EventsQuery { after: Some(after), ..EventsQuery::default() };
        let mut events = Vec::new();
        loop {
            let page = self.events(id, &query).await?;
            events.extend(page.events);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(events),
            }
        }
    }

    pub(crate) async fn explain(&self, id: &JobId) -> Result<Explanation, Problem> {
        self.get(&route::fill(route::JOB_EXPLAIN, &[id.as_str()])).await
    }

    /// A piece of a run's output.
    pub(crate) async fn logs(&self, id: &JobId, query: &LogsQuery) -> Result<LogChunk, Problem> {
        self.get(&with_query(&route::fill(route::JOB_LOGS, &[id.as_str()]), query)?).await
    }

    pub(crate) async fn status(&self) -> Result<StatusView, Problem> {
        self.get(route::STATUS).await
    }

    /// The queue's version; with `after` and `waitMs`, as soon as it differs.
    pub(crate) async fn queue_state(&self, query: &QueueStateQuery) -> Result<u64, Problem> {
        let state: QueueState = self.get(&with_query(route::QUEUE_STATE, query)?).await?;
        Ok(state.version)
    }

    /// Asks for work. The same `key` brings the same lease again when an answer was lost.
    pub(crate) async fn claim(&self, request: &ClaimRequest, key: &str) -> Result<ClaimAnswer, Problem> {
        let call = Call { key: Some(key), ..Call::json(Method::POST, route::CLAIM, encode(request)?) };
        let answer = self.transport.send(call).await?;
        if answer.status != StatusCode::NO_CONTENT {
            return Ok(ClaimAnswer::Job(Box::new(decode(&answer)?)));
        }
        let reason = answer.headers.get(route::REASON_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(ClaimAnswer::Nothing(reason.unwrap_or(EmptyReason::NoneQueued)))
    }

    /// Reports of the holder.
    pub(crate) async fn patch(&self, id: &JobId, patch: &PatchJob) -> Result<Job, Problem> {
        let path = route::fill(route::JOB, &[id.as_str()]);
        decode(&self.transport.send(Call::json(Method::PATCH, &path, encode(patch)?)).await?)
    }

    pub(crate) async fn renew(&self, request: &RenewManyRequest) -> Result<RenewManyAnswer, Problem> {
        self.post(route::LEASES_RENEW, request).await
    }

    pub(crate) async fn release(&self, id: &JobId, request: &ReleaseRequest) -> Result<Job, Problem> {
        self.post(&route::fill(route::LEASE_RELEASE, &[id.as_str()]), request).await
    }

    /// Output of the run that is held; gives where the next goes.
    pub(crate) async fn append_log(&self, id: &JobId, place: &LogPlace, bytes: Vec<u8>) -> Result<u64, Problem> {
        let path = with_query(&route::fill(route::JOB_LOGS, &[id.as_str()]), place)?;
        let call = Call { content_type: BYTES, ..Call::json(Method::POST, &path, bytes.into()) };
        let appended: LogAppended = decode(&self.transport.send(call).await?)?;
        Ok(appended.next_offset)
    }

    /// The text of a profile version.
    pub(crate) async fn profile_version(&self, name: &str, version: &str) -> Result<String, Problem> {
        self.get_text(&route::fill(route::PROFILE_VERSION, &[name, version])).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        decode(&self.transport.send(Call::get(path)).await?)
    }

    async fn get_text(&self, path: &str) -> Result<String, Problem> {
        text(&self.transport.send(Call::get(path)).await?)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        decode(&self.transport.send(Call::json(Method::POST, path, encode(body)?)).await?)
    }

    /// Posts a whole task file.
    async fn post_task(&self, text: &str, query: &SubmitQuery) -> Result<Answer, Problem> {
        let path = with_query(route::JOBS, query)?;
        let body = Bytes::copy_from_slice(text.as_bytes());
        self.transport.send(Call { content_type: MARKDOWN, ..Call::json(Method::POST, &path, body) }).await
    }
}

fn encode(body: &impl Serialize) -> Result<Bytes, Problem> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| odd("a request cannot be written", &error))
}

fn decode<T: DeserializeOwned>(answer: &Answer) -> Result<T, Problem> {
    serde_json::from_slice(&answer.body).map_err(|error| odd("an answer is not of its documented shape", &error))
}

fn text(answer: &Answer) -> Result<String, Problem> {
    String::from_utf8(answer.body.to_vec()).map_err(|error| odd("an answer is no UTF-8", &error))
}

fn odd(what: &str, error: &dyn std::error::Error) -> Problem {
    Problem::new(ErrorCode::Unavailable, format!("{what}: {error}"))
}

/// Appends `query` to `path`, percent-encoded.
fn with_query(path: &str, query: &impl Serialize) -> Result<String, Problem> {
    let pairs = serde_urlencoded::to_string(query).map_err(|error| odd("a query cannot be written", &error))?;
    Ok(if pairs.is_empty() { path.to_owned() } else { format!("{path}?{pairs}") })
}
