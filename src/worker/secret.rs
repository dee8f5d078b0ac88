//! The secrets of this machine: resolved for the agents that may have them, at the moment one is started; kept from all
//! others, and known to the mask.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use fleet_protocol::secret::{FORGE_TOKENS, SHORTEST};

use super::options::Options;
use crate::runtime::{NoAnswer, ask};

/// How long a command may take to print a value.
const PATIENCE: Duration = Duration::from_secs(30);

/// One secret of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) source: SecretSource,
    pub(crate) audience: Audience,
}

/// Where its value comes from.
#[derive(Debug, Clone)]
pub(crate) enum SecretSource {
    Env(String),
    File(PathBuf),
    /// Its standard output without the last line end.
    Command(Vec<String>),
}

impl SecretSource {
    /// The value, as far as it can be had without running a command, which might ask its user something.
    pub(crate) fn at_hand(&self, environment: &BTreeMap<String, String>) -> Option<String> {
        match self {
            Self::Env(variable) => environment.get(variable).cloned(),
            // One that cannot be read cannot be printed either.
            Self::File(path) => fs::read_to_string(path).ok().map(without_line_end),
            Self::Command(_) => None,
        }
    }
}

/// Who may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Agents whose task names it.
    Agent,
    /// What the worker itself does for a job, and no agent.
    Helper,
}

/// A secret that cannot be given. Names it; never shows a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret {name} is not configured here; add it to [secrets] of fleet.toml")]
    Unknown { name: String },
    #[error(
        "the secret {name} is for what fleet itself does, and no agent is given it; take it out of the task, or write \
         for = \"agent\" beside it in [secrets]"
    )]
    Helper { name: String },
    #[error("the secret {name} comes from the variable {variable}, which is not set")]
    NoVariable { name: String, variable: String },
    #[error("the secret {name} cannot be read from {}", path.display())]
    File { name: String, path: PathBuf, source: std::io::Error },
    #[error("the command that prints the secret {name} failed: {why}")]
    Command { name: String, why: String },
}

/// The values of `names`, by name, for an agent. Blocks: a source may be a command.
pub(super) fn resolve(names: &[String], options: &Options) -> Result<BTreeMap<String, String>, SecretError> {
    names.iter().map(|name| Ok((name.clone(), value(name, options)?))).collect()
}

/// Names of variables that no agent sees, whatever its engine may have: of secrets for helpers, and of where those lie.
pub(super) fn withheld(options: &Options) -> BTreeSet<String> {
    let helpers = options.secrets.iter().filter(|(_, secret)| secret.audience == Audience::Helper);
    let names = helpers.flat_map(|(name, secret)| match &secret.source {
        SecretSource::Env(variable) => vec![name.clone(), variable.clone()],
        SecretSource::File(_) | SecretSource::Command(_) => vec![name.clone()],
    });
    names.collect()
}

/// Everything that the mask of a run should know: `given` to the agent, and what else lies on this machine and costs no
/// command to look at.
pub(super) fn to_mask(given: &[String], options: &Options) -> Vec<String> {
    let configured = options.secrets.values().filter_map(|secret| secret.source.at_hand(&options.environment));
    let forges = FORGE_TOKENS.iter().filter_map(|name| options.environment.get(*name).cloned());
    given.iter().cloned().chain(configured).chain(forges).filter(|value| value.len() >= SHORTEST).collect()
}

fn value(name: &str, options: &Options) -> Result<String, SecretError> {
    let named = || name.to_owned();
    let secret = options.secrets.get(name).ok_or_else(|| SecretError::Unknown { name: named() })?;
    if secret.audience == Audience::Helper {
        return Err(SecretError::Helper { name: named() });
    }
    match &secret.source {
        SecretSource::Env(variable) => options
            .environment
            .get(variable)
            .cloned()
            .ok_or_else(|| SecretError::NoVariable { name: named(), variable: variable.clone() }),
        SecretSource::File(path) => fs::read_to_string(path)
            .map(without_line_end)
            .map_err(|source| SecretError::File { name: named(), path: path.clone(), source }),
        SecretSource::Command(argv) => {
            printed(argv, PATIENCE).map_err(|why| SecretError::Command { name: named(), why })
        }
    }
}

/// What the command prints within `limit`, else why there is nothing. What it says on its error output may quote a value.
fn printed(argv: &[String], limit: Duration) -> Result<String, String> {
    let (program, rest) = argv.split_first().ok_or("it is empty")?;
    let mut command = Command::new(program);
    command.args(rest);
    let answer = ask(command, limit).map_err(|error| match error {
        NoAnswer::Start(error) => format!("{program}: {error}"),
        slow @ NoAnswer::Slow(_) => slow.to_string(),
    })?;
    if !answer.status.success() {
        return Err(answer.status.to_string());
    }
    String::from_utf8(answer.stdout)
        .map(without_line_end)
        .map_err(|_| "it printed something that is no text".to_owned())
}

fn without_line_end(text: String) -> String {
    text.trim_end_matches(['\r', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_command_prints_the_value_and_its_errors_are_not_repeated() {
        assert_eq!(printed(&shell("printf 'a\nb\r\n\n'"), PATIENCE).as_deref(), Ok("a\nb"));
        assert_eq!(printed(&shell("echo canary >&2; exit 3"), PATIENCE), Err("exit status: 3".to_owned()));
        assert_eq!(printed(&[], PATIENCE), Err("it is empty".to_owned()));
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("(setsid sleep 300 & echo $! > {}); sleep 300", pid.display());
        let slow = printed(&shell(&script), Duration::from_secs(2)).unwrap_err();
        assert!(slow.contains("did not end within 2 s"), "{slow}");
        let pid = fs::read_to_string(pid).unwrap();
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let start = std::time::Instant::now();
        while lives() {
            assert!(start.elapsed() < Duration::from_secs(30), "process {pid} lives on");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}
