//! Resolves the secrets a job names, on this machine, at the moment its agent is started.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use super::options::{Options, SecretSource};

/// A secret that cannot be given. Names it; never shows a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret {name} is not configured here; add it to [secrets] of fleet.toml")]
    Unknown { name: String },
    #[error("the secret {name} comes from the variable {variable}, which is not set")]
    NoVariable { name: String, variable: String },
    #[error("the secret {name} cannot be read from {}", path.display())]
    File { name: String, path: std::path::PathBuf, source: std::io::Error },
    #[error("the command that prints the secret {name} failed: {why}")]
    Command { name: String, why: String },
}

/// The values of `names`, by name. Blocks: a source may be a command.
pub(super) fn resolve(names: &[String], options: &Options) -> Result<BTreeMap<String, String>, SecretError> {
    names.iter().map(|name| Ok((name.clone(), value(name, options)?))).collect()
}

fn value(name: &str, options: &Options) -> Result<String, SecretError> {
    let named = || name.to_owned();
    match options.secrets.get(name) {
        None => Err(SecretError::Unknown { name: named() }),
        Some(SecretSource::Env(variable)) => options
            .environment
            .get(variable)
            .cloned()
            .ok_or_else(|| SecretError::NoVariable { name: named(), variable: variable.clone() }),
        Some(SecretSource::File(path)) => fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|source| SecretError::File { name: named(), path: path.clone(), source }),
        Some(SecretSource::Command(argv)) => printed(name, argv),
    }
}

fn printed(name: &str, argv: &[String]) -> Result<String, SecretError> {
    let failed = |why: String| SecretError::Command { name: name.to_owned(), why };
    let (program, rest) = argv.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    let output = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| failed(format!("{program}: {error}")))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let text =
        String::from_utf8(output.stdout).map_err(|_| failed("it printed something that is no text".to_owned()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
