//! Bringing a job's branch into its base, at a person's word.
//!
//! The merge is computed in-process and aside. Then either the base's ref moves by compare-and-swap (nobody has it checked
//! out), or the checkout that has it follows, as with `git merge --no-ff`. Whatever is refused has changed nothing.

mod job;
mod merge;

#[cfg(test)]
mod tests;

pub(crate) use job::{Ship, ship_job};
