//! What may happen to a job, and what follows. Pure: `admit` and `step` are the only places where a stage is set.
//!
//! - Every worker's input is checked for its epoch before anything else.
//! - Each change of stage is exactly one event; further events of a step have `stageFrom` equal to `stageTo`.
//! - A job in a held stage has one active lease and one run that has not ended; no other job has either.
//! - Input that fits nowhere is refused, never ignored.
//!
//! One file for each kind of input: `claim`, `report` (and `finish`, its end), `lease`, `act`, `dependencies`. `table`
//! lists the edges, and a test drives every stage against every input and proves that step and table agree.

mod act;
mod admit;
mod change;
mod claim;
mod dependencies;
mod finish;
mod input;
mod lease;
mod refusal;
mod report;
mod retry;
mod step;
mod table;
mod verdict;

#[cfg(test)]
pub(crate) mod tests;

pub use act::actions;
pub use admit::{NewJob, admit, admit_invalid};
pub use input::Input;
pub use lease::directive;
pub use refusal::Refusal;
pub use step::{Draft, Step, step};
pub use table::{Cause, Edge, Outcome, TABLE};
