//! An engine that does what a script in the task says; shipped, for tests, demo and selftest.
//!
//! The task holds a fenced block ```` ```script ````, one step a line; ```` ```script run=2 ```` is for run number 2 alone.
//! `docs/engines.md` lists the steps.

mod entry;
mod perform;
mod script;
#[cfg(test)]
mod tests;

pub(crate) use entry::main;
