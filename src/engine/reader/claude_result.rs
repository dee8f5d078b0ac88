//! Claude's `result` event: how a turn ended, and what it used.

use fleet_protocol::job::{Basis, Usage};
use serde_json::Value;

use super::event::{count, status, text};
use crate::engine::{
    activity,
    classify::{Symptom, classify},
    conclusion::{Cause, Failure},
    usage::price,
};

/// One `result` event.
pub(super) struct Outcome {
    /// The truth about success; the `subtype` says `success` also when the model was never reached.
    pub(super) is_error: bool,
    pub(super) text: String,
    subtype: String,
    terminal_reason: String,
    status: Option<u16>,
    kind: Option<String>,
    pub(super) turns: u32,
    /// Since the last result of this process, where that is told.
    pub(super) own_usage: Option<Usage>,
    /// Of the whole session, earlier processes included.
    pub(super) session_usage: Usage,
}

impl Outcome {
    pub(super) fn read(event: &Value) -> Self {
        let mut told = text(event, "result").to_owned();
        if told.is_empty() {
            let errors = event["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
            told = errors.collect::<Vec<_>>().join("; ");
        }
        let turns = u32::try_from(count(event, "num_turns")).unwrap_or(u32::MAX);
        Self {
            is_error: event["is_error"] == Value::Bool(true),
            text: told,
            subtype: text(event, "subtype").to_owned(),
            terminal_reason: text(event, "terminal_reason").to_owned(),
            status: status(event, "api_error_status"),
            kind: event["api_error_type"].as_str().map(str::to_owned),
            turns,
            own_usage: own_usage(event, turns),
            session_usage: session_usage(event),
        }
    }

    /// What went wrong, if the event says that something did.
    pub(super) fn failure(&self) -> Option<Failure> {
        if !self.is_error {
            return None;
        }
        let interrupted = self.terminal_reason.starts_with("aborted");
        let cause = match self.subtype.as_str() {
            "error_max_turns" => Cause::Turns,
            "error_max_budget_usd" => Cause::Budget,
            _ if interrupted => Cause::Interrupted,
            _ if self.text.starts_with("No conversation found") => Cause::Session,
            _ => Cause::Engine,
        };
        let symptom = Symptom { status: self.status, kind: self.kind.as_deref(), text: &self.text, exit_code: None };
        let class = if cause == Cause::Engine { classify(&symptom) } else { None };
        let message = match cause {
            Cause::Interrupted => activity::line(&format!("interrupted ({})", self.terminal_reason)),
            _ if self.text.is_empty() => activity::said(&self.subtype),
            _ => activity::said(&self.text),
        };
        Some(Failure { cause, class, message })
    }
}

fn own_usage(event: &Value, turns: u32) -> Option<Usage> {
    if let Some(models) = event["model_usage_since_last_result"].as_object() {
        return Some(Usage { turns: Some(turns), ..sum(models.values()) });
    }
    // Look-alikes tell only this turn's `usage`, and where they give a total, cached tokens are within `input_tokens`.
    if event["modelUsage"].is_object() {
        return None;
    }
    let told = event["usage"].as_object().map(|_| &event["usage"])?;
    let (input, output) = (count(told, "input_tokens"), count(told, "output_tokens"));
    let cached = count(told, "cache_read_input_tokens");
    let all_input = if told["total_tokens"].as_u64() == Some(input.saturating_add(output)) {
        input
    } else {
        input.saturating_add(cached).saturating_add(count(told, "cache_creation_input_tokens"))
    };
    Some(Usage {
        input_tokens: all_input,
        cached_input_tokens: cached,
        output_tokens: output,
        cost_usd: price(event["total_cost_usd"].as_f64()),
        turns: Some(turns),
        basis: Basis::Measured,
    })
}

fn session_usage(event: &Value) -> Usage {
    let models = event["modelUsage"].as_object();
    Usage {
        cost_usd: price(event["total_cost_usd"].as_f64()),
        ..sum(models.into_iter().flat_map(serde_json::Map::values))
    }
}

fn sum<'a>(models: impl Iterator<Item = &'a Value>) -> Usage {
    let mut usage = Usage { cost_usd: Some(0.0), basis: Basis::Measured, ..Usage::UNKNOWN };
    for model in models {
        let cached = count(model, "cacheReadInputTokens");
        let input = count(model, "inputTokens").saturating_add(cached);
        usage = usage.plus(Usage {
            input_tokens: input.saturating_add(count(model, "cacheCreationInputTokens")),
            cached_input_tokens: cached,
            output_tokens: count(model, "outputTokens"),
            cost_usd: price(model["costUSD"].as_f64()),
            turns: None,
            basis: Basis::Measured,
        });
    }
    usage
}
