//! The stories, by what they are about.

mod bounds;
mod checkout;
mod confinement;
mod demo;
mod deps;
mod folder;
mod keeping;
mod leases;
mod limits;
mod list;
mod manifest;
mod profiles;
mod projects;
mod proof;
mod retry;
mod runners;
mod runs;
mod scheduling;
mod secrets;
mod terminal;

pub(super) use list::all;
