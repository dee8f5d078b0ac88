//! How a job's dependencies stand, and who is told when that changes.

use fleet_protocol::{
    Job, JobId, Stage,
    job::{BlockReason, Blocker},
    manifest::DepsMode,
};

use super::{Failure, Service, caller::Caller};
use crate::{
    lifecycle::{self, Input},
    store::{StoreError, Target},
};

/// How far a job is, in the eyes of those who depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    OnItsWay,
    Proven,
    Done,
    Over,
}

const fn standing(stage: Stage) -> Standing {
    match stage {
        Stage::Shipped => Standing::Done,
        Stage::Testing => Standing::Proven,
        Stage::Failed | Stage::DeadLetter => Standing::Over,
        Stage::Queued | Stage::Blocked | Stage::Assigned | Stage::Building | Stage::Waiting | Stage::Review => {
            Standing::OnItsWay
        }
    }
}

/// Whether dependants see a difference between two stages.
pub(super) fn matters(from: Stage, to: Stage) -> bool {
    standing(from) != standing(to)
}

/// What a dependency holds back, if anything.
fn blocker(dep: &str, target: Option<&Target>, mode: DepsMode) -> Option<Blocker> {
    let blocker = |job_id: Option<JobId>, reason| Some(Blocker { dep: dep.to_owned(), job_id, reason });
    let Some(target) = target else { return blocker(None, BlockReason::Unknown) };
    match (standing(target.stage), mode) {
        (Standing::Done, _) | (Standing::Proven, DepsMode::Soft) => None,
        (Standing::Over, _) => blocker(Some(target.id.clone()), BlockReason::DependencyFailed),
        (Standing::OnItsWay | Standing::Proven, _) => blocker(Some(target.id.clone()), BlockReason::Pending),
    }
}

impl Service {
    /// The dependencies that are not satisfied now.
    pub(super) fn blockers(&self, product: &str, deps: &[String], mode: DepsMode) -> Result<Vec<Blocker>, StoreError> {
        let mut found = Vec::new();
        for dep in deps {
            let target = self.store.dep_resolve(product, dep)?;
            found.extend(blocker(dep, target.as_ref(), mode));
        }
        Ok(found)
    }

    /// Tells a job how its dependencies stand.
    pub(crate) async fn settle(&self, product: &str, id: &JobId) -> Result<Box<Job>, Failure> {
        let caller = Caller { product: product.to_owned(), actor: "coordinator".to_owned(), repeat: None };
        self.change_unobserved(&caller, id, |snapshot, now| {
            let job = &snapshot.job;
            if !job.stage.is_pending() {
                return Ok(lifecycle::Step { job: job.clone(), run: None, events: Vec::new() });
            }
            let blocked_by = self
                .blockers(product, &job.deps, job.deps_mode)
                .map_err(|error| super::failure::unavailable(&error))?;
            lifecycle::step(job, snapshot.run.as_ref(), &Input::Dependencies { blocked_by }, now)
        })
        .await
    }

    /// Tells everyone who depends on `job`. What fails here is made good by the next tick.
    pub(super) async fn settle_dependants(&self, job: &Job) {
        let dependants = match self.store.deps_dependants(&job.product, &job.id, job.idempotency_key.as_deref()) {
            Ok(dependants) => dependants,
            Err(error) => return tracing::warn!(job = %job.id, %error, "its dependants are not told yet"),
        };
        let settled = futures_util::future::join_all(dependants.iter().map(|id| self.settle(&job.product, id))).await;
        for (id, outcome) in dependants.iter().zip(settled) {
            if let Err(failure) = outcome {
                tracing::warn!(job = %job.id, dependant = %id, ?failure, "a dependant is not told yet");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(stage: Stage, mode: DepsMode) -> Option<BlockReason> {
        let target = Target { id: JobId::from_random(1), stage, idempotency_key: None };
        blocker("x", Some(&target), mode).map(|blocker| blocker.reason)
    }

    #[test]
    fn a_hard_dependency_wants_shipped_and_a_soft_one_testing() {
        for stage in Stage::ALL.iter().copied() {
            assert_eq!(reason(stage, DepsMode::Hard).is_none(), stage == Stage::Shipped, "hard, {stage}");
            let soft = matches!(stage, Stage::Shipped | Stage::Testing);
            assert_eq!(reason(stage, DepsMode::Soft).is_none(), soft, "soft, {stage}");
        }
    }

    #[test]
    fn a_dependency_that_ended_badly_is_told_from_one_on_its_way() {
        assert_eq!(reason(Stage::DeadLetter, DepsMode::Soft), Some(BlockReason::DependencyFailed));
        assert_eq!(reason(Stage::Building, DepsMode::Hard), Some(BlockReason::Pending));
        assert_eq!(blocker("x", None, DepsMode::Hard).map(|blocker| blocker.reason), Some(BlockReason::Unknown));
    }
}
