//! The promises of the store, each by an attempt to break it.

mod commits;
mod crowds;
pub(in crate::store) mod fixture;
mod wakes;
