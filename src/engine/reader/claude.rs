//! Claude's stream-json, an event a line (and programs that print the same shapes).
//!
//! - The `assistant` events repeat the usage of their model call once per content block, with the output count of the
//!   stream's start. They serve as an estimate while a turn lasts; what counts is the `result` event.
//! - One process may print several `result` events; the last one judges, and only together with the exit.
//! - Sub-agents' events carry `parent_tool_use_id`: shown, but their words are not the agent's.

use std::{collections::HashMap, time::Duration};

use fleet_protocol::job::{Basis, Usage};
use serde_json::Value;

use super::{
    Observation, Reader, Start, Stream,
    claude_result::Outcome,
    event::{count, object, session, status, stray, text, without_ending},
};
use crate::engine::{
    activity,
    classify::{Symptom, classify},
    conclusion::{Cause, Conclusion, Exit, Failure, Verdict},
    speech::{Speech, unexplained},
    usage,
};

/// Reads one run of claude.
pub(super) struct Claude {
    start: Start,
    speech: Speech,
    session: Option<String>,
    /// Of the finished turns.
    measured: Usage,
    /// Model calls of the turn that lasts, by message id.
    calls: HashMap<String, Usage>,
    outcome: Option<Outcome>,
    /// Any event at all.
    seen: bool,
}

impl Claude {
    pub(super) fn new(start: Start) -> Self {
        Self {
            start,
            speech: Speech::default(),
            session: None,
            measured: Usage::UNKNOWN,
            calls: HashMap::new(),
            outcome: None,
            seen: false,
        }
    }

    fn event(&mut self, event: &Value) -> Vec<Observation> {
        self.seen = true;
        let mut observations = self.session(event);
        match (text(event, "type"), text(event, "subtype")) {
            ("assistant", _) => observations.extend(self.assistant(event)),
            ("system", "api_retry") => observations.push(retrying(event)),
            ("system", "permission_denied") => {
                let denied = format!("denied: {} ({})", text(event, "tool_name"), text(event, "message"));
                observations.push(Observation::Activity(activity::line(&denied)));
            }
            ("user", _) if event["isSynthetic"] == Value::Bool(true) => observations.push(Observation::Retrying {
                attempt: None,
                of: None,
                delay: None,
                class: None,
                message: "the model fell silent and is asked again".to_owned(),
            }),
            ("result", _) => observations.push(self.result(event)),
            _ => {}
        }
        observations
    }

    fn session(&mut self, event: &Value) -> Vec<Observation> {
        let Some(told) = session(event, "session_id").filter(|told| self.session.as_ref() != Some(told)) else {
            return Vec::new();
        };
        self.session = Some(told.clone());
        vec![Observation::Session(told)]
    }

    fn assistant(&mut self, event: &Value) -> Vec<Observation> {
        let message = &event["message"];
        let sub_agent = event["parent_tool_use_id"].is_string();
        // The program speaks in the model's place to report an error; the result repeats it.
        let synthetic = text(message, "model") == "<synthetic>";
        let mut observations = Vec::new();
        for block in message["content"].as_array().into_iter().flatten() {
            match text(block, "type") {
                "text" if synthetic => {
                    observations.push(Observation::Activity(activity::line(text(block, "text"))));
                }
                "text" if sub_agent => {
                    let says = format!("sub-agent says: {}", text(block, "text"));
                    observations.push(Observation::Activity(activity::line(&says)));
                }
                "text" => observations.extend(self.speech.says(text(block, "text"))),
                "tool_use" => {
                    let call = activity::tool(text(block, "name"), &block["input"], &self.start.workspace);
                    let who = if sub_agent { "sub-agent: " } else { "" };
                    observations.push(Observation::Activity(format!("{who}{call}")));
                }
                _ => {}
            }
        }
        if !synthetic && self.count_call(message) {
            observations.push(Observation::Usage(self.so_far()));
        }
        observations
    }

    /// Takes the usage of a model call; false where it was known already or is not told.
    fn count_call(&mut self, message: &Value) -> bool {
        let (id, told) = (text(message, "id"), &message["usage"]);
        if id.is_empty() || !told.is_object() {
            return false;
        }
        let words: usize =
            message["content"].as_array().into_iter().flatten().map(|block| block.to_string().len()).sum();
        let call = self.calls.entry(id.to_owned()).or_insert(Usage::UNKNOWN);
        let known = *call;
        let cached = count(told, "cache_read_input_tokens");
        call.input_tokens = count(told, "input_tokens")
            .saturating_add(cached)
            .saturating_add(count(told, "cache_creation_input_tokens"));
        call.cached_input_tokens = cached;
        // Some four bytes make a token; the number told here is the one from before the answer.
        call.output_tokens = call.output_tokens.saturating_add(words as u64 / 4).max(count(told, "output_tokens"));
        call.basis = Basis::Estimated;
        known.basis == Basis::Unknown
    }

    fn so_far(&self) -> Usage {
        self.calls.values().fold(self.measured, |sum, call| sum.plus(*call))
    }

    fn result(&mut self, event: &Value) -> Observation {
        let outcome = Outcome::read(event);
        self.measured = match outcome.own_usage {
            Some(own) => self.measured.plus(own),
            // Older versions tell the session's totals only; turns are of this result alone.
            None => Usage {
                turns: Some(self.measured.turns.unwrap_or(0).saturating_add(outcome.turns)),
                ..usage::since(outcome.session_usage, &self.start.before)
            },
        };
        self.calls.clear();
        if !outcome.is_error && !outcome.text.is_empty() {
            self.speech.last_words(&outcome.text);
        }
        self.outcome = Some(outcome);
        Observation::Usage(self.measured)
    }

    fn verdict(&self, exit: Exit, stderr_tail: &str) -> Verdict {
        let Some(outcome) = &self.outcome else {
            if exit.is_success() {
                return without_ending(&self.speech, self.seen, stderr_tail);
            }
            let mut failure = unexplained(&self.speech, exit, stderr_tail);
            if stderr_tail.contains("is already in use") || stderr_tail.contains("No conversation found") {
                failure.cause = Cause::Session;
            }
            return Verdict::Failed(failure);
        };
        if let Exit::Signal(signal) = exit {
            return Verdict::Failed(Failure { cause: Cause::Signal(signal), class: None, message: exit.to_string() });
        }
        match outcome.failure() {
            Some(failure) => Verdict::Failed(failure),
            None if exit.is_success() => self.speech.success(stderr_tail),
            None => Verdict::Failed(unexplained(&self.speech, exit, stderr_tail)),
        }
    }
}

impl Reader for Claude {
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation> {
        match object(stream, line) {
            Some(event) => self.event(&event),
            None => stray(&mut self.speech, stream, line),
        }
    }

    fn end(self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion {
        let verdict = self.verdict(exit, stderr_tail);
        let usage = self.so_far();
        self.speech.conclude(verdict, usage, self.session)
    }
}

fn retrying(event: &Value) -> Observation {
    let small = |key: &str| event[key].as_u64().and_then(|number| u32::try_from(number).ok());
    let status = status(event, "error_status");
    let kind = text(event, "error");
    Observation::Retrying {
        attempt: small("attempt"),
        of: small("max_retries"),
        delay: event["retry_delay_ms"].as_u64().map(Duration::from_millis),
        class: classify(&Symptom { status, kind: Some(kind), ..Symptom::default() }),
        message: activity::line(&status.map_or_else(|| kind.to_owned(), |status| format!("{kind} ({status})"))),
    }
}
