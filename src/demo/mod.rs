//! `fleet demo`: a small real repository, three tasks, and the board as it moves.
//!
//! The runner is a process of its own; this one only submits and looks, as a person would from a second terminal.

mod board;
mod play;
mod project;
mod story;

pub(crate) use play::{Demo, Watching, play};
pub(crate) use story::{Chapter, Story};
