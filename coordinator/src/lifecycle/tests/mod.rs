//! Proofs about the lifecycle: the rules one by one, the table against every stage and input, and long random walks.

mod acts;
mod document;
mod ends;
pub(crate) mod fixture;
mod leases;
mod matrix;
mod walk;
