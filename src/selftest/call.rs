//! One call of a program in a world: to its end with a deadline, or in the background.
//!
//! What it prints goes to files, so that a daemon it leaves cannot hold the reader, and so that a call which is too late
//! can still be quoted.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{story::Stop, world::World};

/// How long a call may take. Generous: it is only reached when something is wrong.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at something that must come.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// A call to be made.
pub(super) struct Call<'w> {
    world: &'w World,
    command: Command,
    shown: String,
}

impl<'w> Call<'w> {
    pub(super) fn new(world: &'w World, mut command: Command, shown: String) -> Self {
        // Of its own group: a signal to one is not a signal to all.
        command.process_group(0);
        Self { world, command, shown }
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// In another folder than the repository.
    pub(super) fn at(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Makes it, and waits for its end.
    pub(super) fn run(self) -> Result<Output, Stop> {
        self.start()?.finish()
    }

    /// Makes it in the background.
    pub(super) fn start(mut self) -> Result<Running<'w>, Stop> {
        let out = self.world.next_output();
        let wrong = |error: std::io::Error| Stop::because(format!("cannot start `{}`: {error}", self.shown));
        let (stdout, stderr) = (out.with_extension("out"), out.with_extension("err"));
        self.command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).map_err(wrong)?)
            .stderr(File::create(&stderr).map_err(wrong)?);
        let child = self.command.spawn().map_err(wrong)?;
        Ok(Running { world: self.world, child, shown: self.shown, stdout, stderr, ended: false })
    }
}

/// A call in the background. Ended by force when it is dropped.
pub(super) struct Running<'w> {
    world: &'w World,
    child: Child,
    shown: String,
    stdout: PathBuf,
    stderr: PathBuf,
    ended: bool,
}

impl Running<'_> {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to it alone.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Stop> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id fits"));
        kill(pid, signal).map_err(|error| Stop::because(format!("cannot send {signal} to `{}`: {error}", self.shown)))
    }

    /// Waits for its end.
    pub(super) fn finish(mut self) -> Result<Output, Stop> {
        let begun = Instant::now();
        let status = loop {
            let looked = self.child.try_wait();
            match looked.map_err(|error| Stop::because(format!("cannot wait for `{}`: {error}", self.shown)))? {
                Some(status) => break status,
                None if self.world.is_interrupted() => return Err(Stop::Interrupted),
                None if begun.elapsed() > LIMIT => {
                    return Err(Stop::because(format!("`{}` has not ended after {LIMIT:?}", self.shown)));
                }
                None => thread::sleep(LOOK),
            }
        };
        self.ended = true;
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let output = Output {
            // A signal is no exit code: it must never be mistaken for success.
            code: status.code().unwrap_or(-1),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
            shown: self.shown.clone(),
        };
        self.world.remember(&output);
        Ok(output)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself in between; then there is nothing to do.
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.world.remember_unfinished(&self.shown, &self.stderr);
        }
    }
}

/// What a call left.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) shown: String,
}

impl Output {
    /// The same, if it succeeded.
    pub(super) fn done(self) -> Result<Self, Stop> {
        if self.code == 0 {
            return Ok(self);
        }
        Err(Stop::because(format!("`{}` ended with {}: {}", self.shown, self.code, self.stderr.trim())))
    }

    /// Its standard output as JSON.
    pub(super) fn json(&self) -> Result<Value, Stop> {
        serde_json::from_str(&self.stdout)
            .map_err(|error| Stop::because(format!("`{}` printed no JSON ({error}): {}", self.shown, self.stdout)))
    }

    /// Its only line.
    pub(super) fn line(&self) -> Result<String, Stop> {
        match self.stdout.lines().collect::<Vec<_>>()[..] {
            [line] => Ok(line.to_owned()),
            _ => Err(Stop::because(format!("`{}` printed not one line but {:?}", self.shown, self.stdout))),
        }
    }
}
