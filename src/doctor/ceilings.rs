//! What this machine lets us hold a run's processes together with, and which of its ceilings the kernel keeps.

use super::{check::Check, subject::Subject};
use crate::runtime::Offer;

pub(super) fn processes(subject: &Subject) -> Check {
    const NAME: &str = "process groups";
    let remedy = "start fleet as root, or where your service manager delegates a control group: \
                  `systemd-run --user --scope -p Delegate=yes fleet run`";
    match subject.offer {
        None => Check::skip(NAME, "`worker.cgroups` is off: a run's processes are found by parents and environment"),
        Some(Offer { version: Some(version), .. }) => Check::ok(
            NAME,
            format!("each run gets a control group (version {version}), which no process of it can leave"),
        ),
        Some(Offer { version: None, .. }) => Check::warn(
            NAME,
            "no control group can be made here: should a shim be killed, a process that had dropped its parents and its \
             environment is not found",
            remedy,
        ),
    }
}

pub(super) fn ceilings(subject: &Subject) -> Check {
    const NAME: &str = "ceilings";
    let offer = subject.offer.unwrap_or(Offer { version: None, memory: false, cpus: false });
    let memory = if offer.memory {
        "memory is kept below its ceiling by the kernel"
    } else {
        "memory is measured every few seconds, and a run over its ceiling is ended"
    };
    if offer.cpus {
        return Check::ok(NAME, format!("{memory}; processors can be rationed"));
    }
    let found = format!("{memory}; processors cannot be rationed here");
    match subject.cpus {
        None => Check::ok(NAME, found),
        Some(cpus) => Check::warn(
            NAME,
            format!("{found}, so `worker.cpus = {cpus}` has no effect"),
            "leave it out, or start fleet where it may use the `cpu` controller",
        ),
    }
}
