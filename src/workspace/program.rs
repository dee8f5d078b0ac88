//! The one place that starts the program `git`, where libgit2 falls short: fast checkouts, and moving a user's checkout.
//!
//! Arguments are fixed, the environment is built from nothing, no hook, watcher, pager, credential helper or prompt can
//! come in, and every call has a limit. It is never pointed at a repository that an agent has had its hands on.

use std::{
    ffi::OsStr,
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::error::WorkspaceError;

/// Whose settings a call reads besides those of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    /// Nobody's: the result depends on the arguments alone.
    None,
    /// The user's own, for their own checkout: filters and line endings have to be theirs.
    Users,
}

/// What no caller may want otherwise.
const FIXED: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "credential.helper=",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "advice.detachedHead=false",
];
/// Of the user's environment, what their settings depend on.
const USERS: &[&str] =
    &["HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "USER", "LOGNAME"];

/// One call of the program.
pub(crate) struct Git {
    command: Command,
    what: String,
    settings: usize,
    limit: Duration,
}

impl Git {
    /// A call of `git verb` in the folder `at`.
    pub(crate) fn new(at: &Path, settings: Settings, verb: &str) -> Self {
        let mut command = Command::new("git");
        command.env_clear().current_dir(at).stdin(Stdio::null());
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        for setting in FIXED {
            command.args(["-c", setting]);
        }
        match settings {
            Settings::None => {
                command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
                command.env("GIT_ATTR_NOSYSTEM", "1");
                // Who owns the repository was judged by the user's settings when it was opened.
                command.args(["-c", "safe.directory=*"]);
            }
            Settings::Users => {
                command.envs(USERS.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
            }
        }
        command.arg(verb);
        Self { command, what: verb.to_owned(), settings: 0, limit: Duration::from_secs(600) }
    }

    /// Sets one setting for this call.
    pub(crate) fn setting(mut self, key: &str, value: &str) -> Self {
        let nth = self.settings;
        self.settings += 1;
        self.command.env("GIT_CONFIG_COUNT", self.settings.to_string());
        self.command.env(format!("GIT_CONFIG_KEY_{nth}"), key).env(format!("GIT_CONFIG_VALUE_{nth}"), value);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Runs it and returns what it wrote to stdout.
    ///
    /// # Errors
    /// When it cannot be started, takes too long (its whole process group is ended), or exits with anything but 0.
    pub(crate) fn run(mut self) -> Result<Vec<u8>, WorkspaceError> {
        let started = Instant::now();
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = self.command.spawn().map_err(|source| WorkspaceError::NoGit { source })?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let left = || self.limit.saturating_sub(started.elapsed());
        let (Ok(out), Ok(said)) = (stdout.recv_timeout(left()), stderr.recv_timeout(left())) else {
            end(&mut child);
            return Err(WorkspaceError::TooSlow { what: self.what, limit: self.limit });
        };
        let status = child.wait().map_err(|source| WorkspaceError::NoGit { source })?;
        if status.success() {
            return Ok(out);
        }
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let said = if said.is_empty() { status.to_string() } else { said };
        Err(WorkspaceError::Program { what: self.what, said })
    }
}

/// Reads a pipe to its end on a thread of its own, so that neither pipe can fill up while the other is read.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe
            && let Err(error) = pipe.read_to_end(&mut bytes)
        {
            tracing::debug!(%error, "the output of git ended early");
        }
        // The receiver is gone when the limit has passed.
        let _ = sender.send(bytes);
    });
    receiver
}

fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    if let Ok(group) = group
        && let Err(error) = killpg(group, Signal::SIGKILL)
    {
        tracing::debug!(%error, "the process group of git was gone already");
    }
    if let Err(error) = child.wait() {
        tracing::debug!(%error, "git was not there to wait for");
    }
}
