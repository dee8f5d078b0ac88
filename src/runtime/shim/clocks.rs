//! When a run has to end by itself: pure.

use std::time::{Duration, Instant};

use crate::runtime::{Limits, Reason};

/// The times that limits are measured against.
#[derive(Debug, Clone)]
pub(super) struct Clocks {
    limits: Limits,
    started: Instant,
    /// When the owner last spoke.
    heard: Instant,
    /// When the present pause began.
    paused: Option<Instant>,
    /// All earlier pauses together.
    rested: Duration,
}

impl Clocks {
    /// All start now.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, started: now, heard: now, paused: None, rested: Duration::ZERO }
    }

    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn pause(&mut self, now: Instant) {
        self.paused.get_or_insert(now);
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(since) = self.paused.take() {
            self.rested += now.saturating_duration_since(since);
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Since the start.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Since the start, without pauses.
    pub(super) fn worked(&self, now: Instant) -> Duration {
        self.elapsed(self.paused.unwrap_or(now)).saturating_sub(self.rested)
    }

    /// The limit that was reached first, if any was.
    pub(super) fn due(&self, now: Instant) -> Option<Reason> {
        self.deadlines(now)
            .into_iter()
            .flatten()
            .filter(|(at, _)| *at <= now)
            .min_by_key(|(at, _)| *at)
            .map(|(_, why)| why)
    }

    /// When the next limit is reached if nothing changes until then.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.deadlines(now).into_iter().flatten().map(|(at, _)| at).min()
    }

    /// In the order in which ties are named. The timeout has no deadline while its clock stands still.
    fn deadlines(&self, now: Instant) -> [Option<(Instant, Reason)>; 3] {
        let after = |from: Instant, millis: Option<u64>, why: Reason| {
            millis.and_then(|millis| from.checked_add(Duration::from_millis(millis))).map(|at| (at, why))
        };
        let working_start = self.started + self.rested;
        let timeout = after(working_start, self.limits.timeout_ms, Reason::Timeout);
        let reached = |at: Instant| at <= self.paused.unwrap_or(now);
        [
            timeout.filter(|(at, _)| !self.is_paused() || reached(*at)),
            after(self.started, self.limits.wall_ms, Reason::Budget),
            after(self.heard, self.limits.owner_silence_ms, Reason::OwnerGone),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(timeout: Option<u64>, wall: Option<u64>, silence: Option<u64>) -> (Clocks, Instant) {
        let start = Instant::now();
        let limits = Limits { timeout_ms: timeout, wall_ms: wall, owner_silence_ms: silence, ..Limits::default() };
        (Clocks::new(limits, start), start)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_limit_that_is_reached_first_names_the_end() {
        let cases = [
            (None, None, None),
            (Some(100), None, Some(Reason::Timeout)),
            (None, Some(100), Some(Reason::Budget)),
            (Some(100), Some(200), Some(Reason::Timeout)),
            (Some(200), Some(100), Some(Reason::Budget)),
            (Some(100), Some(100), Some(Reason::Timeout)),
        ];
        for (timeout, wall, reason) in cases {
            let (clocks, start) = clocks(timeout, wall, None);
            assert_eq!(clocks.due(start + ms(99)), None, "{timeout:?} {wall:?} early");
            // Looked at late, when both are over: still the first one.
            assert_eq!(clocks.due(start + ms(500)), reason, "{timeout:?} {wall:?}");
        }
    }

    #[test]
    fn a_pause_stops_the_timeout_and_not_the_wall() {
        let (mut clocks, start) = clocks(Some(100), Some(1_000), None);
        clocks.pause(start + ms(40));
        assert_eq!(clocks.due(start + ms(900)), None);
        assert_eq!(clocks.next(start + ms(900)), Some(start + ms(1_000)));
        clocks.resume(start + ms(540));
        assert_eq!(clocks.worked(start + ms(550)), ms(50));
        assert_eq!(clocks.elapsed(start + ms(550)), ms(550));
        assert_eq!(clocks.next(start + ms(550)), Some(start + ms(600)));
        assert_eq!(clocks.due(start + ms(600)), Some(Reason::Timeout));
        assert_eq!(clocks.due(start + ms(599)), None);
    }

    #[test]
    fn pausing_twice_is_pausing_once() {
        let (mut clocks, start) = clocks(Some(100), None, None);
        clocks.pause(start + ms(10));
        clocks.pause(start + ms(50));
        clocks.resume(start + ms(60));
        clocks.resume(start + ms(70));
        assert_eq!(clocks.worked(start + ms(60)), ms(10));
        assert!(!clocks.is_paused());
    }

    #[test]
    fn an_owner_that_speaks_puts_off_the_end() {
        let (mut clocks, start) = clocks(None, None, Some(100));
        clocks.hear(start + ms(90));
        assert_eq!(clocks.due(start + ms(150)), None);
        assert_eq!(clocks.due(start + ms(190)), Some(Reason::OwnerGone));
    }
}
