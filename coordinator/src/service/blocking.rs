//! Work that would keep a thread that serves everybody: long reads, files, locks.

use fleet_protocol::{ErrorCode, Problem};

use super::Failure;

/// Runs `work` where it keeps nobody waiting.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Problem::new(ErrorCode::Unavailable, format!("the work was broken off: {error}")).into()),
    }
}
