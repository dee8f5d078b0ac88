//! What bounds a run: time, silence, memory, processes, processors. The task's own bounds come before this machine's.
//! Pure.

use std::time::Duration;

use fleet_protocol::{Manifest, Span};

use super::options::Options;
use crate::runtime::{Ceilings, Grouping, Limits};

/// This machine's bounds of every run, beside those on time that [`Options`] names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How long a run may take until its agent runs.
    pub(crate) start: Duration,
    /// How long an agent may say nothing; without it, for ever.
    pub(crate) silence: Option<Duration>,
    /// Between two looks at a running agent.
    pub(crate) health: Duration,
    pub(crate) ceilings: Ceilings,
    pub(crate) grouping: Grouping,
}

/// The earlier of `timeout` and `budget.wall` ends the run and names the end; without both there is the worker's own limit.
pub(super) fn limits(manifest: &Manifest, options: &Options, ttl: Duration) -> Limits {
    let bounds = &options.bounds;
    let wall = manifest.budget.and_then(|budget| budget.wall);
    let timeout = match (manifest.timeout, wall) {
        (None, None) => Some(millis(options.wall)),
        (timeout, _) => timeout.map(Span::millis),
    };
    Limits {
        timeout_ms: timeout,
        wall_ms: wall.map(Span::millis),
        owner_silence_ms: Some(millis(ttl)),
        silence_ms: bounds.silence.map(millis),
        health_ms: millis(bounds.health),
        grace_ms: millis(options.grace),
    }
}

/// The ceilings of this job's runs.
pub(super) fn ceilings(manifest: &Manifest, options: &Options) -> Ceilings {
    let own = manifest.limits.unwrap_or_default();
    let machine = options.bounds.ceilings;
    Ceilings {
        memory: own.memory.map(|memory| memory.0).or(machine.memory),
        cpus: own.cpus.or(machine.cpus),
        processes: machine.processes,
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
