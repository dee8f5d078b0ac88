//! `fleet selftest`: stories in temporary folders, told check by check.

use fleet_protocol::ExitCode;

use super::{
    embedded,
    fault::Fault,
    report::{Check, Report, Verdict},
};
use crate::{
    selftest::{Finding, Plan, SelftestError, Standing, play},
    shutdown::Shutdown,
};

/// Plays the stories with checks whose name contains `only` (all without) in temporary folders. A shutdown ends them early.
pub(crate) async fn selftest(only: Option<&str>, shutdown: &Shutdown, report: Report<'_>) -> Result<(), Fault> {
    let nonce = getrandom::u32().expect("the system gives randomness");
    let plan = Plan {
        exe: embedded::exe()?,
        only: only.map(str::to_owned),
        folder: std::env::temp_dir().join(format!("fleet-selftest-{nonce:08x}")),
    };
    play(plan, shutdown, &mut |finding| report(check(finding))).await.map_err(fault)
}

fn check(finding: Finding) -> Check {
    let name = finding.name;
    let (verdict, message, remedy) = match finding.standing {
        Standing::Held => (Verdict::Ok, String::new(), None),
        Standing::Skipped(why) => (Verdict::Skip, why, None),
        Standing::Broken { seen, diagnosis } => {
            let message = std::iter::once(seen).chain(diagnosis).collect::<Vec<_>>().join("\n");
            (
                Verdict::Fail,
                message,
                Some(format!("see it alone: fleet selftest --only '{}'", name.replace('\'', "'\\''"))),
            )
        }
    };
    Check { name, verdict, message, remedy }
}

fn fault(error: SelftestError) -> Fault {
    let (exit, help) = match &error {
        SelftestError::NoSuchCheck(_) => (ExitCode::Usage, Some("`fleet selftest` prints the names of all checks")),
        SelftestError::Folder { .. } => (ExitCode::Failed, Some("TMPDIR names a folder that can be written to")),
        SelftestError::Interrupted | SelftestError::BrokeOff => (ExitCode::Failed, None),
    };
    let causes = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Fault::new(exit, format!("{error}{causes}"), help)
}
