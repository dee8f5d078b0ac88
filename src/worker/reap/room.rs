//! Whether there is room for one more workspace; where there is not, room is made first.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fleet_protocol::api::EmptyReason;

use super::reaper::{Mode, Reaper};
use crate::{
    worker::{save::blocking, trouble::Trouble, turns::Turns},
    workspace::{Limits, Measure, Standing, Usage, WorkspaceError, free_space},
};

/// Sizes are measured no more often than this …
const MEASURE_EVERY: Duration = Duration::from_secs(60);
/// … and rest for so many times as long as measuring took.
const REST: u32 = 20;
/// Leftovers are collected no more often than this while there is no room.
const COLLECT_EVERY: Duration = Duration::from_secs(10);

/// Keeps workspaces within their limits.
#[derive(Debug)]
pub(in crate::worker) struct Room {
    limits: Limits,
    /// The state folder, on the disk that must not become full.
    place: PathBuf,
    turns: Turns,
    state: Mutex<State>,
    /// One measures at a time.
    measuring: tokio::sync::Mutex<()>,
}

/// What is in the way of one more workspace, and what to do about it: a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::worker) enum Lacking {
    /// Of what workspaces may be and fill.
    Room(String),
    /// Of what the disk still takes.
    Disk(String),
}

impl Lacking {
    pub(in crate::worker) fn why(&self) -> &str {
        match self {
            Self::Room(why) | Self::Disk(why) => why,
        }
    }

    /// The word for a claim that is not made because of it, where there is one.
    pub(in crate::worker) const fn reason(&self) -> Option<EmptyReason> {
        match self {
            Self::Room(_) => None,
            Self::Disk(_) => Some(EmptyReason::LowDisk),
        }
    }
}

#[derive(Debug)]
struct State {
    measure: Measure,
    /// When sizes were measured last, and how long it took.
    measured: Option<(Instant, Duration)>,
    collected: Option<Instant>,
}

impl Room {
    pub(in crate::worker) fn new(limits: Limits, turns: Turns, place: &Path) -> Self {
        let state = State { measure: Measure::new(place), measured: None, collected: None };
        let measuring = tokio::sync::Mutex::default();
        Self { limits, place: place.to_owned(), turns, state: Mutex::new(state), measuring }
    }

    /// How many workspaces there may be at most.
    pub(in crate::worker) const fn most(&self) -> u32 {
        self.limits.number
    }

    /// Whether there may be one more workspace. None: there may.
    pub(in crate::worker) async fn lacking(self: &Arc<Self>, reaper: &Reaper) -> Result<Option<Lacking>, Trouble> {
        self.see().await?;
        if self.limits.standing(self.usage()?) == Standing::Roomy && self.low_disk().is_none() {
            return Ok(None);
        }
        if self.may_collect() {
            for it in reaper.workspaces(Mode::Remove).await.map_err(Trouble::from)? {
                tracing::info!(what = it.what, gone = it.goes, why = it.why, "room is short");
            }
        }
        if let Some(low) = self.low_disk() {
            return Ok(Some(Lacking::Disk(format!("{low}; `fleet clean` removes what finished jobs left"))));
        }
        let usage = self.usage()?;
        Ok((self.limits.standing(usage) == Standing::Full).then(|| {
            Lacking::Room(format!(
                "there is no room for another workspace ({}); `fleet clean --dry-run` says what lies there and why; \
                 workspaces.max and workspaces.disk are the limits",
                self.limits.told(usage)
            ))
        }))
    }

    /// What is wrong with what the disk has left. A disk that does not tell is not low.
    fn low_disk(&self) -> Option<String> {
        match free_space(&self.place) {
            Ok(free) => self.limits.low_disk(free),
            Err(error) => {
                tracing::debug!(path = %self.place.display(), %error, "how much the disk has left is not known");
                None
            }
        }
    }

    /// Measures sizes again once it is time to. Nobody waits for it.
    pub(in crate::worker) async fn measure(self: &Arc<Self>) -> Result<(), Trouble> {
        let _turn = self.measuring.lock().await;
        let due = self.state().measured.is_none_or(|(at, took)| at.elapsed() >= MEASURE_EVERY.max(took * REST));
        if due { self.renew().await } else { Ok(()) }
    }

    /// Looks at once when nothing is known yet of what lies there: it may be from before this process.
    async fn see(self: &Arc<Self>) -> Result<(), Trouble> {
        if self.state().measured.is_some() {
            return Ok(());
        }
        let _turn = self.measuring.lock().await;
        let never = {
            let state = self.state();
            state.measured.is_none() && state.measure.is_blind()?
        };
        if never { self.renew().await } else { Ok(()) }
    }

    async fn renew(self: &Arc<Self>) -> Result<(), Trouble> {
        let room = Arc::clone(self);
        let renewed = blocking(move || -> Result<(), WorkspaceError> {
            let begun = Instant::now();
            // On a copy: who asks for room meanwhile goes by what was known before.
            let mut measure = room.state().measure.clone();
            let done = measure.renew();
            let mut state = room.state();
            state.measured = Some((Instant::now(), begun.elapsed()));
            state.measure = measure;
            done
        });
        Ok(renewed.await?)
    }

    fn usage(&self) -> Result<Usage, WorkspaceError> {
        self.state().measure.usage(&self.turns.jobs())
    }

    fn may_collect(&self) -> bool {
        let mut state = self.state();
        let may = state.collected.is_none_or(|at| at.elapsed() >= COLLECT_EVERY);
        if may {
            state.collected = Some(Instant::now());
        }
        may
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // What is known is a number, whole whatever its last user panicked over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
