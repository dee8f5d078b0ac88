//! A job as a row: columns for what is filtered or compared, one JSON document for the rest.
//!
//! Nothing stands in both, so the two cannot disagree. `actions` is not stored at all: it follows from the rest.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use fleet_protocol::{
    Job, JobId, JobResult, Manifest, Stage,
    job::{
        BlockReason, Blocker, Checkpoint, DiffStat, Feedback, ProfileRef, Progress, PullRequest, Repeated, Trigger,
        Usage,
    },
    lease::{Lease, LeaseStatus},
    manifest::{DepsMode, Kind, Priority, RuntimeName},
};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::column::{Count, Json, Millis, Word};

/// The columns that `read` expects, in its order.
pub(super) const COLUMNS: &str = "jobs.id, jobs.product, jobs.file, jobs.stage, jobs.priority, jobs.held, \
     jobs.retry_not_before, jobs.engine, jobs.parent_id, jobs.rev, jobs.lease_epoch, jobs.lease_holder, \
     jobs.lease_at_epoch, jobs.lease_expires_at, jobs.lease_status, jobs.idempotency_key, jobs.created_at, \
     jobs.updated_at, jobs.doc";

/// The version of `Rest`. A reader knows every version up to its own.
const DOC_VERSION: u32 = 1;

/// What has no column.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rest<'a> {
    v: u32,
    title: Cow<'a, str>,
    result: Option<JobResult>,
    message: Option<Cow<'a, str>>,
    profile: Option<Cow<'a, ProfileRef>>,
    kind: Kind,
    deps: Cow<'a, [String]>,
    deps_mode: DepsMode,
    blocked_by: Cow<'a, [Blocker]>,
    attempts: u32,
    runs: u32,
    factory: Option<Cow<'a, str>>,
    repo: Option<Cow<'a, str>>,
    branch: Option<Cow<'a, str>>,
    base: Option<Cow<'a, str>>,
    base_commit: Option<Cow<'a, str>>,
    head_commit: Option<Cow<'a, str>>,
    checkpoint: Option<Cow<'a, Checkpoint>>,
    tags: Cow<'a, [String]>,
    trigger: Trigger,
    paused: bool,
    resumed: bool,
    repeated: Option<Cow<'a, Repeated>>,
    usage: Usage,
    diff: Option<DiffStat>,
    pr: Option<Cow<'a, PullRequest>>,
    progress: Option<Cow<'a, Progress>>,
    scope_warning: Cow<'a, [String]>,
    feedback: Cow<'a, [Feedback]>,
    manifest: Cow<'a, Manifest>,
    extra: Cow<'a, BTreeMap<String, Value>>,
}

/// The values of a job's columns, ready to be bound.
pub(super) struct Columns<'a> {
    pub(super) stage: &'static str,
    pub(super) engine: Option<&'a str>,
    pub(super) parent_id: Option<&'a str>,
    pub(super) held: bool,
    pub(super) dep_failed: bool,
    pub(super) retry_not_before: Option<Millis>,
    pub(super) lease_epoch: Count,
    pub(super) lease_holder: Option<&'a str>,
    pub(super) lease_at_epoch: Option<Count>,
    pub(super) lease_expires_at: Option<Millis>,
    pub(super) lease_status: Option<&'static str>,
    pub(super) updated_at: Millis,
}

impl<'a> Columns<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        let lease = job.lease.as_ref();
        Self {
            stage: job.stage.as_str(),
            engine: job.engine.as_deref(),
            parent_id: job.parent_id.as_ref().map(JobId::as_str),
            held: job.held,
            dep_failed: job.stage == Stage::Blocked
                && job.blocked_by.iter().any(|blocker| blocker.reason == BlockReason::DependencyFailed),
            retry_not_before: job.retry_not_before.map(Millis),
            lease_epoch: Count(job.lease_epoch),
            lease_holder: lease.map(|lease| lease.holder_factory_id.as_str()),
            lease_at_epoch: lease.map(|lease| Count(lease.lease_epoch)),
            lease_expires_at: lease.map(|lease| Millis(lease.expires_at)),
            lease_status: lease.map(|lease| lease.status.as_str()),
            updated_at: Millis(job.updated_at),
        }
    }
}

/// The columns that only new content changes: what jobs are sorted by.
pub(super) struct Sorting<'a> {
    pub(super) priority: u8,
    pub(super) route: String,
    pub(super) tagset: String,
    pub(super) lock: Option<&'a str>,
}

impl<'a> Sorting<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            priority: job.priority.rank(),
            route: route(&job.manifest),
            tagset: tagset(&job.tags),
            lock: job.manifest.lock.as_deref(),
        }
    }
}

/// The tags as one text: the same for the same tags.
fn tagset(tags: &[String]) -> String {
    if tags.is_empty() {
        return String::new();
    }
    let tags: BTreeSet<&String> = tags.iter().collect();
    serde_json::to_string(&tags).expect("a list of texts is JSON")
}

/// What a job demands of whoever runs it, as one text: jobs with the same route suit the same factories, so a claim
/// judges a route once and passes over all of its jobs.
fn route(manifest: &Manifest) -> String {
    #[derive(Serialize)]
    struct Route<'a> {
        capabilities: Vec<&'a str>,
        engine: Option<&'a str>,
        class: Option<&'a str>,
        prefers: &'a [String],
        runtime: Option<RuntimeName>,
    }
    let mut capabilities: Vec<&str> = manifest.capabilities.iter().map(String::as_str).collect();
    capabilities.sort_unstable();
    capabilities.dedup();
    let route = Route {
        capabilities,
        engine: manifest.engine.as_deref(),
        class: manifest.engine_class.as_deref(),
        prefers: &manifest.prefers_engine,
        runtime: manifest.runtime,
    };
    serde_json::to_string(&route).expect("texts and lists of texts are JSON")
}

/// The document of a job.
pub(super) fn write_doc(job: &Job) -> serde_json::Result<String> {
    // Taken apart in full: a new field of a job must be given a place here before this compiles.
    #[rustfmt::skip]
    let Job {
        id: _, product: _, file: _, stage: _, priority: _, engine: _, parent_id: _, rev: _, lease_epoch: _, lease: _,
        idempotency_key: _, held: _, retry_not_before: _, stalled_since: _, insights: _, actions: _, created_at: _, updated_at: _,
        title, result, message, profile, kind, deps, deps_mode, blocked_by, attempts, runs, factory, repo, branch, base,
        base_commit, head_commit, checkpoint, tags, trigger, paused, resumed, repeated, usage, diff, pr, progress,
        scope_warning, feedback, manifest, extra,
    } = job;
    let rest = Rest {
        v: DOC_VERSION,
        title: title.into(),
        result: *result,
        message: text(message.as_ref()),
        profile: profile.as_ref().map(Cow::Borrowed),
        kind: *kind,
        deps: deps.into(),
        deps_mode: *deps_mode,
        blocked_by: blocked_by.into(),
        attempts: *attempts,
        runs: *runs,
        factory: text(factory.as_ref()),
        repo: text(repo.as_ref()),
        branch: text(branch.as_ref()),
        base: text(base.as_ref()),
        base_commit: text(base_commit.as_ref()),
        head_commit: text(head_commit.as_ref()),
        checkpoint: checkpoint.as_ref().map(Cow::Borrowed),
        tags: tags.into(),
        trigger: *trigger,
        paused: *paused,
        resumed: *resumed,
        repeated: repeated.as_ref().map(Cow::Borrowed),
        usage: *usage,
        diff: *diff,
        pr: pr.as_ref().map(Cow::Borrowed),
        progress: progress.as_ref().map(Cow::Borrowed),
        scope_warning: scope_warning.into(),
        feedback: feedback.into(),
        manifest: Cow::Borrowed(manifest),
        extra: Cow::Borrowed(extra),
    };
    serde_json::to_string(&rest)
}

fn text(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(Into::into)
}

/// Reads a job from a row of `COLUMNS`.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Job> {
    let Json(rest) = row.get::<_, Json<Rest<'static>>>(18)?;
    if rest.v > DOC_VERSION {
        let newer = format!("a record of version {}, this program knows up to {DOC_VERSION}", rest.v);
        return Err(rusqlite::Error::FromSqlConversionFailure(18, rusqlite::types::Type::Text, newer.into()));
    }
    Ok(Job {
        id: row.get::<_, Word<_>>(0)?.0,
        product: row.get(1)?,
        file: row.get(2)?,
        stage: row.get::<_, Word<_>>(3)?.0,
        priority: read_priority(row)?,
        held: row.get(5)?,
        retry_not_before: row.get::<_, Option<Millis>>(6)?.map(|millis| millis.0),
        engine: row.get(7)?,
        parent_id: row.get::<_, Option<Word<_>>>(8)?.map(|word| word.0),
        rev: row.get::<_, Count>(9)?.0,
        lease_epoch: row.get::<_, Count>(10)?.0,
        lease: read_lease(row)?,
        idempotency_key: row.get(15)?,
        created_at: row.get::<_, Millis>(16)?.0,
        updated_at: row.get::<_, Millis>(17)?.0,
        actions: Vec::new(),
        title: rest.title.into_owned(),
        result: rest.result,
        message: rest.message.map(Cow::into_owned),
        profile: rest.profile.map(Cow::into_owned),
        kind: rest.kind,
        deps: rest.deps.into_owned(),
        deps_mode: rest.deps_mode,
        blocked_by: rest.blocked_by.into_owned(),
        attempts: rest.attempts,
        runs: rest.runs,
        factory: rest.factory.map(Cow::into_owned),
        repo: rest.repo.map(Cow::into_owned),
        branch: rest.branch.map(Cow::into_owned),
        base: rest.base.map(Cow::into_owned),
        base_commit: rest.base_commit.map(Cow::into_owned),
        head_commit: rest.head_commit.map(Cow::into_owned),
        checkpoint: rest.checkpoint.map(Cow::into_owned),
        tags: rest.tags.into_owned(),
        trigger: rest.trigger,
        paused: rest.paused,
        resumed: rest.resumed,
        stalled_since: None,
        insights: None,
        repeated: rest.repeated.map(Cow::into_owned),
        usage: rest.usage,
        diff: rest.diff,
        pr: rest.pr.map(Cow::into_owned),
        progress: rest.progress.map(Cow::into_owned),
        scope_warning: rest.scope_warning.into_owned(),
        feedback: rest.feedback.into_owned(),
        manifest: rest.manifest.into_owned(),
        extra: rest.extra.into_owned(),
    })
}

fn read_priority(row: &Row<'_>) -> rusqlite::Result<Priority> {
    let rank: u8 = row.get(4)?;
    Priority::ALL
        .iter()
        .copied()
        .find(|priority| priority.rank() == rank)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(4, rank.into()))
}

fn read_lease(row: &Row<'_>) -> rusqlite::Result<Option<Lease>> {
    let Some(Word(status)) = row.get::<_, Option<Word<LeaseStatus>>>(14)? else { return Ok(None) };
    Ok(Some(Lease {
        holder_factory_id: row.get(11)?,
        lease_epoch: row.get::<_, Count>(12)?.0,
        expires_at: row.get::<_, Millis>(13)?.0,
        status,
    }))
}

/// The row's number, for the tables that refer to it.
pub(super) fn find_pk(conn: &Connection, product: &str, id: &JobId) -> rusqlite::Result<Option<i64>> {
    use rusqlite::OptionalExtension;
    conn.prepare_cached("SELECT pk FROM jobs WHERE id = ?1 AND product = ?2")?
        .query_row((id.as_str(), product), |row| row.get(0))
        .optional()
}
