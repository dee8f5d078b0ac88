//! What the run's tree uses, and whether that is too much.
//!
//! A sample costs a walk through the process table, so there are few: every two seconds at first, then ever fewer while
//! nothing changes, never fewer than the run's health asks for, and often while a ceiling is near that only we keep.

use std::time::{Duration, Instant};

use super::entry::complain;
use crate::runtime::{
    Ceilings, Exceeded, Resource, Spec,
    cgroup::{Group, Kept},
    process::Process,
    run_dir::{RunDir, USAGE},
    usage::{self, Used},
};

const FIRST: Duration = Duration::from_secs(2);
/// The longest pause where the kernel keeps the ceiling on memory, and where it does not.
const CALM: Duration = Duration::from_secs(10);
const WATCHFUL: Duration = Duration::from_secs(4);

/// Samples of one run.
#[derive(Debug)]
pub(super) struct Meter {
    dir: RunDir,
    ceilings: Ceilings,
    group: Option<Group>,
    started: Instant,
    next: Instant,
    pause: Duration,
    /// No pause is longer.
    health: Duration,
    /// The sum of resident memory for which shared pages were last told apart.
    told_apart: u64,
    used: Used,
}

/// All that a run has used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Total {
    pub(super) peak_memory: u64,
    pub(super) cpu_ms: u64,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
}

impl Meter {
    pub(super) fn new(dir: &RunDir, spec: &Spec, group: Option<Group>) -> Self {
        let now = Instant::now();
        let health = Duration::from_millis(spec.limits.health_ms.max(1));
        let pause = FIRST.min(health);
        Self {
            dir: dir.clone(),
            ceilings: spec.ceilings,
            group,
            started: now,
            next: now + pause,
            pause,
            health,
            told_apart: 0,
            used: Used::default(),
        }
    }

    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// When the next sample is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    pub(super) fn due(&self, now: Instant) -> bool {
        self.next <= now
    }

    pub(super) fn put_off(&mut self, now: Instant) {
        self.next = now + self.pause;
    }

    /// Takes a sample of the tree. Tells when it uses more than it may.
    pub(super) fn sample(&mut self, members: &[Process], now: Instant) -> Option<Exceeded> {
        let before = self.used;
        let memory = self.memory(members);
        self.used = Used {
            at_ms: u64::try_from(now.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX),
            processes: u32::try_from(members.len()).unwrap_or(u32::MAX),
            memory,
            peak_memory: before.peak_memory.max(memory),
            cpu_ms: before.cpu_ms.max(self.cpu_ms(members)),
        };
        if let Err(error) = self.dir.write(USAGE, &self.used) {
            complain(&error);
        }
        let longest = self.longest().min(self.health);
        self.pause = pause(self.pause, longest, grew(&before, &self.used));
        self.next = now + self.pause;
        self.out_of_memory().or_else(|| over(&self.ceilings, &self.used))
    }

    /// Whether the kernel ended a part of the tree because its memory was over the ceiling.
    pub(super) fn out_of_memory(&self) -> Option<Exceeded> {
        let ceiling = self.ceilings.memory?;
        let killed = self.group.as_ref().is_some_and(|group| group.out_of_memory() > 0);
        killed.then(|| Exceeded { resource: Resource::Memory, used: self.used.peak_memory.max(ceiling), ceiling })
    }

    /// At the end, when all that could be waited for has been.
    pub(super) fn total(&self) -> Total {
        let collected = usage::collected().unwrap_or_default();
        let counted = self.group.as_ref().and_then(Group::cpu_ms);
        Total {
            // A peak between two samples is at least that of its largest process.
            peak_memory: self.used.peak_memory.max(collected.largest),
            cpu_ms: counted.unwrap_or(collected.cpu_ms).max(self.used.cpu_ms),
            read_bytes: collected.read_bytes,
            written_bytes: collected.written_bytes,
        }
    }

    fn longest(&self) -> Duration {
        match (&self.group, self.ceilings.memory) {
            (Some(group), Some(_)) if !group.keeps(Kept::Memory) => WATCHFUL,
            (None, Some(_)) => WATCHFUL,
            _ => CALM,
        }
    }

    fn memory(&mut self, members: &[Process]) -> u64 {
        if let Some(counted) = self.group.as_ref().and_then(Group::memory) {
            return counted;
        }
        let resident: u64 = members.iter().map(usage::resident).sum();
        // Shared pages are in it once for each process. That only matters for a new peak, or near the ceiling.
        let near = self.ceilings.memory.is_some_and(|ceiling| resident > ceiling);
        let higher = resident > self.told_apart + self.told_apart / 20;
        if !(near || higher) {
            return resident.min(self.used.peak_memory);
        }
        self.told_apart = resident.max(self.told_apart);
        members.iter().map(usage::proportional).sum()
    }

    fn cpu_ms(&self, members: &[Process]) -> u64 {
        let counted = self.group.as_ref().and_then(Group::cpu_ms);
        counted.unwrap_or_else(|| {
            let living: u64 = members.iter().map(usage::cpu_ms).sum();
            living + usage::collected().unwrap_or_default().cpu_ms
        })
    }
}

/// Which ceiling a sample is over.
fn over(ceilings: &Ceilings, used: &Used) -> Option<Exceeded> {
    let memory = ceilings.memory.map(|ceiling| (Resource::Memory, used.memory, ceiling));
    let processes = ceilings.processes.map(|ceiling| (Resource::Processes, used.processes.into(), ceiling.into()));
    let checked = [memory, processes].into_iter().flatten().find(|(_, used, ceiling)| used > ceiling);
    checked.map(|(resource, used, ceiling)| Exceeded { resource, used, ceiling })
}

/// More memory or more processes than before: something is going on.
fn grew(before: &Used, now: &Used) -> bool {
    now.memory > before.peak_memory + before.peak_memory / 10 || now.processes > before.processes * 2
}

/// Half as long again while nothing happens, and short again when something does.
fn pause(last: Duration, longest: Duration, grew: bool) -> Duration {
    if grew { FIRST.min(longest) } else { (last + last / 2).min(longest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_grow_rare_while_nothing_happens_and_frequent_when_something_does() {
        let mut wait = FIRST;
        let mut waits = Vec::new();
        for _ in 0..5 {
            wait = pause(wait, CALM, false);
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, [3_000, 4_500, 6_750, 10_000, 10_000]);
        assert_eq!(pause(CALM, CALM, true), FIRST);
        assert_eq!(pause(CALM, Duration::from_millis(300), true), Duration::from_millis(300), "as health asks");
    }

    #[test]
    fn a_ceiling_may_be_reached_and_not_passed() {
        let ceilings = Ceilings { memory: Some(100), processes: Some(5), cpus: None };
        let used = |memory, processes| Used { memory, processes, ..Used::default() };
        assert_eq!(over(&ceilings, &used(100, 5)), None);
        let memory = Exceeded { resource: Resource::Memory, used: 101, ceiling: 100 };
        assert_eq!(over(&ceilings, &used(101, 6)), Some(memory), "memory is named first");
        let processes = Exceeded { resource: Resource::Processes, used: 6, ceiling: 5 };
        assert_eq!(over(&ceilings, &used(0, 6)), Some(processes));
        assert_eq!(over(&Ceilings::default(), &used(u64::MAX, u32::MAX)), None);
    }

    #[test]
    fn growth_is_more_than_a_tenth_of_the_peak() {
        let peak = Used { peak_memory: 1_000, processes: 2, ..Used::default() };
        let now = |memory, processes| Used { memory, processes, ..Used::default() };
        assert!(!grew(&peak, &now(1_100, 4)));
        assert!(grew(&peak, &now(1_101, 2)) && grew(&peak, &now(0, 5)));
    }
}
