//! `copilot --output-format json`: an event a line; tokens are not told.

use fleet_protocol::job::Usage;
use serde_json::Value;

use super::{
    Observation, Reader, Start, Stream,
    event::{object, session, status, stray, text},
};
use crate::engine::{
    activity,
    classify::{Symptom, classify},
    conclusion::{Cause, Conclusion, Exit, Failure, Verdict},
    speech::{Speech, unexplained},
};

/// Reads one run of copilot.
pub(super) struct Copilot {
    workspace: String,
    speech: Speech,
    session: Option<String>,
    failure: Option<Failure>,
}

impl Copilot {
    pub(super) fn new(start: Start) -> Self {
        Self { workspace: start.workspace, speech: Speech::default(), session: None, failure: None }
    }

    fn event(&mut self, event: &Value) -> Vec<Observation> {
        let data = &event["data"];
        match text(event, "type") {
            "assistant.message" => self.speech.says(text(data, "content")),
            "tool.execution_start" => {
                let call = activity::tool(text(data, "toolName"), &data["arguments"], &self.workspace);
                vec![Observation::Activity(call)]
            }
            "model.call_failure" => vec![retrying(data)],
            "session.error" => {
                let failure = failure(data);
                let line = activity::line(&format!("error: {}", failure.message));
                self.failure = Some(failure);
                vec![Observation::Activity(line)]
            }
            "result" => {
                self.session = session(event, "sessionId");
                self.session.clone().map(Observation::Session).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Reader for Copilot {
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation> {
        match object(stream, line) {
            Some(event) => self.event(&event),
            None => stray(&mut self.speech, stream, line),
        }
    }

    fn end(self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion {
        let verdict = match (exit, self.failure) {
            (Exit::Code(0), None) => self.speech.success(stderr_tail),
            (Exit::Code(0), Some(failure)) => Verdict::Doubtful(failure),
            (Exit::Code(_), Some(failure)) => Verdict::Failed(failure),
            _ => Verdict::Failed(unexplained(&self.speech, exit, stderr_tail)),
        };
        self.speech.conclude(verdict, Usage::UNKNOWN, self.session)
    }
}

fn retrying(data: &Value) -> Observation {
    let message = text(data, "errorMessage");
    Observation::Retrying {
        attempt: data["retryAttempt"].as_u64().and_then(|attempt| u32::try_from(attempt).ok()),
        of: None,
        delay: None,
        class: classify(&Symptom { status: status(data, "statusCode"), text: message, ..Symptom::default() }),
        message: activity::said(message),
    }
}

fn failure(data: &Value) -> Failure {
    let message = text(data, "message");
    let kind = Some(text(data, "errorType"));
    let class = classify(&Symptom { status: status(data, "statusCode"), kind, text: message, exit_code: None });
    Failure { cause: Cause::Engine, class, message: activity::said(message) }
}
