//! How the keeper has an operator's act done.

use fleet_protocol::{Action, Job, JobId, Problem, api::ActionRequest};
use futures_util::future::BoxFuture;

use crate::client::Client;

/// Does an operator's act. Shipping is more than a call: the branch is merged first, so whoever wires the keeper gives
/// it the same door that `fleet ship` uses.
///
/// Called while the folder is locked: an implementation must not redraw the folder itself.
pub(crate) trait Acts: Send + Sync {
    fn act<'a>(
        &'a self,
        job: &'a JobId,
        action: Action,
        request: &'a ActionRequest,
    ) -> BoxFuture<'a, Result<Job, Problem>>;
}

/// The bare call: for keepers whose jobs need no merge.
impl Acts for Client {
    fn act<'a>(
        &'a self,
        job: &'a JobId,
        action: Action,
        request: &'a ActionRequest,
    ) -> BoxFuture<'a, Result<Job, Problem>> {
        Box::pin(Self::act(self, job, action, request))
    }
}
