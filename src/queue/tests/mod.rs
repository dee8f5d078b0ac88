//! The keeper on real folders, over the real client, against a store in memory.

mod keeping;
mod newcomers;
mod properties;
mod store;
mod watching;
