//! Other programs: where they are, and what they answer within a time limit.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use crate::{
    engine::Probe,
    runtime::{Answer, NoAnswer, ask},
    worker::probe,
};

/// Where the worker would find `program`, or where it would have looked.
pub(super) fn locate(program: &str, environment: &BTreeMap<String, String>) -> Result<PathBuf, Vec<PathBuf>> {
    let places = match probe(program, environment) {
        Probe::Missing(places) => return Err(places),
        Probe::Found if program.contains('/') => return Ok(PathBuf::from(program)),
        // The probe does not say which of the places it was.
        Probe::Found => environment.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str),
    };
    let places: Vec<PathBuf> = std::env::split_paths(places).map(|folder| folder.join(program)).collect();
    places.iter().find(|place| is_executable(place)).cloned().ok_or(places)
}

/// Whether the worker would take this file for a program.
pub(super) fn is_executable(path: &Path) -> bool {
    let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    probe(&path.to_string_lossy(), &BTreeMap::new()) == Probe::Found
}

/// A few of many, for a sentence.
pub(super) fn several(items: &[String], between: &str) -> String {
    const SHOWN: usize = 5;
    let shown = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(between);
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

/// Why a program gave no version.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("it ended with {status}{}", after_colon(.said))]
    Failed { status: ExitStatus, said: String },
    #[error("it said nothing")]
    Silent,
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The first line that the program prints within `limit`.
pub(super) fn first_words(
    program: &Path,
    arguments: &[String],
    environment: &BTreeMap<String, String>,
    limit: Duration,
) -> Result<String, Silence> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment);
    let Answer { status, stdout, stderr } = ask(command, limit)?;
    if !status.success() {
        return Err(Silence::Failed { status, said: first_line(&stderr).unwrap_or_default() });
    }
    first_line(&stdout).or_else(|| first_line(&stderr)).ok_or(Silence::Silent)
}

fn first_line(bytes: &[u8]) -> Option<String> {
    const LONGEST_LINE: usize = 120;
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LONGEST_LINE).collect())
}
