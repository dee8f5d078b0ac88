//! What people do with `fleet` on one machine, from outside.

mod engines;
mod lies;
mod rework;
mod settings;
mod submit_to_ship;
mod while_it_runs;
