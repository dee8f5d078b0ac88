//! The stories, by what they are about.

mod bounds;
mod checkout;
mod demo;
mod deps;
mod folder;
mod leases;
mod limits;
mod list;
mod manifest;
mod profiles;
mod proof;
mod retry;
mod runners;
mod runs;
mod scheduling;
mod terminal;

pub(super) use list::all;
