//! What to run for a job, and how to read what it prints. Pure.
//!
//! A [`Definition`] says how an engine is started, [`invocation()`] makes an argument vector and a complete environment of
//! it, [`reader()`] turns output lines into [`Observation`]s and at the end into a [`Conclusion`], [`classify`] names the
//! kind of trouble, [`resolve()`] picks the engine for a job. Nothing here reads a file, a clock or a process.

mod activity;
mod builtin;
mod classify;
mod conclusion;
mod definition;
mod environment;
mod invocation;
mod marker;
mod patch;
mod reader;
mod resolve;
mod speech;
mod template;
#[cfg(test)]
mod tests;
mod usage;
mod validate;

pub(crate) use builtin::Catalogue;

pub(crate) use conclusion::{Cause, Conclusion, Exit};
pub(crate) use definition::{Access, Definition, Output};
pub(crate) use invocation::{
    Approval, EngineError, Invocation, PromptText, Request, RunsAs, SessionPlan, Stdin, invocation,
};
pub(crate) use marker::Marker;
pub(crate) use patch::DefinitionPatch;
pub(crate) use reader::{Observation, Reader, Start, Stream, reader};
pub(crate) use resolve::{NoEngine, Probe, Wanted, resolve};

#[cfg(test)]
pub(crate) use {
    conclusion::{Failure, Verdict},
    definition::PromptMode,
    marker::Question,
};
