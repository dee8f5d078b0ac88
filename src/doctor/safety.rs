//! What protects the user from an agent, said as it is.

use super::{check::Check, subject::Subject};

pub(super) fn runtime(_: &Subject) -> Check {
    Check::ok(
        "runtime",
        "local, the only one there is yet: agents run on this machine, each in a private clone, and end with their run",
    )
}

pub(super) fn confinement(subject: &Subject) -> Check {
    const NAME: &str = "confinement";
    const UNCONFINED: &str = "unconfined: an agent can read and write whatever you can";
    if subject.yolo {
        return Check::warn(
            NAME,
            format!("{UNCONFINED}, and `defaults.yolo` gives each engine its approve-everything flag"),
            "leave `defaults.yolo` out, and write `yolo: true` into the tasks that you trust that far",
        );
    }
    let found = format!("{UNCONFINED}; engines get their approve-everything flag only where a task says `yolo: true`");
    Check::skip(NAME, found)
}
