//! What goes wrong: kills, limits, signals, odd repositories, many at once.

mod agents;
mod cleaning;
mod limits;
mod repositories;
mod runners;
mod saving;
mod scope;
mod seats;
mod turns;
