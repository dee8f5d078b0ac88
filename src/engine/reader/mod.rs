//! Readers: output lines become observations, the end becomes a conclusion.
//!
//! One per output format. None of them trusts what it reads: unknown events are noise, lines that do not parse are plain
//! text, and no line can make a reader fail. Which events there are was recorded from the real programs
//! (`selftest/transcripts`).

mod claude;
mod claude_result;
mod codex;
mod copilot;
mod event;
mod gemini;
mod opencode;
mod reading;
mod text;

pub(crate) use reading::{Observation, Reader, Start, Stream, reader};
