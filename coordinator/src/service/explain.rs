//! Why a job does or does not start: the scheduler's own words about what each factory offered last.

use fleet_protocol::{
    JobId,
    api::{ClaimRequest, Explanation},
};

use super::{Failure, Service, caller::Caller};
use crate::{scheduler, store::StoreError};

impl Service {
    pub(crate) fn explain(&self, caller: &Caller, id: &JobId) -> Result<Explanation, Failure> {
        let job = self.load(&caller.product, id)?.job;
        Ok(scheduler::explain(&job, &self.factories(&caller.product)?, self.now()))
    }

    /// What each factory that ever asked for work would ask for now.
    pub(super) fn factories(&self, product: &str) -> Result<Vec<ClaimRequest>, StoreError> {
        let locks = self.store.locks_list(product)?;
        let mut factories = self.store.offers_list(product)?;
        for factory in &mut factories {
            let taken = self.store.seats_taken(product, &factory.factory_id)?;
            factory.seats_free = factory.seats.saturating_sub(taken);
            factory.busy_locks.clone_from(&locks);
        }
        Ok(factories)
    }
}
