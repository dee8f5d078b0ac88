//! What a person does to a job.

use fleet_protocol::{Action, ErrorCode, Job, JobId, Problem, api::ActionRequest, secret::Mask};
use serde_json::json;

use super::{Failure, Service, caller::Caller, change::Origin};
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
            if expect_rev.is_some_and(|rev| rev != job.rev) {
                let message = format!("the job changed meanwhile: it is {} now, at rev {}", job.stage, job.rev);
                return Err(Problem::new(ErrorCode::Conflict, message)
                    .with(json!({ "rev": job.rev, "stage": job.stage, "actions": job.actions })));
            }
            lifecycle::step(job, snapshot.run.as_ref(), &input, now)
        })
        .await
    }
}
