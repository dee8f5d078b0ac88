//! Looks for programs, and says what this machine offers.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::options::Options;
use crate::{engine::Probe, runtime::ask};

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks for `program`: a bare name along `PATH`, or a path.
pub(crate) fn probe(program: &str, environment: &BTreeMap<String, String>) -> Probe {
    let path = environment.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    let places = places(program, path);
    if places.iter().any(|place| is_executable(place)) { Probe::Found } else { Probe::Missing(places) }
}

/// Where `program` is found along `path`, when it is started in `folder`.
pub(super) fn locate(program: &str, path: &str, folder: &Path) -> Option<PathBuf> {
    places(program, path).into_iter().map(|place| folder.join(place)).find(|place| is_executable(place))
}

fn places(program: &str, path: &str) -> Vec<PathBuf> {
    if program.contains('/') {
        return vec![PathBuf::from(program)];
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).collect()
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Tools that jobs commonly demand: the capability, and the command that prints the version.
const TOOLS: [(&str, &[&str]); 11] = [
    ("git", &["git", "--version"]),
    ("node", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
    ("python", &["python3", "--version"]),
    ("rust", &["rustc", "--version"]),
    ("go", &["go", "version"]),
    ("java", &["java", "--version"]),
    ("docker", &["docker", "--version"]),
    ("make", &["make", "--version"]),
    ("gcc", &["gcc", "--version"]),
    ("gpu", &["nvidia-smi", "--version"]),
];

/// What this machine offers of what is demanded: its system, engines and tools, and what was added by hand.
///
/// Versions cost a process each, so only tools that a demand names are asked.
pub(crate) fn capabilities(options: &Options, demands: &[String]) -> Vec<String> {
    let mut offered = vec![format!("os:{}", std::env::consts::OS), format!("arch:{}", std::env::consts::ARCH)];
    for engine in options.engines.iter().filter(|engine| is_here(engine.program(), options)) {
        offered.push(format!("engine:{}", engine.name));
    }
    for (name, command) in TOOLS {
        let demanded = demands.iter().any(|demand| demand.starts_with(name));
        if demanded && is_here(command[0], options) {
            offered
                .push(version(command, options).map_or_else(|| name.to_owned(), |version| format!("{name}:{version}")));
        }
    }
    offered.extend(options.capabilities.iter().cloned());
    offered
}

/// The same with every tool that is known, whether or not anything demands it.
pub(crate) fn every_capability(options: &Options) -> Vec<String> {
    let tools = TOOLS.map(|(name, _)| name.to_owned());
    capabilities(options, &tools)
}

/// Names of the engines whose program is here.
pub(crate) fn engines(options: &Options) -> Vec<String> {
    let here = options.engines.iter().filter(|engine| is_here(engine.program(), options));
    here.map(|engine| engine.name.clone()).collect()
}

fn is_here(program: &str, options: &Options) -> bool {
    program == "{fleet}" || probe(program, &options.environment) == Probe::Found
}

/// The first thing that looks like a version in what the command prints.
fn version(command: &[&str], options: &Options) -> Option<String> {
    let mut program = Command::new(command[0]);
    program.args(&command[1..]).env_clear().envs(&options.environment);
    match ask(program, PATIENCE) {
        Ok(answer) => first_version(&String::from_utf8_lossy(&answer.stdout)),
        Err(error) => {
            tracing::warn!(program = command[0], %error, "a program did not tell its version");
            None
        }
    }
}

fn first_version(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',');
    let bare = words.map(|word| word.trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim_end_matches('.'));
    let looks_right = |word: &&str| {
        word.contains('.') && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    bare.map(|word| word.split(['-', '+']).next().unwrap_or(word)).find(looks_right).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        for (text, version) in [
            ("git version 2.47.3", "2.47.3"),
            ("v20.20.2\n", "20.20.2"),
            ("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0"),
            ("go version go1.22.1 linux/amd64", "1.22.1"),
            ("Docker version 28.2.2, build e6534b4", "28.2.2"),
            ("openjdk 17.0.15 2025-04-15", "17.0.15"),
            ("gcc (Debian 12.2.0-14) 12.2.0", "12.2.0"),
        ] {
            assert_eq!(first_version(text).as_deref(), Some(version), "{text}");
        }
        assert_eq!(first_version("no version here."), None);
    }
}
