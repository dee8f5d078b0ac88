//! The documents of a change, as they are written. Made by whoever asks for the change: the one thread that writes has
//! enough to do.

use super::{commit::Commit, row};

/// What of a change is kept as JSON.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) job: String,
    pub(super) run: Option<String>,
    /// The data of each event.
    pub(super) events: Vec<String>,
}

impl Rendered {
    pub(super) fn of(commit: &Commit) -> serde_json::Result<Self> {
        Ok(Self {
            job: row::write_doc(&commit.job)?,
            run: commit.run.as_ref().map(serde_json::to_string).transpose()?,
            events: commit.events.iter().map(|event| serde_json::to_string(&event.data)).collect::<Result<_, _>>()?,
        })
    }
}
