//! A story: one act in a world, and the named checks that judge what it saw.
//!
//! Names are known before anything runs, so that a check which was not reached is told too and never just missing.

use super::{expect::Judgement, world::World};

/// Why an act could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    #[error("{0}")]
    Broken(String),
    /// The machine lacks something that only this story needs.
    #[error("{0}")]
    Skip(String),
    #[error("interrupted")]
    Interrupted,
}

impl Stop {
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }
}

/// A behaviour, and the judgement whether it was seen.
type Check<T> = (&'static str, fn(&T) -> Judgement);

/// An act and its checks. `T` is what the act saw.
pub(super) struct Story<T> {
    area: &'static str,
    act: fn(&World) -> Result<T, Stop>,
    checks: Vec<Check<T>>,
}

/// Begins a story of this area; `act` does everything that is to be seen.
pub(super) fn story<T: 'static>(area: &'static str, act: fn(&World) -> Result<T, Stop>) -> Story<T> {
    Story { area, act, checks: Vec::new() }
}

impl<T: 'static> Story<T> {
    /// Adds a check, named by the behaviour that it proves.
    pub(super) fn check(mut self, behaviour: &'static str, judge: fn(&T) -> Judgement) -> Self {
        self.checks.push((behaviour, judge));
        self
    }

    pub(super) fn told(self) -> Box<dyn Scenario> {
        Box::new(self)
    }
}

/// A story whatever it sees.
pub(super) trait Scenario: Send {
    /// `area: behaviour` of each check, in order.
    fn names(&self) -> Vec<String>;
    /// Acts, and judges. One judgement for each name, in the same order.
    fn judge(&self, world: &World) -> Result<Vec<Judgement>, Stop>;
}

impl<T> Scenario for Story<T> {
    fn names(&self) -> Vec<String> {
        self.checks.iter().map(|(behaviour, _)| format!("{}: {behaviour}", self.area)).collect()
    }

    fn judge(&self, world: &World) -> Result<Vec<Judgement>, Stop> {
        let seen = (self.act)(world)?;
        Ok(self.checks.iter().map(|(_, judge)| judge(&seen)).collect())
    }
}
