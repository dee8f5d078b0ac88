//! What this machine knows of a run, for `fleet debug`; and what must not be shown of it.

use fleet_protocol::{
    ExitCode, JobId,
    secret::{Mask, names_secret},
};
use serde::Serialize;

use super::{
    embedded,
    fault::Fault,
    worker::{environment, secret},
};
use crate::{
    config::Config,
    runtime::{ExitRecord, Observed, OwnedBy, Reason, Seen, Standing, StartFailureKind, observe},
    worker,
};

/// One launch of a run: an agent, or the command that verifies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Launched {
    /// `agent`, `agent-2` (a new session after a lost one), `verify`, `verify-2` (another runner began it anew) and so on.
    pub(crate) name: String,
    /// `waiting`, `starting`, `running`, `over`, `lost` or `unknown`.
    pub(crate) state: &'static str,
    pub(crate) owned_by: OwnedBy,
    #[serde(skip)]
    pub(crate) processes: Vec<Shown>,
    /// Why it ended.
    pub(crate) reason: Option<Reason>,
    /// Why nothing was started: its kind, and a sentence.
    pub(crate) failure: Option<Failure>,
    /// Processes that could not be ended.
    pub(crate) survivors: u32,
    pub(crate) peak_memory: Option<u64>,
    pub(crate) cpu_ms: Option<u64>,
    /// The last lines of the shim's own log.
    #[serde(skip)]
    pub(crate) said: Vec<String>,
}

/// Why nothing was started.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    pub(crate) missing_program: bool,
    pub(crate) message: String,
}

/// One process of a launch.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) role: Role,
    pub(crate) pid: i32,
    pub(crate) name: String,
    /// `running`, `sleeping`, `waiting for the disk`, `stopped`, `ended`.
    pub(crate) state: &'static str,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// Bytes that it holds now.
    pub(crate) memory: u64,
    pub(crate) cpu_ms: u64,
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Shim,
    /// The agent, or the verify command.
    Main,
    Child,
}

/// The launches of a run that lie on this machine; none when it was worked on elsewhere.
pub(crate) fn launches(config: &Config, job: &JobId, run: u32, lines: usize) -> Result<Vec<Launched>, Fault> {
    let folder = embedded::place(config)?.state.join("runs").join(job.as_str()).join(run.to_string());
    let mut found = Vec::new();
    for launch in worker::launches(&folder) {
        let name = launch.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let observed = observe(&launch, lines)
            .map_err(|error| Fault::new(ExitCode::Failed, format!("run {run} of {job}: {error}"), None))?;
        found.extend(observed.map(|observed| launched(name, observed)));
    }
    Ok(found)
}

fn launched(name: String, observed: Observed) -> Launched {
    let Observed { standing, owned_by, shim, agent, others, record, used, said } = observed;
    let ended = record.as_ref();
    let mut processes: Vec<Shown> = shim.into_iter().map(|seen| shown(Role::Shim, seen, None)).collect();
    processes.extend(agent.into_iter().map(|seen| shown(Role::Main, seen, ended)));
    processes.extend(others.into_iter().map(|seen| shown(Role::Child, seen, None)));
    let failure = ended.and_then(|record| record.failure.as_ref());
    Launched {
        name,
        state: match standing {
            Standing::Waiting => "waiting",
            Standing::Starting => "starting",
            Standing::Running => "running",
            Standing::Over => "over",
            Standing::Lost => "lost",
            Standing::Unknown(_) => "unknown",
        },
        owned_by: ended.map_or(owned_by, |record| record.owned_by),
        processes,
        reason: ended.map(|record| record.reason),
        failure: failure.map(|failure| Failure {
            missing_program: failure.kind == StartFailureKind::NotFound,
            message: failure.message.clone(),
        }),
        survivors: ended.map_or(0, |record| record.survivors),
        peak_memory: ended.and_then(|record| record.peak_memory).or(used.map(|used| used.peak_memory)),
        cpu_ms: ended.and_then(|record| record.cpu_ms).or(used.map(|used| used.cpu_ms)),
        said,
    }
}

fn shown(role: Role, seen: Seen, record: Option<&ExitRecord>) -> Shown {
    Shown {
        role,
        pid: seen.pid,
        name: seen.name,
        state: match seen.state {
            Some('R') => "running",
            Some('D') => "waiting for the disk",
            Some('T' | 't') => "stopped",
            Some(_) => "sleeping",
            None => "ended",
        },
        exit_code: record.and_then(|record| record.exit_code),
        signal: record.and_then(|record| record.signal),
        memory: seen.memory,
        cpu_ms: seen.cpu_ms,
    }
}

/// Values that must not be in anything that is passed on.
pub(crate) struct Redaction(Mask);

impl Redaction {
    /// The values of the configured secrets, as far as they can be had without running a command, and those of all
    /// variables whose names say that they hold one.
    pub(crate) fn of(config: &Config) -> Self {
        let environment = environment();
        let configured = config.secrets.values().filter_map(|entry| secret(entry).source.at_hand(&environment));
        let guessed = environment.iter().filter(|(name, value)| names_secret(name) && !is_ordinary(value));
        let values: Vec<String> = configured.chain(guessed.map(|(_, value)| value.clone())).collect();
        Self(Mask::new(values.iter().map(String::as_str)))
    }

    /// The text without any of them, and without whatever has the shape of a credential.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.text(text)
    }
}

/// Whether a value is too common to be a secret, whatever its variable is called.
fn is_ordinary(value: &str) -> bool {
    const WORDS: [&str; 16] = [
        "true", "false", "yes", "no", "on", "off", "null", "none", "auto", "default", "file", "test", "token",
        "secret", "password", "main",
    ];
    value.parse::<f64>().is_ok() || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_every_day_is_no_secret_whatever_its_variable_is_called() {
        for value in ["true", "FALSE", "1024", "-0.5", "none"] {
            assert!(is_ordinary(value), "{value}");
        }
        for value in ["hunter2", "true-enough", "4f1c", ""] {
            assert!(!is_ordinary(value), "{value}");
        }
    }
}
