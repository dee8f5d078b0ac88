//! Tests across the whole module: real transcripts, the traps of real engines, invocations.

mod documentation;
mod fuzz;
mod invocations;
mod transcripts;
mod traps;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use fleet_protocol::job::Usage;

use super::*;

/// The lines of a recorded run, through the reader of its engine.
fn replay(file: &str, before: Usage, exit: Exit, stderr: &str) -> (Vec<Observation>, Conclusion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("selftest/transcripts").join(file);
    let recorded = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    let output = match file.split(['.', '-']).next().unwrap_or_default() {
        // The look-alike prints claude's events.
        "claude" | "qwen" => Output::Claude,
        "codex" => Output::Codex,
        "opencode" => Output::Opencode,
        "gemini" => Output::Gemini,
        "copilot" => Output::Copilot,
        "aider" => Output::Aider,
        other => panic!("no reader for {other}"),
    };
    feed(output, before, &recorded, exit, stderr)
}

/// Lines through a reader.
fn feed(output: Output, before: Usage, text: &str, exit: Exit, stderr: &str) -> (Vec<Observation>, Conclusion) {
    let mut reader = reader(output, Start { workspace: "/repo".to_owned(), before });
    let observations = text.lines().flat_map(|line| reader.line(Stream::Stdout, line)).collect();
    (observations, reader.end(exit, stderr))
}

/// The readable lines among observations.
fn activities(observations: &[Observation]) -> Vec<&str> {
    let mut lines = Vec::new();
    for observation in observations {
        if let Observation::Activity(line) = observation {
            lines.push(line.as_str());
        }
    }
    lines
}

/// An ordinary request, for tests to vary.
struct Job {
    prompt: String,
    environment: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    withheld: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

impl Job {
    fn new() -> Self {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        Self {
            prompt: "Do it.".to_owned(),
            environment: map(&[("PATH", "/bin"), ("HOME", "/home/ann"), ("LC_ALL", "C.UTF-8"), ("OTHER", "hidden")]),
            secrets: BTreeMap::new(),
            withheld: BTreeSet::new(),
            variables: map(&[("FLEET_RUN", "1")]),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            prompt: PromptText(&self.prompt),
            prompt_file: Path::new("/run/1/prompt.md"),
            workspace: Path::new("/repo"),
            tmpdir: Path::new("/run/1/tmp"),
            home: None,
            fleet: Path::new("/opt/fleet"),
            model: None,
            max_turns: None,
            max_usd: None,
            approval: Approval::Careful,
            runs_as: RunsAs::User,
            session: SessionPlan::Unnamed,
            environment: &self.environment,
            secrets: &self.secrets,
            withheld: &self.withheld,
            variables: &self.variables,
        }
    }
}

/// A built-in engine.
fn builtin(name: &str) -> Definition {
    Catalogue::builtin().get(name).expect("built in").clone()
}

/// An engine as the configuration would define it.
fn configured(text: &str) -> Definition {
    let mut definition = Definition::named("mine");
    toml::from_str::<DefinitionPatch>(text).expect("a table").apply(&mut definition);
    definition
}
