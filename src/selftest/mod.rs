//! Proof that this very program works on this machine: `fleet selftest`.
//!
//! A story acts in a temporary world of its own, with this executable as a child process, and keeps what it saw; named checks then
//! judge what was seen. Nothing needs a model, a network, a container or a service, and nothing is left behind.

mod call;
mod diagnosis;
mod expect;
mod machine;
mod play;
mod scenarios;
mod story;
mod task;
#[cfg(test)]
mod tests;
mod world;

pub(crate) use play::{Finding, Plan, SelftestError, Standing, play};
