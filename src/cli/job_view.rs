//! What several verbs say about a job.

use fleet_protocol::{
    ExitCode, Job, JobResult, Stage,
    job::{Basis, Progress, Usage},
    run::Insights,
};

use super::{
    sanitise,
    style::{self, paint},
};

/// The title, harmless for a terminal.
pub(super) fn title(job: &Job) -> String {
    sanitise::plain(&job.title)
}

/// How a command that waited for the job ends: 0 when it did what was asked, whoever decides next.
pub(super) const fn exit(job: &Job) -> ExitCode {
    match (job.stage, job.result) {
        (Stage::Review | Stage::Testing | Stage::Shipped, _) => ExitCode::Success,
        (Stage::Failed | Stage::DeadLetter, Some(JobResult::BudgetExceeded)) => ExitCode::Refused,
        _ => ExitCode::Failed,
    }
}

/// One line about where a job ended up, and what comes next.
pub(super) fn outcome(job: &Job) -> String {
    let result = job.result.map(|result| format!(" ({result})")).unwrap_or_default();
    let message = job.message.as_deref().map(|text| format!(": {}", sanitise::plain(text))).unwrap_or_default();
    let next = match job.stage {
        Stage::Review => format!("; see `fleet diff {id}`, then `fleet approve {id}`", id = job.id),
        Stage::Testing => format!("; see `fleet diff {id}`, then `fleet ship {id}`", id = job.id),
        Stage::Failed | Stage::DeadLetter => format!("; see `fleet logs {}`", job.id),
        Stage::Waiting => "; it waits for an answer".to_owned(),
        Stage::Queued | Stage::Blocked => format!("; see `fleet explain {}`", job.id),
        Stage::Assigned | Stage::Building | Stage::Shipped => String::new(),
    };
    format!("{} {}{result}{message}{next}", job.id, paint(style::of_stage(job.stage), job.stage.as_str()))
}

/// Where several jobs stand while one waits for them.
pub(super) fn standing(jobs: &[Job]) -> String {
    let done = jobs.iter().filter(|job| job.stage.is_parked()).count();
    let Some(job) = jobs.iter().find(|job| !job.stage.is_parked()) else { return format!("{done} of {done} done") };
    let step = job.progress.as_ref().and_then(|progress| progress.status.as_deref());
    let step = step.map(|step| format!(": {}", sanitise::plain(step))).unwrap_or_default();
    let held = if job.held { " (held; `fleet release` lets it go)" } else { "" };
    let count = if jobs.len() > 1 { format!("{done} of {} done, ", jobs.len()) } else { String::new() };
    format!("{count}{} {}{held}{step}", job.id, job.stage)
}

/// How far an agent says it is: `40 %, step 2 of 5, writing tests`.
pub(super) fn progress(progress: &Progress) -> String {
    let percent = progress.percent.map(|percent| format!("{percent:.0} %"));
    let step = progress.step.map(|step| match progress.of {
        Some(of) => format!("step {step} of {of}"),
        None => format!("step {step}"),
    });
    let parts: Vec<String> = [percent, step, progress.status.clone()].into_iter().flatten().collect();
    parts.join(", ")
}

/// How many files.
pub(super) fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// What it cost, as far as it is known.
pub(super) fn usage(usage: &Usage) -> String {
    if usage.basis == Basis::Unknown {
        return "unknown".to_owned();
    }
    let cost = usage.cost_usd.map(|cost| format!("${cost:.2}, ")).unwrap_or_default();
    let cached = match usage.cached_input_tokens {
        0 => String::new(),
        cached => format!(" ({cached} cached)"),
    };
    format!("{cost}{} tokens in{cached}, {} out, {}", usage.input_tokens, usage.output_tokens, usage.basis)
}

/// What a run took of the machine, as far as it is known.
pub(super) fn resources(insights: &Insights) -> String {
    let mut parts = Vec::new();
    parts.extend(insights.peak_memory.map(|bytes| format!("{} of memory at most", memory(bytes))));
    parts.extend(insights.cpu_ms.map(|millis| format!("{}.{} s of processor time", millis / 1_000, millis / 100 % 10)));
    parts.join(", ")
}

/// Bytes as people read them, rounded up.
pub(super) fn memory(bytes: u64) -> String {
    match bytes.div_ceil(1 << 20) {
        mebibytes if mebibytes < 10 * 1024 => format!("{mebibytes} MiB"),
        mebibytes => format!("{} GiB", mebibytes.div_ceil(1024)),
    }
}
