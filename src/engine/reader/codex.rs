//! `codex exec --json`, an event a line.
//!
//! `turn.completed` tells the usage of the whole thread, resumed turns and cached tokens included, and no price. Items
//! of type `error` are warnings; failures are `turn.failed`, or an end without either.

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
    usage,
};

/// Reads one run of codex.
pub(super) struct Codex {
    start: Start,
    speech: Speech,
    thread: Option<String>,
    usage: Usage,
    completed: bool,
    failed: Option<String>,
    /// Any event at all.
    seen: bool,
}

impl Codex {
    pub(super) fn new(start: Start) -> Self {
        Self {
            start,
            speech: Speech::default(),
            thread: None,
            usage: Usage::UNKNOWN,
            completed: false,
            failed: None,
            seen: false,
        }
    }

    fn event(&mut self, event: &Value) -> Vec<Observation> {
        self.seen = true;
        match text(event, "type") {
            "thread.started" => {
                self.thread = session(event, "thread_id");
                self.thread.clone().map(Observation::Session).into_iter().collect()
            }
            "turn.started" => {
                (self.completed, self.failed) = (false, None);
                Vec::new()
            }
            "item.started" | "item.completed" => self.item(&event["item"], text(event, "type") == "item.completed"),
            "turn.completed" => {
                self.completed = true;
                self.used(&event["usage"])
            }
            "error" => vec![self.error(text(event, "message"))],
            "turn.failed" => {
                self.failed = Some(text(&event["error"], "message").to_owned());
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn used(&mut self, told: &Value) -> Vec<Observation> {
        if !told.is_object() {
            return Vec::new();
        }
        let thread = Usage {
            input_tokens: count(told, "input_tokens"),
            cached_input_tokens: count(told, "cached_input_tokens"),
            output_tokens: count(told, "output_tokens"),
            cost_usd: None,
            turns: None,
            basis: Basis::Measured,
        };
        self.usage = usage::since(thread, &self.start.before);
        vec![Observation::Usage(self.usage)]
    }

    /// Commands and tool calls show when they start, changes and words when they are complete.
    fn item(&mut self, item: &Value, complete: bool) -> Vec<Observation> {
        let act = |line: String| vec![Observation::Activity(line)];
        match (text(item, "type"), complete) {
            ("agent_message", true) => self.speech.says(text(item, "text")),
            ("command_execution", false) => act(activity::shell(text(item, "command"))),
            ("command_execution", true) if item["exit_code"].as_i64().is_some_and(|code| code != 0) => {
                let shown = activity::shell(text(item, "command"));
                act(activity::line(&format!("exit code {}: {shown}", item["exit_code"])))
            }
            ("file_change", true) => item["changes"].as_array().into_iter().flatten().map(|c| self.change(c)).collect(),
            ("mcp_tool_call", false) => {
                act(activity::line(&format!("{}/{}", text(item, "server"), text(item, "tool"))))
            }
            ("mcp_tool_call", true) if text(item, "status") == "failed" => {
                act(activity::line(&format!("failed: {} ({})", text(item, "tool"), text(&item["error"], "message"))))
            }
            ("web_search", true) => act(activity::line(&format!("search \"{}\"", text(item, "query")))),
            ("error", true) => act(activity::line(&format!("warning: {}", text(item, "message")))),
            _ => Vec::new(),
        }
    }

    fn change(&self, change: &Value) -> Observation {
        let verb = match text(change, "kind") {
            "add" => "Add",
            "delete" => "Delete",
            _ => "Edit",
        };
        let path = activity::relative(text(change, "path"), &self.start.workspace);
        Observation::Activity(activity::line(&format!("{verb} {path}")))
    }

    /// `Reconnecting... 1/5 (why)` is a retry; anything else is what `turn.failed` will repeat.
    fn error(&mut self, message: &str) -> Observation {
        let Some(retry) = message.strip_prefix("Reconnecting...") else {
            return Observation::Activity(activity::line(&format!("error: {message}")));
        };
        let (numbers, why) = retry.trim().split_once(' ').unwrap_or((retry.trim(), ""));
        let why = why.trim_start_matches('(').trim_end_matches(')');
        let (attempt, of) = numbers.split_once('/').unwrap_or((numbers, ""));
        Observation::Retrying {
            attempt: attempt.parse().ok(),
            of: of.parse().ok(),
            delay: None,
            class: classify(&Symptom { text: why, ..Symptom::default() }),
            message: activity::line(why),
        }
    }

    fn verdict(&self, exit: Exit, stderr_tail: &str) -> Verdict {
        if let (Some(message), Exit::Code(_)) = (&self.failed, exit) {
            let class = classify(&Symptom { text: message, ..Symptom::default() });
            return Verdict::Failed(Failure { cause: Cause::Engine, class, message: activity::said(message) });
        }
        match (exit.is_success(), self.completed) {
            (true, true) => self.speech.success(stderr_tail),
            (true, false) => without_ending(&self.speech, self.seen, stderr_tail),
            (false, _) => {
                let mut failure = unexplained(&self.speech, exit, stderr_tail);
                if stderr_tail.contains("no rollout found") {
                    failure.cause = Cause::Session;
                }
                Verdict::Failed(failure)
            }
        }
    }
}

impl Reader for Codex {
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation> {
        match object(stream, line) {
            Some(event) => self.event(&event),
            None => stray(&mut self.speech, stream, line),
        }
    }

    fn end(self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion {
        let verdict = self.verdict(exit, stderr_tail);
        self.speech.conclude(verdict, self.usage, self.thread)
    }
}
