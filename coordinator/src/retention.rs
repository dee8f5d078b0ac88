//! How long what finished jobs left behind is kept. Jobs themselves, with their history and results, stay for good.

use std::num::NonZeroU32;

use fleet_protocol::{Job, Span, lease::LeaseStatus};
use jiff::Timestamp;

/// What is kept of finished jobs besides the jobs: the output of their runs, and whatever goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long after a job has finished; 90 days.
    pub max_age: Span,
    /// Of how many finished jobs, the newest; of all when left out.
    pub max_jobs: Option<NonZeroU32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { max_age: Span::from_secs(90 * 24 * 60 * 60), max_jobs: None }
    }
}

impl Retention {
    /// Whether what the job left may go. `newer` counts the finished jobs that finished after it.
    pub fn lets_go(&self, job: &Job, newer: u32, now: Timestamp) -> bool {
        let too_many = self.max_jobs.is_some_and(|most| newer >= most.get());
        is_finished(job) && (too_many || job.updated_at <= self.cutoff(now))
    }

    /// Jobs that finished then, or before, are old.
    pub fn cutoff(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.max_age.duration()).unwrap_or(Timestamp::MIN)
    }
}

/// Whether nothing happens to a job any more: it is over, nobody holds it, and nobody keeps it back for later.
fn is_finished(job: &Job) -> bool {
    let leased = job.lease.as_ref().is_some_and(|lease| lease.status == LeaseStatus::Active);
    job.stage.is_terminal() && !job.held && !leased
}

#[cfg(test)]
mod tests {
    use fleet_protocol::{JobId, Manifest, Stage, job::Trigger};
    use jiff::ToSpan;

    use super::*;
    use crate::lifecycle::{NewJob, admit};

    fn job(stage: Stage, finished: Timestamp) -> Job {
        let new = NewJob {
            id: JobId::from_random(1),
            title: "x".to_owned(),
            product: "p".to_owned(),
            file: "x.md".to_owned(),
            manifest: Manifest::default(),
            profile: None,
            parent_id: None,
            repo: None,
            trigger: Trigger::Manual,
        };
        Job { stage, ..admit(new, Vec::new(), finished, "operator:ann").job }
    }

    fn day(number: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add((number * 24).hours()).unwrap()
    }

    #[test]
    fn only_what_is_finished_and_old_enough_goes() {
        for stage in Stage::ALL.iter().copied() {
            let over = matches!(stage, Stage::Shipped | Stage::Failed | Stage::DeadLetter);
            let job = job(stage, day(0));
            assert!(!Retention::default().lets_go(&job, 1_000_000, day(89)), "{stage}");
            assert_eq!(Retention::default().lets_go(&job, 0, day(90)), over, "{stage}");
            let kept_back = Job { held: true, ..job };
            assert!(!Retention::default().lets_go(&kept_back, 0, day(9_000)), "{stage}, on hold");
        }
    }

    #[test]
    fn with_a_number_the_newest_so_many_are_kept_while_they_are_young() {
        let two = Retention { max_jobs: NonZeroU32::new(2), ..Retention::default() };
        let job = job(Stage::Shipped, day(0));
        assert_eq!([0, 1, 2, 3].map(|newer| two.lets_go(&job, newer, day(1))), [false, false, true, true]);
        assert!(two.lets_go(&job, 0, day(90)), "what is old goes although there are few");
    }
}
