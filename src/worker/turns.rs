//! One run of a job at a time on this machine.
//!
//! A job that an operator requeues while an agent works on it can be claimed again before that run has ended and given up
//! the job's workspace. The later run waits its turn; the earlier one has lost its lease and is about to end.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use fleet_protocol::JobId;
use tokio::sync::OwnedMutexGuard;

/// The jobs that runs of this worker are at.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<JobId, Arc<tokio::sync::Mutex<()>>>>>);

/// A run's turn at its job; over when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    job: JobId,
    turns: Turns,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits until no earlier run is at the job.
    pub(super) async fn take(&self, job: &JobId) -> Turn {
        let door = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(job.clone()).or_default());
        Turn { job: job.clone(), turns: self.clone(), guard: Some(door.lock_owned().await) }
    }

    /// The turn at a job that no run is at; none when one is, or waits.
    pub(super) fn take_if_free(&self, job: &JobId) -> Option<Turn> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.contains_key(job) {
            return None;
        }
        let door = Arc::clone(jobs.entry(job.clone()).or_default());
        let guard = door.try_lock_owned().ok()?;
        Some(Turn { job: job.clone(), turns: self.clone(), guard: Some(guard) })
    }

    /// The jobs that somebody is at, or waits to be.
    pub(super) fn jobs(&self) -> BTreeSet<JobId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut jobs = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.guard.take());
        // Nobody waits for it when only the map still knows it.
        if jobs.get(&self.job).is_some_and(|door| Arc::strong_count(door) == 1) {
            jobs.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_later_run_of_a_job_waits_and_one_of_another_job_does_not() {
        let turns = Turns::default();
        let (one, other) = (JobId::from_random(1), JobId::from_random(2));
        let first = turns.take(&one).await;
        let mut second = Box::pin(turns.take(&one));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(turns.take(&other).await);
        drop(first);
        drop(second.await);
        let third = turns.take_if_free(&one).expect("nobody is at it");
        assert!(turns.take_if_free(&one).is_none());
        assert_eq!(turns.jobs(), BTreeSet::from([one]));
        drop(third);
        assert!(turns.0.lock().expect("nobody panicked").is_empty(), "nothing is kept of jobs that nobody works on");
    }
}
