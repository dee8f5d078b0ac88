//! Whether what is kept agrees with itself: the invariants of the store, looked at from outside.
//!
//! Nothing is changed and nothing is mended. `rules` are questions in SQL, each answered by what breaks it; `records` takes
//! every record apart; `examine` asks all of it of one moment of the file, while others may go on writing.

mod examine;
mod records;
mod rules;
#[cfg(test)]
mod tests;

pub use examine::{Audit, Finding, audit};
