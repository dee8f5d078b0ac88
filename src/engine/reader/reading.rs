//! What every reader is: lines in, observations out, a conclusion at the end.

use std::time::Duration;

use fleet_protocol::{job::Usage, run::ErrorClass};

use super::{claude, codex, copilot, gemini, opencode, text};
use crate::engine::{Conclusion, Exit, Marker, Output};

/// Turns one run's output into observations.
pub(crate) trait Reader: Send + Sync {
    /// Takes one line, without its line end.
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation>;

    /// Judges the run. `stderr_tail` is the last of the error output, a few kilobytes.
    fn end(self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion;
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Observation {
    /// One line for people: `Edit src/a.rs`, `$ cargo test`, `says: …`.
    Activity(String),
    /// All that this run has used so far.
    Usage(Usage),
    /// The engine's session, as soon as it is known.
    Session(String),
    Marker(Marker),
    /// The engine asks its model again. A class that retrying cannot help is worth ending the run for.
    Retrying {
        attempt: Option<u32>,
        of: Option<u32>,
        delay: Option<Duration>,
        class: Option<ErrorClass>,
        message: String,
    },
}

/// Where a run starts from.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// Paths in activity lines are shown from here.
    pub(crate) workspace: String,
    /// What earlier runs of the same session have used, as far as it was measured; [`Usage::UNKNOWN`] for a new session.
    pub(crate) before: Usage,
}

/// A reader for one run.
pub(crate) fn reader(output: Output, start: Start) -> Box<dyn Reader> {
    match output {
        Output::Text => Box::new(text::Text::plain()),
        Output::Aider => Box::new(text::Text::aider()),
        Output::Claude => Box::new(claude::Claude::new(start)),
        Output::Codex => Box::new(codex::Codex::new(start)),
        Output::Opencode => Box::new(opencode::Opencode::new(start)),
        Output::Gemini => Box::new(gemini::Gemini::new(start)),
        Output::Copilot => Box::new(copilot::Copilot::new(start)),
    }
}
