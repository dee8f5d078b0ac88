//! What a job builds on, for its agent to know.

use fleet_protocol::api::Claimed;

use super::input::Dependency;
use crate::client::Client;

/// The dependencies of a claimed job as they stand. One that cannot be found any more is left out.
pub(super) async fn of(client: &Client, claimed: &Claimed) -> Vec<Dependency> {
    let mut found = Vec::new();
    for name in &claimed.job.deps {
        if let Ok(job) = client.find(name).await {
            found.push(Dependency { title: job.title, outcome: job.stage.to_string(), branch: job.branch });
        }
    }
    found
}
