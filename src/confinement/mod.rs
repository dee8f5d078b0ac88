//! What an agent's process tree may reach on this machine, and the kernel's Landlock that holds it to it.
//!
//! [`Policy`] is plain data: folders that are read, folders that are written, nothing else. It is made by pure rules
//! from what a run stands on ([`Grounds`]), written into the run's spec, and enforced by the shim right where the agent is
//! started. What is not named is refused: there is no list of forbidden things that could be incomplete. Landlock cannot
//! take back a part of what it allows, so a folder with something closed in it is replaced by its other children.

mod kernel;
mod level;
mod places;
mod policy;
#[cfg(test)]
mod policy_tests;
mod privileges;

pub(crate) use kernel::{KernelError, Support, confine_this_thread, support};
pub(crate) use level::{Level, Mode, NotConfined};
pub(crate) use places::{credentials, expanded};
pub(crate) use policy::{Grounds, Policy, RealDisk, too_wide, within};
