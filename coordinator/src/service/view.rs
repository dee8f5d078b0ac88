//! Looking at jobs, runs and histories. Nothing here changes anything.

use std::{sync::Arc, time::Duration};

use fleet_protocol::{
    ErrorCode, Job, JobId, Problem, Stage,
    api::{EventList, EventsQuery, JobList, JobsQuery, QueueState, QueueStateQuery, RunList, RunsQuery},
};
use tokio::time::Instant;

use super::{Failure, Service, blocking::blocking, caller::Caller, claim::LONGEST_WAIT, core::shown, failure::no_job};
use crate::store::Snapshot;

/// Items of a page when the query does not say, and at most.
const PAGE: u32 = 200;
const LONGEST_PAGE: u32 = 1_000;

impl Service {
    /// One job.
    pub(crate) fn job(&self, caller: &Caller, id: &JobId) -> Result<Job, Failure> {
        let Snapshot { mut job, run, .. } = self.load(&caller.product, id)?;
        if job.stage == Stage::Building {
            let started = run.as_ref().and_then(|run| run.started_at).unwrap_or(job.updated_at);
            job.stalled_since = self.stalled_since(&job, run.as_ref(), started, self.now())?;
        }
        job.insights = run.and_then(|run| run.insights);
        Ok(job)
    }

    /// A page of jobs, or the ones that a name may mean.
    pub(crate) async fn jobs(self: &Arc<Self>, caller: &Caller, query: JobsQuery) -> Result<JobList, Failure> {
        if let Some(name) = &query.name {
            let jobs = self.store.jobs_named(&caller.product, name)?;
            return Ok(JobList { jobs: jobs.into_iter().map(shown).collect(), next: None });
        }
        let after = read_cursor(query.cursor.as_deref())?;
        let limit = page_length(query.limit)?;
        let (service, product) = (Arc::clone(self), caller.product.clone());
        // A page may be a thousand records to take apart.
        let page = blocking(move || Ok(service.store.jobs_page(&product, &query, after, limit)?)).await?;
        let next = page.next.map(|place| place.to_string());
        Ok(JobList { jobs: page.items.into_iter().map(shown).collect(), next })
    }

    /// A page of a job's runs.
    pub(crate) fn runs(&self, caller: &Caller, id: &JobId, query: &RunsQuery) -> Result<RunList, Failure> {
        let after = read_cursor(query.cursor.as_deref())?;
        let length = usize::try_from(page_length(query.limit)?).unwrap_or(usize::MAX);
        self.load(&caller.product, id)?;
        // A job has few runs: read whole, a page costs what its first one would.
        let mut runs = self.store.runs_list(&caller.product, id)?;
        runs.retain(|run| i64::from(run.number) > after);
        let more = runs.len() > length;
        runs.truncate(length);
        let next = runs.last().filter(|_| more).map(|run| run.number.to_string());
        Ok(RunList { runs, next })
    }

    /// A page of a job's history.
    pub(crate) fn events(&self, caller: &Caller, id: &JobId, query: &EventsQuery) -> Result<EventList, Failure> {
        self.load(&caller.product, id)?;
        let after = i64::try_from(query.after.unwrap_or(0)).unwrap_or(i64::MAX);
        let after = read_cursor(query.cursor.as_deref())?.max(after);
        let page = self.store.events_page(&caller.product, id, after, page_length(query.limit)?)?;
        Ok(EventList { events: page.items, next: page.next.map(|place| place.to_string()) })
    }

    /// What the agent is told.
    pub(crate) fn body(&self, caller: &Caller, id: &JobId) -> Result<String, Failure> {
        self.texts(caller, id).map(|(_, body)| body)
    }

    /// The task file as submitted.
    pub(crate) fn source(&self, caller: &Caller, id: &JobId) -> Result<String, Failure> {
        self.texts(caller, id).map(|(source, _)| source)
    }

    fn texts(&self, caller: &Caller, id: &JobId) -> Result<(String, String), Failure> {
        Ok(self.store.texts_load(&caller.product, id)?.ok_or_else(|| no_job(id))?)
    }

    /// The text of a version of a profile: one that a job was submitted with, or a present one.
    pub(crate) fn profile_version(&self, name: &str, version: &str) -> Result<String, Failure> {
        if let Some(text) = self.store.profile_load(name, version)? {
            return Ok(text);
        }
        let known = self
            .options
            .profiles
            .iter()
            .find(|source| source.profile.name == name && source.profile.version == version);
        known.map(|source| source.text.clone()).ok_or_else(|| {
            Problem::new(ErrorCode::NotFound, format!("no version `{version}` of a profile `{name}`")).into()
        })
    }

    /// The queue's version; with `after` and `waitMs`, as soon as it is another one.
    pub(crate) async fn queue_state(&self, query: QueueStateQuery) -> Result<QueueState, Failure> {
        let version = self.store.version()?;
        let (Some(after), Some(wait)) = (query.after, query.wait_ms) else { return Ok(QueueState { version }) };
        if version != after {
            return Ok(QueueState { version });
        }
        let until = Instant::now() + Duration::from_millis(wait).min(LONGEST_WAIT);
        self.store.version_above(version, until).await?;
        Ok(QueueState { version: self.store.version()? })
    }

    /// Whether the store can be written.
    pub(crate) async fn ready(&self) -> Result<(), Failure> {
        Ok(self.store.probe().await?)
    }
}

fn read_cursor(cursor: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = cursor else { return Ok(0) };
    text.parse()
        .ok()
        .filter(|place| *place >= 0)
        .ok_or_else(|| Problem::new(ErrorCode::InvalidRequest, "`cursor` is not one that a page gave as `next`"))
}

fn page_length(limit: Option<u32>) -> Result<u32, Problem> {
    match limit {
        Some(0) => Err(Problem::new(ErrorCode::InvalidRequest, "`limit` is 0; at least 1 is needed")),
        limit => Ok(limit.unwrap_or(PAGE).min(LONGEST_PAGE)),
    }
}
