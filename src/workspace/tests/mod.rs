//! Workspaces against real repositories, made with the program `git`.

pub(crate) mod fixture;

mod agents;
mod landings;
mod leftovers;
mod limits;
mod lives;
mod messages;
mod protected;
mod saving;
mod sources;
mod together;
