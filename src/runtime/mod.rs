//! Where a run happens: under a shim that outlives the worker and ends the whole tree.
//!
//! The worker writes a [`Spec`] into a run's folder and starts `fleet shim RUN_DIR`. The shim is the agent's parent: its
//! own session, a child subreaper, output to files, an exit record at the end. The worker talks to it through a socket in
//! that folder and reads its files; it may die and find the run again. Nothing here knows jobs, leases or engines.

mod ask;
mod cgroup;
mod control;
mod error;
mod find;
mod identity;
mod launch;
mod lines;
mod observe;
mod orphan;
mod process;
mod record;
mod run_dir;
mod running;
pub(crate) mod shim;
mod spec;
mod tail;
mod token;
mod tree;
mod usage;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod tests;

pub(crate) use ask::{Answer, NoAnswer, ask};
pub(crate) use cgroup::{Grouping, Offer, offer};
pub(crate) use control::{State, Status};
pub(crate) use error::RuntimeError;
pub(crate) use find::{Found, find, reattach};
pub(crate) use identity::{boot_id, since_boot_ms};
pub(crate) use launch::{Launch, start};
pub(crate) use lines::Lines;
pub(crate) use observe::{Observed, Seen, Standing, observe};
pub(crate) use orphan::end_orphan;
pub(crate) use record::{Exceeded, ExitRecord, OwnedBy, Reason, Resource, StartFailure, StartFailureKind, StopReason};
pub(crate) use run_dir::RunDir;
pub(crate) use running::Running;
pub(crate) use spec::{Ceilings, Environment, Limits, Spec, Stdin};
pub(crate) use tail::{Chunk, Tail, Watch};
pub(crate) use token::Token;
