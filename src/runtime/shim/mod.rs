//! The parent of one agent: `fleet shim RUN_DIR`.
//!
//! It is small and on its own so that it can stay while workers come and go, are upgraded or die. One thread, no network,
//! no store; everything that it knows is in the run's folder. Its steps: read the spec, listen, say who it is, take the
//! spec (so that it cannot start twice, and the secrets leave the disk), start the agent, watch over it, end whatever is
//! left of the tree, write the exit record.

mod agent;
mod clocks;
mod entry;
mod listen;
mod meter;
mod silence;
mod supervise;

pub(crate) use entry::main;
