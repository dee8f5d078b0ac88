//! Where a value came from.

use std::{fmt, ops::Range, path::Path, sync::Arc};

/// The layer that a value came from, as exactly as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    /// Line and column count from 1, columns in characters; `span` is in bytes of the text.
    File {
        path: Arc<Path>,
        line: usize,
        column: usize,
        span: Range<usize>,
    },
    Variable(&'static str),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File { path, line, .. } => f.pad(&format!("{}:{line}", path.display())),
            Self::Variable(name) => f.pad(name),
            Self::Flag(flag) => f.pad(flag),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}
