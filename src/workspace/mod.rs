//! The private clone a run works in, and what comes out of it.
//!
//! A run never sees the user's checkout. It gets a clone of its own that borrows the repository's objects; what it leaves
//! behind is brought back as objects and as refs under `refs/heads/fleet/` and `refs/fleet/`, and nothing else in the
//! user's repository is ever written. The folder of a workspace:
//!
//! ```text
//! tree/            where the agent works; tree/.git is its own
//! view/            the worker's own index, settings and objects for the same files: nothing that the agent can
//!                  configure has a say in what is saved
//! agent.git/       the agent's .git after the run, set aside for its objects
//! making           put there first, naming the repository: a folder with this and without the next was left half made
//! workspace.json   what this is a workspace of
//! saved            commits brought into the user's repository so far
//! before           its refs as they were when the workspace was made
//! ```
//!
//! Everything here blocks; callers on an async runtime use a blocking thread.

mod agent;
mod checkpoint;
mod cleanup;
mod clone;
mod collect;
mod content;
mod diff;
mod error;
mod folder;
mod head;
mod hook;
mod landing;
mod leftover;
mod prepare;
mod program;
mod publish;
mod reach;
mod record;
mod recover;
mod refs;
mod reword;
mod scan;
mod scope;
mod source;
mod space;
mod submodule;
mod transfer;
mod update;
mod usage;
mod view;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use checkpoint::checkpoint;
pub(crate) use cleanup::{Retire, let_go_of_base, remove, retire};
pub(crate) use collect::{Collected, collect};
pub(crate) use diff::{FileStat, files, text};
pub(crate) use error::{During, WorkspaceError};
pub(crate) use landing::{Landing, landing};
pub(crate) use leftover::{Kind, Leftover, leftovers, take_away};
pub(crate) use prepare::{Prepare, Workspace};
pub(crate) use program::{Git, Settings};
pub(crate) use publish::publish;
pub(crate) use recover::recover;
pub(crate) use refs::{Expect, Moved, commit_of, swap};
pub(crate) use scope::outside;
pub(crate) use source::{Checkout, Identity, Source, changed_files, checkouts};
pub(crate) use space::free_space;
pub(crate) use update::{Author, Updated, bring_up_to_date, commit_at, history, newest_work};
pub(crate) use usage::{Limits, Measure, Standing, Usage};
