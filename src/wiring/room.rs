//! How workspaces stand to their limits, for whoever only looks.

use fleet_protocol::api::Alert;

use super::{embedded::place, fault::Fault, worker::limits};
use crate::{
    config::Config,
    workspace::{Measure, Standing},
};

/// What a person should know about the room for workspaces; none while there is enough. `runs` are at work.
pub(crate) fn room_alert(config: &Config, runs: usize) -> Result<Option<Alert>, Fault> {
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
