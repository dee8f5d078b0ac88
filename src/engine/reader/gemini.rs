//! `gemini --output-format stream-json`: words come in pieces, usage with the closing `result`.

use fleet_protocol::job::{Basis, Usage};
use serde_json::Value;

use super::{
    Observation, Reader, Start, Stream,
    event::{count, object, session, stray, text, without_ending},
};
use crate::engine::{
    activity,
    classify::{Symptom, classify},
    conclusion::{Cause, Conclusion, Exit, Failure, Verdict},
    speech::{Speech, unexplained},
};

/// Reads one run of gemini.
pub(super) struct Gemini {
    workspace: String,
    speech: Speech,
    /// The message whose pieces are coming.
    words: String,
    session: Option<String>,
    usage: Usage,
    result: Option<Option<Failure>>,
}

impl Gemini {
    pub(super) fn new(start: Start) -> Self {
        Self {
            workspace: start.workspace,
            speech: Speech::default(),
            words: String::new(),
            session: None,
            usage: Usage::UNKNOWN,
            result: None,
        }
    }

    fn event(&mut self, event: &Value) -> Vec<Observation> {
        if text(event, "type") == "message" && text(event, "role") == "assistant" {
            self.words.push_str(text(event, "content"));
            return if event["delta"] == Value::Bool(true) { Vec::new() } else { self.said() };
        }
        let mut observations = self.said();
        match text(event, "type") {
            "init" => {
                self.session = session(event, "session_id");
                observations.extend(self.session.clone().map(Observation::Session));
            }
            "tool_use" => {
                let call = activity::tool(text(event, "tool_name"), &event["parameters"], &self.workspace);
                observations.push(Observation::Activity(call));
            }
            "tool_result" if text(event, "status") == "error" => {
                let why = format!("failed: {}", text(&event["error"], "message"));
                observations.push(Observation::Activity(activity::line(&why)));
            }
            "error" => {
                let told = format!("error: {}", text(event, "message"));
                observations.push(Observation::Activity(activity::line(&told)));
            }
            "result" => {
                self.usage = used(&event["stats"]);
                self.result = Some(failure(event));
                observations.push(Observation::Usage(self.usage));
            }
            _ => {}
        }
        observations
    }

    fn said(&mut self) -> Vec<Observation> {
        let words = std::mem::take(&mut self.words);
        if words.is_empty() { Vec::new() } else { self.speech.says(&words) }
    }

    fn verdict(&mut self, exit: Exit, stderr_tail: &str) -> Verdict {
        match (exit, self.result.take()) {
            (Exit::Code(_), Some(Some(failure))) => Verdict::Failed(failure),
            (Exit::Code(0), Some(None)) => self.speech.success(stderr_tail),
            (Exit::Code(0), None) => without_ending(&self.speech, self.session.is_some(), stderr_tail),
            _ => {
                let mut failure = unexplained(&self.speech, exit, stderr_tail);
                let status = status_of(exit);
                failure.class = failure.class.or_else(|| classify(&Symptom { status, ..Symptom::default() }));
                Verdict::Failed(failure)
            }
        }
    }
}

impl Reader for Gemini {
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation> {
        match object(stream, line) {
            Some(event) => self.event(&event),
            None => stray(&mut self.speech, stream, line),
        }
    }

    fn end(mut self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion {
        self.said();
        let verdict = self.verdict(exit, stderr_tail);
        self.speech.conclude(verdict, self.usage, self.session)
    }
}

fn used(stats: &Value) -> Usage {
    if !stats.is_object() {
        return Usage::UNKNOWN;
    }
    Usage {
        input_tokens: count(stats, "input_tokens"),
        cached_input_tokens: count(stats, "cached"),
        output_tokens: count(stats, "output_tokens"),
        cost_usd: None,
        turns: None,
        basis: Basis::Measured,
    }
}

fn failure(event: &Value) -> Option<Failure> {
    if text(event, "status") != "error" {
        return None;
    }
    let error = &event["error"];
    let symptom = Symptom { kind: Some(text(error, "type")), text: text(error, "message"), ..Symptom::default() };
    let message = activity::said(text(error, "message"));
    Some(Failure { cause: Cause::Engine, class: classify(&symptom), message })
}

/// Exit 41 is "no way to log in"; others are what is left of an HTTP status in eight bits (145 of 401).
fn status_of(exit: Exit) -> Option<u16> {
    match exit {
        Exit::Code(41) => Some(401),
        Exit::Code(code @ 144..=255) => u16::try_from(code + 256).ok(),
        _ => None,
    }
}
