//! The rules at work: each call loads what it needs, decides by `lifecycle` and `scheduler`, and commits to the store.
//!
//! - A decision is committed against exactly what it was made on; if that changed, it is made again.
//! - What a caller is told has been committed.
//! - A job of another product is no job.
//!
//! `submit` takes jobs in, `claim` gives them out, `report` hears their holders, `act` the operators, `output` the runs;
//! `change` is the loop that all changes go through. `view`, `explain` and `status` only look; `named` knows what a task may
//! name.

mod act;
mod blocking;
mod caller;
mod change;
mod claim;
mod core;
mod deps;
mod expire;
mod explain;
mod failure;
mod fingerprint;
mod named;
mod output;
mod report;
mod search;
mod status;
mod submit;
mod view;

pub use core::{Grace, Options, ProfileOrigin, ProfileSource};

pub(crate) use caller::{Caller, Repeat};
pub(crate) use claim::ClaimOutcome;
pub(crate) use core::Service;
pub(crate) use failure::Failure;
pub(crate) use fingerprint::fingerprint;
pub(crate) use output::decode;
pub(crate) use submit::{Submitted, TaskText};
