//! The queue at a glance: how many, what runs, what needs a person.

use std::{collections::BTreeMap, sync::Arc};

use fleet_protocol::{
    Bucket, Job, Run, Span, Stage,
    api::{Alert, JobsQuery, RunningJob, StatusView},
    job::BlockReason,
    manifest::Priority,
};
use jiff::Timestamp;

use super::{Failure, Service, blocking::blocking, caller::Caller};
use crate::{
    scheduler::{self, Obstacle},
    store::{Cursor, LaneKind, StoreError},
};

/// Jobs that are named by alerts of one kind.
const NAMED: u32 = 50;
/// Blocked jobs that are looked at for dependencies that no job is called.
const BLOCKED: u32 = 200;

impl Service {
    pub(crate) async fn status(self: &Arc<Self>, caller: &Caller) -> Result<StatusView, Failure> {
        let (service, product) = (Arc::clone(self), caller.product.clone());
        // Counting takes longer the more jobs there are.
        blocking(move || service.status_of(&product)).await
    }

    fn status_of(&self, product: &str) -> Result<StatusView, Failure> {
        let now = self.now();
        let found = self.store.stage_counts(product)?;
        let stages: BTreeMap<Stage, u64> =
            Stage::ALL.iter().map(|stage| (*stage, found.get(stage).copied().unwrap_or(0))).collect();
        let mut counts: BTreeMap<Bucket, u64> = Bucket::ALL.iter().map(|bucket| (*bucket, 0)).collect();
        for (stage, count) in &stages {
            *counts.entry(stage.bucket()).or_default() += count;
        }
        let mut running = Vec::new();
        for (job, claimed_at) in self.store.held_list(Some(product))? {
            running.push(self.running(job, claimed_at, now)?);
        }
        let alerts = self.alerts(product)?;
        let delayed = self.store.delayed_count(product, now)?;
        Ok(StatusView { counts, stages, delayed, running, alerts, now })
    }

    fn running(&self, job: Job, claimed_at: Timestamp, now: Timestamp) -> Result<RunningJob, Failure> {
        let run = self.store.job_load(&job.product, &job.id)?.and_then(|snapshot| snapshot.run);
        let started_at = run.as_ref().and_then(|run| run.started_at);
        let stalled_since = self.stalled_since(&job, run.as_ref(), started_at.unwrap_or(claimed_at), now)?;
        Ok(RunningJob {
            run: job.runs,
            elapsed_ms: started_at.map_or(0, |at| millis_between(at, now)),
            stalled: stalled_since.is_some(),
            stalled_since,
            engine: run.and_then(|run| run.engine).or(job.engine),
            id: job.id,
            title: job.title,
            stage: job.stage,
            factory: job.factory,
            progress: job.progress,
            paused: job.paused,
        })
    }

    /// Since when a run has said nothing, if that is too long. A paused one has nothing to say.
    pub(super) fn stalled_since(
        &self,
        job: &Job,
        run: Option<&Run>,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Failure> {
        let Some(run) = run.filter(|_| !job.paused) else { return Ok(None) };
        let last = self.logs.last_growth(&job.id, run.number)?.map_or(since, |grown| grown.max(since));
        Ok((millis_between(last, now) > self.options.stall_after.millis()).then_some(last))
    }

    fn alerts(&self, product: &str) -> Result<Vec<Alert>, StoreError> {
        let mut alerts = Vec::new();
        for job in self.store.dep_failed_list(product, NAMED)? {
            alerts.extend(failed_dependencies(&job));
        }
        // The longest-waiting ones are the first; that is enough to be told.
        for candidate in self.store.blocked_page(Cursor::START, BLOCKED)? {
            alerts.extend(self.unknown_dependency(&candidate.job).filter(|_| candidate.job.product == product));
        }
        let query = JobsQuery { stage: Some(Stage::DeadLetter), ..JobsQuery::default() };
        for job in self.store.jobs_page(product, &query, 0, NAMED)?.items {
            alerts.push(Alert {
                code: "dead_letter".to_owned(),
                message: format!("`{}` ({}) used up its retries; `redrive` gives it new ones", job.title, job.id),
                jobs: vec![job.id],
            });
        }
        alerts.extend(self.unroutable(product)?);
        Ok(alerts)
    }

    /// Queued jobs that no factory known here could ever take as they are.
    fn unroutable(&self, product: &str) -> Result<Vec<Alert>, StoreError> {
        let factories = self.factories(product)?;
        let mut alerts = Vec::new();
        if factories.is_empty() {
            return Ok(alerts);
        }
        self.store.look(|look| {
            let now = self.now();
            for priority in Priority::ALL {
                for lane in look.lanes(product, *priority, now)? {
                    if lane.kind != LaneKind::Ready {
                        continue;
                    }
                    let Some(first) = look.places(product, &lane, (Cursor::START, 1))?.pop() else { continue };
                    let job = look.at(first)?;
                    if let Some(lacking) = lacking_everywhere(&job, &factories, now) {
                        let message = format!("no factory can take `{}` ({}): {lacking}", job.title, job.id);
                        let jobs = look.of_route(product, &lane, NAMED)?.into_iter().map(|job| job.id).collect();
                        alerts.push(Alert { code: "unroutable_job".to_owned(), message, jobs });
                    }
                }
            }
            Ok(alerts)
        })
    }
}

/// What every factory lacks for the job, in the words of the first; none when one of them would do.
fn lacking_everywhere(job: &Job, factories: &[fleet_protocol::api::ClaimRequest], now: Timestamp) -> Option<String> {
    let mut lacking = factories.iter().map(|factory| {
        let obstacles = scheduler::obstacles(job, factory, now);
        let lacks = obstacles.into_iter().find(|found| matches!(found, Obstacle::Capability(_) | Obstacle::Engine(_)));
        lacks.map(|obstacle| obstacle.reason().message)
    });
    let first = lacking.next()??;
    lacking.all(|other| other.is_some()).then_some(first)
}

impl Service {
    /// A job that has waited long for a name that may be a slip of the pen.
    fn unknown_dependency(&self, job: &Job) -> Option<Alert> {
        let unknown = job.blocked_by.iter().find(|blocker| blocker.reason == BlockReason::Unknown)?;
        let waited = Span::from_millis(millis_between(job.created_at, self.now()));
        (waited > self.options.unknown_dep_after).then(|| Alert {
            code: "unknown_dependency".to_owned(),
            message: format!(
                "`{}` ({}) waits for `{}`, which no job has been called for {}",
                job.title, job.id, unknown.dep, self.options.unknown_dep_after
            ),
            jobs: vec![job.id.clone()],
        })
    }
}

fn failed_dependencies(job: &Job) -> Option<Alert> {
    let failed: Vec<_> =
        job.blocked_by.iter().filter(|blocker| blocker.reason == BlockReason::DependencyFailed).collect();
    let first = failed.first()?;
    let jobs = std::iter::once(job.id.clone()).chain(failed.iter().filter_map(|blocker| blocker.job_id.clone()));
    Some(Alert {
        code: "dependency_failed".to_owned(),
        message: format!("`{}` ({}) waits for `{}`, which has failed", job.title, job.id, first.dep),
        jobs: jobs.collect(),
    })
}

fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}
