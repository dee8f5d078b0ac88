//! The archive for a bug report. No prompt, no file content and no secret is in it; every text goes through the redaction.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use fleet_protocol::{ExitCode, Run};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    super::{context::Context, error::CliError},
    diagnosis::Diagnosis,
    tar::Tar,
};
use crate::wiring::{self, Check, Redaction};

/// Writes the archive; a file that is there already is left alone.
pub(super) async fn write(file: &Path, diagnosis: &Diagnosis, runs: &[Run], context: &Context) -> Result<(), CliError> {
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
    let mut parts = Parts {
        folder: format!("fleet-debug-{}", diagnosis.job),
        time: u64::try_from(context.now().as_second()).unwrap_or(0),
        redaction: Redaction::of(&context.config),
        tar: Tar::default(),
    };
    parts.json("versions.json", &versions)?;
    parts.json("doctor.json", &checks)?;
    parts.json("config.json", &config)?;
    parts.json("diagnosis.json", diagnosis)?;
    parts.json("runs.json", &runs)?;
    parts.json("events.json", &events)?;
    for process in &diagnosis.processes {
        let name = process.name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        for (end, lines) in [("log", &process.log), ("err", &process.errors)] {
            if !lines.is_empty() {
                parts.text(&format!("logs/{name}.{end}"), &(lines.join("\n") + "\n"));
            }
        }
    }
    let archive = parts.tar.finish();
    let mut options = OpenOptions::new();
    let made =
        options.write(true).create_new(true).mode(0o600).open(file).and_then(|mut file| file.write_all(&archive));
    made.map_err(|error| {
        CliError::new(ExitCode::Failed, "not_written", format!("cannot write {}: {error}", file.display()))
    })
}

struct Parts {
    folder: String,
    time: u64,
    redaction: Redaction,
    tar: Tar,
}

impl Parts {
    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::new(ExitCode::Failed, "not_written", format!("{name}: {error}")))?;
        self.text(name, &(text + "\n"));
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) {
        self.tar.add(&format!("{}/{name}", self.folder), &self.redaction.hide(text), self.time);
    }
}
