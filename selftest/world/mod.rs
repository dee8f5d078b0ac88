//! The harness of the black-box tests: a throw-away world with a git repository, a cleared environment and the built
//! binary. Dropping a world fails the test if a process of it is still alive.

mod command;
mod diagnosis;
mod leftovers;
mod place;

pub(crate) use command::{Output, until, until_within};
pub(crate) use leftovers::{processes_of, slay, slay_all};
pub(crate) use place::World;
