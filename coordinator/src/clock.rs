//! The only sources of "now" and of randomness: ports, so that tests can hold both still.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

/// Tells the time. Nothing else in the coordinator asks the system.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        // Milliseconds everywhere, so that what is stored, sent and compared is the same instant.
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// A clock for tests: one RFC 3339 instant in a file, read anew at every question (`FLEET_TEST_CLOCK`).
#[derive(Debug, Clone)]
pub struct FileClock {
    path: PathBuf,
    start: Timestamp,
}

impl FileClock {
    /// Reads the file once; an error says what is wrong with it.
    pub fn open(path: PathBuf) -> Result<Self, ClockError> {
        let start = read(&path)?;
        Ok(Self { path, start })
    }
}

fn read(path: &std::path::Path) -> Result<Timestamp, ClockError> {
    let text = std::fs::read_to_string(path).map_err(|source| ClockError::Read { path: path.to_owned(), source })?;
    text.trim().parse().map_err(|source| ClockError::Parse { path: path.to_owned(), source })
}

impl Clock for FileClock {
    fn now(&self) -> Timestamp {
        // A test rewrites the file while we read it; a torn read must not move time backwards past the start.
        read(&self.path).unwrap_or(self.start)
    }
}

/// A test clock that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("cannot read the test clock {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} does not hold one RFC 3339 instant", path.display())]
    Parse { path: PathBuf, source: jiff::Error },
}

/// Gives 64 random bits; the source of ids.
pub type Randomness = Arc<dyn Fn() -> u64 + Send + Sync>;
