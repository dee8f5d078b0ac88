//! `opencode run --format json`: an event a line, each with the session's id; usage at the end of each step, no closing
//! event.

use fleet_protocol::job::{Basis, Usage};
use serde_json::Value;

use super::{
    Observation, Reader, Start, Stream,
    event::{count, object, session, status, stray, text},
};
use crate::engine::{
    activity,
    classify::{Symptom, classify},
    conclusion::{Cause, Conclusion, Exit, Failure, Verdict},
    speech::{Speech, unexplained},
    usage::price,
};

/// Reads one run of opencode.
pub(super) struct Opencode {
    workspace: String,
    speech: Speech,
    session: Option<String>,
    usage: Usage,
    failure: Option<Failure>,
}

impl Opencode {
    pub(super) fn new(start: Start) -> Self {
        Self {
            workspace: start.workspace,
            speech: Speech::default(),
            session: None,
            usage: Usage::UNKNOWN,
            failure: None,
        }
    }

    fn event(&mut self, event: &Value) -> Vec<Observation> {
        let mut observations = Vec::new();
        if self.session.is_none() {
            self.session = session(event, "sessionID");
            observations.extend(self.session.clone().map(Observation::Session));
        }
        let part = &event["part"];
        match text(event, "type") {
            "text" => observations.extend(self.speech.says(text(part, "text"))),
            "tool_use" => {
                let call = activity::tool(text(part, "tool"), &part["state"]["input"], &self.workspace);
                observations.push(Observation::Activity(call));
            }
            "step_finish" => {
                self.usage = self.usage.plus(step(part));
                observations.push(Observation::Usage(self.usage));
            }
            "error" => {
                let failure = failure(&event["error"]);
                observations.push(Observation::Activity(activity::line(&format!("error: {}", failure.message))));
                self.failure = Some(failure);
            }
            _ => {}
        }
        observations
    }
}

impl Reader for Opencode {
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation> {
        match object(stream, line) {
            Some(event) => self.event(&event),
            None => stray(&mut self.speech, stream, line),
        }
    }

    fn end(self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion {
        let verdict = match (exit, self.failure) {
            (Exit::Code(0), None) => self.speech.success(stderr_tail),
            // It went on after the error, or says so; the work decides.
            (Exit::Code(0), Some(failure)) => Verdict::Doubtful(failure),
            (Exit::Code(_), Some(failure)) => Verdict::Failed(failure),
            _ => Verdict::Failed(unexplained(&self.speech, exit, stderr_tail)),
        };
        self.speech.conclude(verdict, self.usage, self.session)
    }
}

fn step(part: &Value) -> Usage {
    let tokens = &part["tokens"];
    let cached = count(&tokens["cache"], "read");
    Usage {
        input_tokens: count(tokens, "input").saturating_add(cached).saturating_add(count(&tokens["cache"], "write")),
        cached_input_tokens: cached,
        output_tokens: count(tokens, "output").saturating_add(count(tokens, "reasoning")),
        cost_usd: price(part["cost"].as_f64()),
        turns: Some(1),
        basis: Basis::Measured,
    }
}

fn failure(error: &Value) -> Failure {
    let data = &error["data"];
    let told = [text(data, "message"), text(error, "message"), text(error, "name")];
    let message = told.into_iter().find(|told| !told.is_empty()).unwrap_or("unnamed error");
    let symptom =
        Symptom { status: status(data, "statusCode"), kind: Some(text(error, "name")), text: message, exit_code: None };
    Failure { cause: Cause::Engine, class: classify(&symptom), message: activity::said(message) }
}
