//! The folder: a view of the store that people can push on.
//!
//! `tasks/` looks like a queue and is used as one: a file dropped into `inbox` is submitted, `ls` reads the board, and
//! moving a file to another bucket asks for what that move means. The store decides. [`Keeper`] compares the two and
//! puts the folder right; a watcher only wakes it. Running it twice changes nothing the second time.

mod error;
mod execute;
mod files;
mod folder;
mod journal;
mod keeper;
mod local;
mod lock;
mod moves;
mod newcomers;
mod notes;
mod plan;
mod port;
mod running;
mod scan;
mod settle;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use error::QueueError;
pub(crate) use folder::Folder;
pub(crate) use keeper::{Keeper, Report};
pub(crate) use lock::RunLock;
pub(crate) use port::Acts;
pub(crate) use running::living_runner;
pub(crate) use watch::{Notifications, Watching, keep};
