//! Black-box tests: the built binary, real git, real processes.

mod confinement;
mod flow;
mod folder;
mod keep;
mod model;
mod nemesis;
mod programs;
mod runtime;
mod safety;
mod surface;
mod tidy;
mod trouble;
mod world;
