//! A diagnosis for people.

use super::{
    super::{
        context::Context,
        job_view, sanitise,
        style::{self, paint},
        when::lasted,
    },
    diagnosis::{Diagnosis, Process},
};

/// The same content as the JSON, to be read.
pub(super) fn shown(diagnosis: &Diagnosis, context: &Context) -> String {
    let plain = |text: &str| sanitise::plain(text);
    let run = diagnosis.run.map_or_else(|| "no run yet".to_owned(), |run| format!("run {run}"));
    let mut text = format!(
        "{}  {}\n{run}: {}, stage {}",
        paint(style::STRONG, diagnosis.job.as_str()),
        plain(&diagnosis.title),
        diagnosis.state.replace('_', " "),
        diagnosis.stage,
    );
    for (name, value) in [("engine", &diagnosis.engine), ("factory", &diagnosis.factory)] {
        text.push_str(&value.as_ref().map(|value| format!(", {name} {}", plain(value))).unwrap_or_default());
    }
    text.push('\n');
    if let Some(result) = diagnosis.result {
        text.push_str(&format!("result {result}: {}\n", plain(diagnosis.message.as_deref().unwrap_or("-"))));
    }
    if let Some(since) = diagnosis.stalled_since {
        text.push_str(&format!("no output since {}\n", context.when(since)));
    }
    for finding in &diagnosis.findings {
        text.push_str(&format!("{} {}\n", paint(style::BAD, finding.code), plain(&finding.message)));
        text.push_str(&format!("  {} {}\n", paint(style::GOOD, "help:"), finding.suggestion));
    }
    for launch in &diagnosis.launches {
        let reason = launch.reason.map(|reason| format!(", {}", word(&reason))).unwrap_or_default();
        text.push_str(&format!("{}: {}{reason}, held by {}", launch.name, launch.state, word(&launch.owned_by)));
        let peak = launch.peak_memory.map(|bytes| format!(", at most {}", job_view::memory(bytes)));
        let cpu = launch.cpu_ms.map(|millis| format!(", {millis} ms of processor time"));
        text.push_str(&format!("{}{}\n", peak.unwrap_or_default(), cpu.unwrap_or_default()));
    }
    for process in &diagnosis.processes {
        text.push_str(&one(process, context));
    }
    text
}

fn one(process: &Process, context: &Context) -> String {
    let mut parts = vec![process.health.to_owned()];
    parts.extend(process.pid.map(|pid| format!("pid {pid}")));
    parts.extend(Some(process.state).filter(|state| !state.is_empty() && *state != process.health).map(str::to_owned));
    parts.extend(process.exit_code.map(|code| format!("exit {code}")));
    parts.extend(process.signal.map(|signal| format!("signal {signal}")));
    if process.memory > 0 {
        parts.push(job_view::memory(process.memory));
        parts.push(format!("{} of processor time", lasted(process.cpu_ms)));
    }
    let mut text = format!("\n{}  {}\n", paint(style::STRONG, &sanitise::plain(&process.name)), parts.join(", "));
    for (mark, lines) in [("|", &process.log), ("!", &process.errors)] {
        for line in lines {
            text.push_str(&format!("  {} {}\n", paint(style::DIM, mark), sanitise::line(line, context.out.sgr)));
        }
    }
    text
}

/// A word as the JSON has it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
