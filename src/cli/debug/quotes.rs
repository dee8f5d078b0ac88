//! Sentences of agents and people within what fleet knows of a job: left out of what is passed on, and of fleet's own logs
//! where those repeat them. Pure.
//!
//! What stays are names: codes, results, paths, commands, hashes.

use fleet_protocol::{Job, JobResult};
use serde::Deserialize;
use serde_json::Value;

const LEFT_OUT: &str = "(left out)";
/// Shorter words cannot be told from the rest of a line.
const SHORTEST: usize = 4;
/// Fields that hold sentences of agents and people, or quote them.
const QUOTING: [&str; 5] = ["message", "reason", "status", "summary", "title"];

/// What was left out so far.
pub(super) struct Quotes {
    said: Vec<String>,
    /// The job's id with the words of its title behind it, as in the name of its branch, and the id alone.
    slug: Option<(String, String)>,
}

impl Quotes {
    pub(super) fn of(job: &Job) -> Self {
        let branch =
            job.branch.as_deref().and_then(|branch| Some(branch.get(branch.find(job.id.as_str())?..)?.to_owned()));
        let mut quotes = Self { said: Vec::new(), slug: branch.map(|branch| (branch, job.id.to_string())) };
        let message = job.message.as_ref().filter(|_| !job.result.is_some_and(is_explained_by_fleet));
        [Some(&job.title), message].into_iter().flatten().for_each(|text| quotes.remember(text));
        quotes
    }

    /// Events without sentences, in whatever field of their data.
    pub(super) fn taken_from_events(&mut self, mut events: Value) -> Value {
        for event in events.as_array_mut().into_iter().flatten() {
            if let Some(data) = event.get_mut("data") {
                self.take("", data, &|key, text| QUOTING.contains(&key) || text.contains(char::is_whitespace));
            }
        }
        events
    }

    /// Runs without what was said in them and about them.
    pub(super) fn taken_from_runs(&mut self, mut runs: Value) -> Value {
        self.take("", &mut runs, &|key, _| QUOTING.contains(&key));
        runs
    }

    /// The diagnosis without what was said in the run; findings and launches are fleet's own words.
    pub(super) fn taken_from_diagnosis(mut diagnosis: Value) -> Value {
        let result = diagnosis.get("result").and_then(|result| JobResult::deserialize(result).ok());
        let message = (!result.is_some_and(is_explained_by_fleet)).then_some("message");
        for field in message.into_iter().chain(["title"]) {
            if let Some(text) = diagnosis.get_mut(field).filter(|text| text.is_string()) {
                *text = Value::from(LEFT_OUT);
            }
        }
        diagnosis
    }

    /// Lines of a log of fleet's own, without whatever was left out elsewhere.
    pub(super) fn hidden_in(&self, lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| self.hidden(line)).collect()
    }

    fn hidden(&self, line: &str) -> String {
        self.said.iter().fold(self.without_slug(line), |line, said| line.replace(said, LEFT_OUT))
    }

    fn without_slug(&self, text: &str) -> String {
        match &self.slug {
            Some((slug, id)) => text.replace(slug, id),
            None => text.to_owned(),
        }
    }

    /// Takes what `is_quote` by its key and text out of what stands below `key`.
    fn take(&mut self, key: &str, value: &mut Value, is_quote: &impl Fn(&str, &str) -> bool) {
        match value {
            Value::String(text) if is_quote(key, text) => {
                self.remember(text);
                LEFT_OUT.clone_into(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.take(key, item, is_quote)),
            Value::Object(fields) => {
                let result = fields.get("result").and_then(|result| JobResult::deserialize(result).ok());
                let explained = result.is_some_and(is_explained_by_fleet);
                for (key, field) in fields.iter_mut().filter(|(key, _)| !(explained && key.as_str() == "message")) {
                    self.take(key, field, is_quote);
                }
            }
            Value::String(text) => *text = self.without_slug(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Line by line, as a log has it; the longest first, for one may be a part of another.
    fn remember(&mut self, text: &str) {
        self.said.extend(text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST).map(str::to_owned));
        self.said.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        self.said.dedup();
    }
}

/// Whether the sentence beside this result is always of fleet's own making.
const fn is_explained_by_fleet(result: JobResult) -> bool {
    use JobResult as R;
    matches!(
        result,
        R::VerifyFailed
            | R::Timeout
            | R::Crash
            | R::ResourceExceeded
            | R::CapabilityMismatch
            | R::NoEngine
            | R::ScopeViolation
            | R::DirtyWorkspace
            | R::ProtectedBranch
            | R::Preempted
            | R::LeaseExpired
            | R::Fenced
    )
}
