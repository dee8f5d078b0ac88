//! How long nothing has come from the agent: its output files do not grow.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::runtime::Spec;

/// The silence is measured this many times finer than its limit.
const PARTS: u32 = 8;
const SHORTEST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// Watches over a limit on silence, if there is one.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Option<Duration>,
    files: [PathBuf; 2],
    /// How long the files were when last looked at.
    length: u64,
    /// Since when they have not grown.
    since: Instant,
    looked: Instant,
}

impl Silence {
    pub(super) fn new(spec: &Spec, now: Instant) -> Self {
        let files = [PathBuf::from(&spec.stdout), PathBuf::from(&spec.stderr)];
        let length = length(&files);
        Self { limit: spec.limits.silence_ms.map(Duration::from_millis), files, length, since: now, looked: now }
    }

    /// The silence does not grow while the run is paused.
    pub(super) fn rest(&mut self, now: Instant) {
        self.since += now.saturating_duration_since(self.looked);
        self.looked = now;
    }

    /// Looks, if that is due. True when nothing has come for the whole limit.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let (Some(limit), true) = (self.limit, self.next().is_some_and(|next| next <= now)) else { return false };
        let length = length(&self.files);
        if length != self.length {
            (self.length, self.since) = (length, now);
        }
        self.looked = now;
        now.saturating_duration_since(self.since) >= limit
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        let limit = self.limit?;
        let usual = self.looked + (limit / PARTS).clamp(SHORTEST_LOOK, LONGEST_LOOK);
        Some(usual.min((self.since + limit).max(self.looked + SHORTEST_LOOK)))
    }
}

fn length(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| fs::metadata(file).map_or(0, |meta| meta.len())).sum()
}
