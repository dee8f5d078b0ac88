//! What runs left behind, and what of it may go.
//!
//! Nothing that may hold work goes without a ref that holds it, or proof that it has landed. Doing it again changes nothing.
//! `rules` decides and knows no disk; `reaper` looks, asks and acts; `finished` is about jobs that were over long ago;
//! `room` keeps workspaces within their limits.

mod finished;
mod reaper;
mod room;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use reaper::{Mode, Reach, Reaped, Reaper};
pub(super) use room::{Lacking, Room};
