//! Task files for stories, as sentences.

use std::fmt::Write;

/// A task file in the making.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) name: String,
    front: String,
    body: String,
}

/// A task for the scripted engine; its heading and its file carry this name.
pub(super) fn task(name: &str) -> Task {
    Task { name: name.to_owned(), front: "engine: scripted\n".to_owned(), body: format!("# {name}\n") }
}

impl Task {
    /// Adds lines of front matter.
    pub(super) fn with(mut self, front: &str) -> Self {
        self.front.push_str(front);
        self.front.push('\n');
        self
    }

    /// Proven by the repository's `check.sh`: `done.txt` says `yes`.
    pub(super) fn checked(self) -> Self {
        self.with("verify: ./check.sh")
    }

    /// What the agent does, step by step, in every run that has no steps of its own.
    pub(super) fn does(self, steps: &str) -> Self {
        self.block("script", steps)
    }

    /// What the agent does in this run.
    pub(super) fn in_run(self, run: u32, steps: &str) -> Self {
        self.block(&format!("script run={run}"), steps)
    }

    fn block(mut self, info: &str, steps: &str) -> Self {
        write!(self.body, "\n```{info}\n{steps}\n```\n").expect("a string takes everything");
        self
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        format!("---\n{}---\n{}", self.front, self.body)
    }
}
