//! What every log line about a run says of it.

use fleet_protocol::api::Claimed;
use tracing::Span;

/// The span of a run. Of the gravest level, so that no filter takes it from the lines within.
pub(super) fn span_of(claimed: &Claimed, factory: &str) -> Span {
    let Claimed { job, run, lease, .. } = claimed;
    tracing::error_span!("run", job = %job.id, run = run.number, factory, epoch = lease.epoch)
}
