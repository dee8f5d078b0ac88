//! What is kept, and how: SQLite in one file, written by one thread of each process, safe with several processes.
//!
//! - A change is compared with what it was decided on (`rev`, and the lease's expiry), and written whole or not at all.
//! - What was answered is on the disk.
//! - An event's `seq` is given inside the transaction; events are never changed.
//! - At most one lease of a job counts; a job is held exactly while one does. The schema itself refuses anything else.
//!
//! `port` is all that others see. `commit` says what a change is, `apply` writes it, `writer` groups what waits into one
//! transaction, `readers` and `wake` serve everyone else. `audit` and `backup` look at a file from outside.

mod apply;
mod audit;
mod backup;
mod column;
mod commit;
mod deps;
mod error;
mod expiry;
mod look;
mod place;
mod port;
mod queue;
mod readers;
mod records;
mod render;
mod row;
mod schema;
mod wake;
mod writer;

#[cfg(test)]
mod tests;

pub use audit::{Audit, Finding, audit};
pub use backup::{BackupError, backup};
pub use commit::{
    Answer, Commit, Content, Expect, Extension, Grant, LeaseChange, Offer, ProfileText, Refused, Urgency,
};
pub use deps::Target;
pub use error::{CommitError, OpenError, StoreError};
pub use expiry::{Expired, Expiry};
pub use look::Look;
pub use place::Place;
pub use port::Store;
pub use queue::{Candidate, Lane, LaneKind, Place as Cursor};
pub use records::{Page, Snapshot};
pub use wake::Watcher;
