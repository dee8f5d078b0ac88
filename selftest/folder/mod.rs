//! The folder is a view that people can push on.

mod drops;
mod moves;
