//! The one keeper of rules and state. `lifecycle` and `scheduler` are pure.

pub mod clock;
pub mod lifecycle;
pub mod scheduler;

pub use clock::{Clock, FileClock, Randomness, SystemClock};
