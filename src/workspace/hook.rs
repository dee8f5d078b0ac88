//! The one hook of a private clone: it names the job in the commits that the agent makes.
//!
//! It is the agent's to break, and then its commits carry no trailer; nothing else depends on it. A failing hook never
//! keeps a commit from being made.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use fleet_protocol::JobId;

use super::error::{During, WorkspaceError};

/// Puts the hook into the git directory `at`, which has none.
///
/// `prepare-commit-msg`, for it runs with `--no-verify` too; engines like to commit with that.
pub(super) fn name_the_job(at: &Path, job: &JobId) -> Result<(), WorkspaceError> {
    let hooks = at.join("hooks");
    fs::create_dir_all(&hooks).during("create", &hooks)?;
    let path = hooks.join("prepare-commit-msg");
    let mut file = fs::OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o755).open(&path).during("create", &path)?;
    file.write_all(script(job).as_bytes()).during("write", &path)
}

fn script(job: &JobId) -> String {
    format!(
        "#!/bin/sh\n\
         # Written by fleet: a commit says which job it belongs to.\n\
         # Older gits put the trailer right below a line that has no end.\n\
         [ -z \"$(tail -c 1 \"$1\")\" ] || echo >> \"$1\"\n\
         git interpret-trailers --in-place --if-exists doNothing --trailer 'Fleet-Job: {job}' \"$1\" || :\n"
    )
}
