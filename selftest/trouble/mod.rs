//! What goes wrong: kills, limits, signals, odd repositories, many at once.

mod agents;
mod limits;
mod repositories;
mod runners;
mod scope;
mod turns;
