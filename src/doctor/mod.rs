//! Looks at each known trouble spot of this machine, and says what to do about it.
//!
//! A [`Subject`] says what to look at; each check is a function from it to one [`Check`], in a file by theme, and
//! [`examine()`] goes through them in a fixed order. One broken prerequisite fails one check; what cannot be judged because
//! of it is skipped. A check leaves nothing behind: a file that it writes as a trial is removed at once, and nothing that
//! is missing is made. A program that is asked something has a time limit. Nothing here knows the command line or how the
//! subject came to be.

mod ceilings;
mod check;
mod database;
mod engines;
mod examine;
mod folders;
mod installation;
mod machine;
mod privacy;
mod program;
mod repository;
mod runs;
mod safety;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use check::{Check, Outcome};
pub(crate) use examine::examine;
pub(crate) use machine::open_files;
pub(crate) use safety::container_sockets;
pub(crate) use subject::{Configuration, Database, Held, Subject, TestClock};
