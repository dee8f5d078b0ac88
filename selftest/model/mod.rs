//! Model servers on loopback, so that the real agent programs run in tests with no account and no network.
//!
//! `script` says what the model answers, `anthropic` and `openai` speak the two APIs, `server` listens. The servers keep
//! no conversation: which turn and step a request is at is read off the request itself, so resumed and concurrent
//! sessions work by construction.

mod anthropic;
mod openai;
mod script;
mod server;

pub(crate) use script::{Fault, Reply, Script};
pub(crate) use server::ModelServer;
