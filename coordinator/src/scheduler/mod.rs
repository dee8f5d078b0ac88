//! Which job a factory gets, and why a job does not start. Pure.
//!
//! `obstacle` holds the only predicates there are. `pick` takes the first job in `order` that has none for the factory
//! that asks; `explain` shows the same list to people, so it cannot say anything else than what happens.

mod explain;
mod obstacle;
mod order;
mod pick;

#[cfg(test)]
mod tests;

pub use explain::explain;
pub use obstacle::{Obstacle, obstacles};
pub use order::{compare, order};
pub use pick::pick;
