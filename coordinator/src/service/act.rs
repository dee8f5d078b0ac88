//! What a person does to a job.

use fleet_protocol::{Action, Job, JobId, api::ActionRequest, secret::Mask};

use super::{Failure, Service, caller::Caller, change::Origin, report::check_rev};
use crate::lifecycle::{self, Input};

impl Service {
    /// An operator's act. With `expectRev`, only on the job that the operator has seen.
    pub(crate) async fn act(
        &self,
        caller: &Caller,
        id: &JobId,
        action: Action,
        request: ActionRequest,
    ) -> Result<Box<Job>, Failure> {
        let ActionRequest { reason, expect_rev, commit } = request.masked(&Mask::default());
        let input = Input::Act { action, actor: caller.actor.clone(), reason, commit };
        self.change(caller, id, Origin::PERSON, |snapshot, now| {
            let job = &snapshot.job;
            check_rev(expect_rev, job)?;
            lifecycle::step(job, snapshot.run.as_ref(), &input, now)
        })
        .await
    }
}
