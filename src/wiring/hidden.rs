//! The verbs that no person types: what this program starts of itself.

use std::{ffi::OsString, path::Path, process::ExitCode};

/// `fleet shim RUN_DIR`: the agent's parent. `arguments` are those after the verb.
pub(crate) fn shim(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [run_dir] => crate::runtime::shim::main(Path::new(run_dir)),
        _ => ExitCode::from(fleet_protocol::ExitCode::Usage.code()),
    }
}

/// `fleet scripted …`: the engine that does what a script in the task says.
pub(crate) fn scripted(arguments: &[OsString]) -> ExitCode {
    u8::try_from(crate::scripted::main(arguments.iter().cloned())).map_or(ExitCode::FAILURE, ExitCode::from)
}
