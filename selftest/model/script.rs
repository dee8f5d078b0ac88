//! What a model says: turns (one a user prompt) of replies (one a request).

use serde_json::Value;

/// A model's part in a conversation. Past its end it says "done".
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) turns: Vec<Vec<Reply>>,
}

/// One answer of the model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) input_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) fault: Option<Fault>,
}

/// A tool call, by the agent program's own tool names. `{cwd}` in its strings becomes the agent's working folder.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) input: Value,
}

/// What goes wrong instead of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// An error answer with this status, type and message.
    Status(u16, &'static str, &'static str),
    /// The stream opens and nothing more comes.
    Silence,
}

impl Script {
    /// One turn of these replies.
    pub(crate) fn turn(replies: Vec<Reply>) -> Self {
        Self { turns: vec![replies] }
    }

    /// The reply for a request at `turn` and `step`, both from 0. A turn past the last repeats the last.
    pub(super) fn reply(&self, turn: usize, step: usize) -> Reply {
        let turn = turn.min(self.turns.len().saturating_sub(1));
        self.turns.get(turn).and_then(|replies| replies.get(step)).cloned().unwrap_or_else(|| Reply::says("done"))
    }
}

impl Reply {
    /// Only words.
    pub(crate) fn says(text: &str) -> Self {
        Self { text: text.to_owned(), input_tokens: 100, output_tokens: 20, ..Self::default() }
    }

    /// Words, and then a tool call.
    pub(crate) fn calls(text: &str, name: &'static str, input: Value) -> Self {
        Self { calls: vec![Call { name, input }], ..Self::says(text) }
    }

    /// Trouble.
    pub(crate) fn fails(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    /// The same reply with these counts.
    pub(crate) fn costs(mut self, input: u64, cached: u64, output: u64) -> Self {
        (self.input_tokens, self.cached_tokens, self.output_tokens) = (input, cached, output);
        self
    }

    /// The same reply with `{cwd}` filled in.
    pub(super) fn at(mut self, cwd: &str) -> Self {
        for call in &mut self.calls {
            fill(&mut call.input, cwd);
        }
        self
    }
}

fn fill(value: &mut Value, cwd: &str) {
    match value {
        Value::String(text) => *text = text.replace("{cwd}", cwd),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, cwd)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, cwd)),
        _ => {}
    }
}
