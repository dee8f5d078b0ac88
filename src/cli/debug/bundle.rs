//! The archive for a bug report. No prompt, no file content and no secret is in it: what agents and commands printed and
//! what people wrote is left out, and every text goes through the redaction.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use fleet_protocol::{ExitCode, Job, Run};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    super::{context::Context, error::CliError},
    diagnosis::{Diagnosis, Process},
    quotes::Quotes,
    tar::Tar,
};
use crate::wiring::{self, Check, Redaction};

/// Writes the archive; a file that is there already is left alone.
pub(super) async fn write(
    file: &Path,
    mut diagnosis: Diagnosis,
    (job, runs): (&Job, &[Run]),
    context: &Context,
) -> Result<(), CliError> {
    let mut checks: Vec<Check> = Vec::new();
    wiring::doctor(&context.config, &mut |check| checks.push(check)).await?;
    let events = context.client()?.all_events(&diagnosis.job, 0).await?;
    let config: Vec<Value> = (context.config.entries.iter())
        .map(|entry| json!({ "key": entry.name, "value": entry.value, "origin": entry.origin.to_string() }))
        .collect();
    let versions = json!({
        "fleet": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    });
    let mut quotes = Quotes::of(job);
    let events = quotes.taken_from_events(value("events.json", &events)?);
    let runs = quotes.taken_from_runs(value("runs.json", &runs)?);
    for process in &mut diagnosis.processes {
        process.errors.clear();
        process.log = if process.is_ours() { quotes.hidden_in(&process.log) } else { Vec::new() };
    }
    let told = Quotes::taken_from_diagnosis(value("diagnosis.json", &diagnosis)?);
    let mut parts = Parts {
        folder: format!("fleet-debug-{}", diagnosis.job),
        time: u64::try_from(context.now().as_second()).unwrap_or(0),
        redaction: Redaction::of(&context.config),
        tar: Tar::default(),
    };
    parts.json("versions.json", versions);
    parts.json("doctor.json", value("doctor.json", &checks)?);
    parts.json("config.json", Value::Array(config));
    parts.json("diagnosis.json", told);
    parts.json("runs.json", runs);
    parts.json("events.json", events);
    for Process { name, log, .. } in diagnosis.processes.iter().filter(|process| !process.log.is_empty()) {
        let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        parts.text(&format!("logs/{name}.log"), &(log.join("\n") + "\n"));
    }
    let archive = parts.tar.finish();
    let mut options = OpenOptions::new();
    let made =
        options.write(true).create_new(true).mode(0o600).open(file).and_then(|mut file| file.write_all(&archive));
    made.map_err(|error| {
        CliError::new(ExitCode::Failed, "not_written", format!("cannot write {}: {error}", file.display()))
    })
}

fn value(name: &str, content: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(content)
        .map_err(|error| CliError::new(ExitCode::Failed, "not_written", format!("{name}: {error}")))
}

struct Parts {
    folder: String,
    time: u64,
    redaction: Redaction,
    tar: Tar,
}

impl Parts {
    fn json(&mut self, name: &str, mut value: Value) {
        self.hide("", &mut value);
        self.add(name, &format!("{value:#}\n"));
    }

    fn text(&mut self, name: &str, text: &str) {
        let hidden = self.redaction.hide(text);
        self.add(name, &hidden);
    }

    fn add(&mut self, name: &str, text: &str) {
        self.tar.add(&format!("{}/{name}", self.folder), text, self.time);
    }

    /// Redacts every string below `key`. In the finished JSON the redaction could hit its grammar.
    fn hide(&self, key: &str, value: &mut Value) {
        match value {
            Value::String(text) => {
                // Some secrets are known only by the name before them. The redaction keeps every offset.
                let named = format!("{key}=");
                *text = self.redaction.hide(&format!("{named}{text}"))[named.len()..].to_owned();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(key, item)),
            Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| self.hide(key, field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
