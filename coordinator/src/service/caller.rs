//! Who calls, for which product, and whether the call may be a repeat of an earlier one.

use fleet_protocol::{ErrorCode, Problem};
use serde::Serialize;

use super::{Failure, Service};
use crate::store::Answer;

/// The circumstances of a call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) product: String,
    /// `operator:NAME` or `factory:NAME`.
    pub(crate) actor: String,
    pub(crate) repeat: Option<Repeat>,
}

/// The idempotency key of a request.
#[derive(Debug, Clone)]
pub(crate) struct Repeat {
    pub(crate) key: String,
    /// Stands for the whole request: method, path, query, body.
    pub(crate) request: String,
}

impl Caller {
    /// The factory that calls, if one does.
    pub(crate) fn factory(&self) -> Option<&str> {
        self.actor.strip_prefix("factory:")
    }

    /// The answer to be kept with its effect, when the request may be repeated.
    pub(crate) fn answer(&self, status: u16, body: &impl Serialize) -> Option<Answer> {
        let repeat = self.repeat.as_ref()?;
        let body = serde_json::to_string(body).expect("answers are JSON");
        Some(Answer { key: repeat.key.clone(), request: repeat.request.clone(), status, body })
    }
}

/// The refusal of a key that was used for something else.
pub(super) fn key_misused(key: &str) -> Problem {
    Problem::new(ErrorCode::IdempotencyConflict, format!("the idempotency key `{key}` was used for another request"))
}

impl Service {
    /// The answer that this very request got before, if it did.
    pub(crate) fn answered(&self, caller: &Caller) -> Result<Option<Answer>, Failure> {
        let Some(repeat) = &caller.repeat else { return Ok(None) };
        match self.store.answer_load(&caller.product, &repeat.key)? {
            Some(answer) if answer.request != repeat.request => Err(key_misused(&repeat.key).into()),
            answer => Ok(answer),
        }
    }
}
