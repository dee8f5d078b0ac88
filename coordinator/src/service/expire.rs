//! Letting go of the output of jobs that finished long ago.

use std::sync::Arc;

use fleet_protocol::{Job, JobId};
use jiff::Timestamp;

use super::{Failure, Service, blocking::blocking, caller::Caller};
use crate::store::{Expired, Expiry, StoreError};

impl Service {
    /// Deletes the output of all runs of a job that is over, then notes it. A process that dies in between leaves a job
    /// that is found again. A run that begins meanwhile has a higher number, and keeps its output.
    pub(crate) async fn let_go_of_logs(self: &Arc<Self>, job: &Job, now: Timestamp) -> Result<(), Failure> {
        let (logs, id, runs) = (self.logs.clone(), job.id.clone(), job.runs);
        blocking(move || logs.delete(&id, runs).map_err(Failure::from)).await?;
        let expiry = Expiry { runs, at: now };
        Ok(self.store.logs_expire(Expired { product: job.product.clone(), id: job.id.clone(), expiry }).await?)
    }

    /// When the output of a run was let go, if it was.
    pub(super) fn expired_at(&self, caller: &Caller, id: &JobId, run: u32) -> Result<Option<Timestamp>, StoreError> {
        let expiry = self.store.logs_expiry(&caller.product, id)?;
        Ok(expiry.filter(|expiry| run <= expiry.runs).map(|expiry| expiry.at))
    }
}
