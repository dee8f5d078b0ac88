//! How workspaces stand to their limits, for whoever only looks.

use fleet_protocol::api::{Alert, EmptyReason};

use super::{embedded::place, fault::Fault, worker::limits};
use crate::{
    config::Config,
    workspace::{Measure, Standing, free_space},
};

/// What a person should know about the room for more work; nothing while there is enough. `runs` are at work.
pub(crate) fn room_alerts(config: &Config, runs: usize) -> Result<Vec<Alert>, Fault> {
    Ok(disk_alert(config)?.into_iter().chain(workspaces_alert(config, runs)?).collect())
}

/// The disk may be low while there is no state on it yet. One that does not tell is not low.
fn disk_alert(config: &Config) -> Result<Option<Alert>, Fault> {
    let low = free_space(&place(config)?.state).ok().and_then(|free| limits(config).low_disk(free));
    Ok(low.map(|low| Alert {
        code: EmptyReason::LowDisk.as_str().to_owned(),
        message: format!("no job starts, for {low}; `fleet clean` removes what finished jobs left"),
        jobs: Vec::new(),
    }))
}

fn workspaces_alert(config: &Config, runs: usize) -> Result<Option<Alert>, Fault> {
    let limits = limits(config);
    let usage = Measure::new(&place(config)?.state).noted()?;
    let told = limits.told(usage);
    let (code, message) = match limits.standing_beside(runs, usage) {
        Standing::Roomy => return Ok(None),
        Standing::Tight => ("workspaces_tight", format!("room for workspaces is short: {told}")),
        Standing::Full => (
            "workspaces_full",
            format!("no job starts, for there is no room for its workspace: {told}; `fleet clean --dry-run` says why"),
        ),
    };
    Ok(Some(Alert { code: code.to_owned(), message, jobs: Vec::new() }))
}
