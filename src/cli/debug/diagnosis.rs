//! What is known of one run: asked of the coordinator and of this machine, and what follows from it.

use fleet_protocol::{
    Job, JobId, JobResult, Run, Stage,
    api::{LogStream, LogsQuery},
};
use jiff::Timestamp;
use serde::Serialize;

use super::super::{context::Context, error::CliError};
use crate::wiring::{self, Launched, Redaction, Role, Shown};

const BINARY_NOT_FOUND: &str = "agent_binary_not_found";
const INSTALL: &str = "install it, put it on the PATH of the runner, or name it as `command` in [engines.NAME]; \
                       `fleet doctor` lists what is found";
/// The end of a stream that is looked through for its last lines, bytes.
const LOG_TAIL: u64 = 64 * 1024;

/// How one run stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Diagnosis {
    pub(super) job: JobId,
    pub(super) title: String,
    pub(super) stage: Stage,
    pub(super) result: Option<JobResult>,
    pub(super) message: Option<String>,
    /// None before the first run.
    pub(super) run: Option<u32>,
    pub(super) engine: Option<String>,
    pub(super) factory: Option<String>,
    /// `not_run`, `starting`, `running`, `paused`, `ended`, `lost` (nobody watches over it any more), `unknown`, or
    /// `elsewhere`.
    pub(super) state: &'static str,
    pub(super) stalled_since: Option<Timestamp>,
    pub(super) findings: Vec<Finding>,
    pub(super) processes: Vec<Process>,
    pub(super) launches: Vec<Launched>,
}

/// Something that is wrong, and what to do about it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Stable, for programs.
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) suggestion: &'static str,
}

/// One process of the run, with what it said last.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process {
    /// `agent`, `verify`, their shims (`agent shim`), what they started (`agent child`), and `worker`.
    pub(super) name: String,
    /// None for the worker.
    pub(super) pid: Option<i32>,
    /// As the process table says.
    pub(super) state: &'static str,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// `ok`, `stalled`, `ended`, or `lost`: nobody watches over it.
    pub(super) health: &'static str,
    /// Bytes.
    pub(super) memory: u64,
    pub(super) cpu_ms: u64,
    pub(super) log: Vec<String>,
    /// Its standard error.
    pub(super) errors: Vec<String>,
}

impl Process {
    /// Whether it is fleet's own, which says nothing of prompts and files.
    pub(super) fn is_ours(&self) -> bool {
        self.name == "worker" || self.name.ends_with(" shim")
    }
}

/// Which run is asked about.
pub(super) struct Subject<'a> {
    pub(super) job: &'a Job,
    pub(super) run: Option<&'a Run>,
    /// How many lines of each log.
    pub(super) lines: usize,
}

/// Asks for everything.
pub(super) async fn diagnose(subject: &Subject<'_>, context: &Context) -> Result<Diagnosis, CliError> {
    let Subject { job, run, lines } = *subject;
    let mut diagnosis = Diagnosis {
        job: job.id.clone(),
        title: job.title.clone(),
        stage: job.stage,
        result: run.map_or(job.result, |run| run.result),
        message: run.map_or_else(|| job.message.clone(), |run| run.message.clone()),
        run: run.map(|run| run.number),
        engine: run.and_then(|run| run.engine.clone()).or_else(|| job.engine.clone()),
        factory: run.map(|run| run.factory.clone()).or_else(|| job.factory.clone()),
        state: "not_run",
        stalled_since: job.stalled_since,
        findings: Vec::new(),
        processes: Vec::new(),
        launches: Vec::new(),
    };
    let Some(run) = run else { return Ok(diagnosis) };
    let launches = wiring::launches(&context.config, &job.id, run.number, lines)?;
    let redaction = Redaction::of(&context.config);
    let last = async |stream| last(subject, run.number, stream, context).await;
    for launch in &launches {
        for shown in &launch.processes {
            let mut process = process(launch, shown, job.stalled_since.is_some());
            match (shown.role, launch.name.starts_with("verify")) {
                (Role::Shim, _) => process.log = launch.said.iter().map(|line| redaction.hide(line)).collect(),
                (Role::Main, true) => process.log = last(LogStream::Verify).await?,
                (Role::Main, false) => {
                    process.log = last(LogStream::Stdout).await?;
                    process.errors = last(LogStream::Stderr).await?;
                }
                (Role::Child, _) => {}
            }
            diagnosis.processes.push(process);
        }
    }
    diagnosis.processes.push(Process {
        name: "worker".to_owned(),
        state: "",
        health: if run.ended_at.is_some() { "ended" } else { "ok" },
        log: last(LogStream::Worker).await?,
        ..Process::default()
    });
    diagnosis.state = state(job, run, &launches);
    diagnosis.findings = findings(&diagnosis, &launches);
    diagnosis.launches = launches;
    Ok(diagnosis)
}

fn process(launch: &Launched, shown: &Shown, stalled: bool) -> Process {
    let name = match shown.role {
        Role::Shim => format!("{} shim", launch.name),
        Role::Main => launch.name.clone(),
        Role::Child => format!("{} child {}", launch.name, shown.name),
    };
    let health = match (shown.state, launch.state) {
        ("ended", _) => "ended",
        (_, "lost") => "lost",
        _ if stalled && shown.role == Role::Main => "stalled",
        _ => "ok",
    };
    Process {
        name,
        pid: Some(shown.pid),
        state: shown.state,
        exit_code: shown.exit_code,
        signal: shown.signal,
        health,
        memory: shown.memory,
        cpu_ms: shown.cpu_ms,
        ..Process::default()
    }
}

/// The last lines of a stream, without any secret: those were masked before they were sent.
async fn last(subject: &Subject<'_>, run: u32, stream: LogStream, context: &Context) -> Result<Vec<String>, CliError> {
    let query = |offset, limit| LogsQuery { run: Some(run), stream: Some(stream), offset: Some(offset), limit };
    let client = context.client()?;
    let size = client.logs(&subject.job.id, &query(0, Some(1))).await?.size;
    let chunk = client.logs(&subject.job.id, &query(size.saturating_sub(LOG_TAIL), Some(LOG_TAIL))).await?;
    let lines: Vec<&str> = chunk.data.lines().collect();
    Ok(lines[lines.len().saturating_sub(subject.lines)..].iter().map(|&line| line.to_owned()).collect())
}

fn state(job: &Job, run: &Run, launches: &[Launched]) -> &'static str {
    if run.ended_at.is_some() {
        return "ended";
    }
    match launches.last().map(|launch| launch.state) {
        Some("running") if job.paused => "paused",
        Some("running") => "running",
        Some("lost") => "lost",
        Some("unknown") => "unknown",
        // Between two launches the worker prepares, or looks at what came of the agent.
        Some(_) => "starting",
        None if job.stage.is_held() => "starting",
        None => "elsewhere",
    }
}

/// What is wrong, as far as it has a name.
fn findings(diagnosis: &Diagnosis, launches: &[Launched]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |code, message: String, suggestion| findings.push(Finding { code, message, suggestion });
    let said = || diagnosis.message.clone().unwrap_or_default();
    for failure in launches.iter().filter_map(|launch| launch.failure.as_ref()) {
        if failure.missing_program {
            find(BINARY_NOT_FOUND, failure.message.clone(), INSTALL);
        } else {
            find(
                "agent_not_started",
                failure.message.clone(),
                "look at the path that is named; `fleet doctor` may know more",
            );
        }
    }
    if diagnosis.result == Some(JobResult::NoEngine) && launches.iter().all(|launch| launch.failure.is_none()) {
        find(BINARY_NOT_FOUND, said(), INSTALL);
    }
    if diagnosis.result == Some(JobResult::ResourceExceeded) {
        find(
            "resource_exceeded",
            said(),
            "raise `[worker] memory` or the task's `limits`, or give the task less to do at once",
        );
    }
    if diagnosis.stalled_since.is_some() {
        let message = "nothing has come from the agent for longer than `coordinator.stall-after`".to_owned();
        find(
            "stalled",
            message,
            "`fleet logs JOB` shows what came last, `fleet stop JOB` ends the run and keeps its work",
        );
    }
    if diagnosis.state == "lost" {
        let message = "the shim that watched over the run is dead and left no record".to_owned();
        find(
            "run_lost",
            message,
            "the next `fleet run` ends what is left and saves the work; `fleet recover` does so now",
        );
    }
    let survivors: u32 = launches.iter().map(|launch| launch.survivors).sum();
    if survivors > 0 {
        let message = format!("{survivors} processes could not be ended: stuck in the kernel, or another user's");
        find(
            "survivors",
            message,
            "look for them with `ps -eo pid,stat,wchan,args`; a restart of the machine ends them",
        );
    }
    findings
}
