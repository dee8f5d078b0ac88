//! What people do with `fleet` on one machine, from outside.

mod alone;
mod engines;
mod json_tasks;
mod lies;
mod mistakes;
mod projects;
mod rework;
mod settings;
mod submit_to_ship;
mod told;
mod while_it_runs;
