//! What goes wrong: kills, limits, signals, odd repositories, many at once.

mod adoption;
mod agents;
mod bounds;
mod cleaning;
mod limits;
mod repositories;
mod runners;
mod saving;
mod scope;
mod seats;
mod turns;
