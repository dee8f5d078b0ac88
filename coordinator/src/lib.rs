//! The one keeper of rules and state.
//!
//! `lifecycle` and `scheduler` are pure; `service` loads, decides by them and commits to the `store`; `http` is the only
//! door; `maintenance` moves what only time moves, and
//! lets go, by `retention`, of what nobody asks for any more. Nothing here knows git, containers, forges, terminals or the names of
//! engines.

pub mod clock;
mod coordinator;
mod http;
pub mod lifecycle;
mod logs;
mod maintenance;
mod retention;
pub mod scheduler;
mod service;
pub mod store;

pub use clock::{Clock, FileClock, Randomness, SystemClock};
pub use coordinator::Coordinator;
pub use retention::Retention;
pub use service::{Grace, Options, ProfileOrigin, ProfileSource};
pub use store::OpenError;
