//! Black-box tests: the built binary, real git, real processes.

mod confinement;
mod flow;
mod folder;
mod model;
mod programs;
mod runtime;
mod surface;
mod tidy;
mod trouble;
mod world;
