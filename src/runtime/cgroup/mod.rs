//! The kernel's own list of a run's processes, where one can be had.
//!
//! A group is made inside the group that the shim itself is in, and nowhere else; no other group is changed. Whether one
//! can be made is found out by making it: version 2 for the list, the freezer and the kill, and of memory, processes and
//! processor whatever version 2 or version 1 lets us have here. What cannot be had is measured instead, see
//! [`meter`](super::shim).

mod files;
mod group;
mod home;
mod reading;

#[cfg(test)]
mod tests;

pub(crate) use group::{Group, Grouping, Kept};
pub(crate) use home::{Offer, offer};
