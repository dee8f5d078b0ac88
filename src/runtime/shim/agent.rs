//! Starts the agent and collects whatever ends below the shim.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::{AccessFlags, Pid, access},
};

use crate::{
    confinement::{KernelError, Policy, confine_this_thread},
    runtime::{Environment, Spec, StartFailure, StartFailureKind, Stdin, process::LAUNCH_VARIABLE, run_dir::RunDir},
};

/// Where a program is looked for when the agent's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The agent's process.
#[derive(Debug)]
pub(super) struct Agent {
    pid: Pid,
}

/// What one round of collecting ended processes found.
#[derive(Debug, Default)]
pub(super) struct Reaped {
    /// How the agent ended, if it was among them.
    pub(super) agent: Option<Ended>,
    /// The shim has no child left, dead or alive. As orphans come to it, it then has no descendant at all.
    pub(super) childless: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Code(i32),
    Signal(i32),
}

impl Agent {
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Collects all children that have ended, orphans too. Never waits.
    pub(super) fn reap(&self) -> io::Result<Reaped> {
        let mut reaped = Reaped::default();
        loop {
            let (pid, ended) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Ended::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Ended::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) => return Ok(reaped),
                // A stop or a trace event: not an end.
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(Reaped { childless: true, ..reaped }),
                Err(error) => return Err(error.into()),
            };
            if pid == self.pid {
                reaped.agent = Some(ended);
            }
        }
    }
}

/// Starts the agent in its own process group, with exactly the given environment and the launch token.
pub(super) fn start(dir: &RunDir, spec: &Spec, env: Environment) -> Result<Agent, StartFailure> {
    let program = spec.argv.first().ok_or_else(|| other("", "the spec names no program"))?;
    if !spec.cwd.is_dir() {
        let path = spec.cwd.display().to_string();
        let message = format!("the working directory {path} is not there");
        return Err(StartFailure { kind: StartFailureKind::WorkingDirectory, path, message });
    }
    let found = resolve(program, &spec.cwd, env.0.get("PATH").map_or(DEFAULT_PATH, String::as_str))?;
    let stdin = match &spec.stdin {
        Stdin::Null => Stdio::null(),
        Stdin::File(path) => File::open(path).map(Stdio::from).map_err(|error| {
            let path = path.display().to_string();
            let message = format!("the input {path} cannot be read: {error}");
            other(&path, &message)
        })?,
    };
    let output = |name: &str| dir.append(name).map(Stdio::from).map_err(|error| other(name, &error.to_string()));
    let mut command = Command::new(&found);
    command
        .arg0(program)
        .args(&spec.argv[1..])
        .env_clear()
        .envs(env.0)
        .env(LAUNCH_VARIABLE, spec.token.as_str())
        .current_dir(&spec.cwd)
        .process_group(0)
        .stdin(stdin)
        .stdout(output(&spec.stdout)?)
        .stderr(output(&spec.stderr)?);
    // Waited for together with all orphans, see `Agent::reap`.
    let child = match &spec.confinement {
        None => command.spawn(),
        Some(policy) => {
            spawn_confined(&mut command, &with_streams(policy, dir, spec)).map_err(|error| not_confined(&error))?
        }
    };
    let child = child.map_err(|error| refused(&found, &error, spec.confinement.as_ref()))?;
    let pid = i32::try_from(child.id()).expect("a pid fits in 31 bits");
    Ok(Agent { pid: Pid::from_raw(pid) })
}

/// A shell that writes to `/dev/stderr`, or reads `/dev/stdin`, opens the file behind it by its name.
fn with_streams(policy: &Policy, dir: &RunDir, spec: &Spec) -> Policy {
    let mut policy = policy.clone();
    policy.write.extend([&spec.stdout, &spec.stderr].map(|name| dir.file(name)));
    if let Stdin::File(path) = &spec.stdin {
        policy.read.push(dir.file(path));
    }
    policy
}

/// Starts it from a thread that has confined itself: what it starts is born confined, and the shim, which has to write the
/// record and to end the tree, stays free.
fn spawn_confined(command: &mut Command, policy: &Policy) -> Result<io::Result<Child>, KernelError> {
    thread::scope(|scope| {
        let confined = scope.spawn(|| confine_this_thread(policy).map(|()| command.spawn()));
        confined.join().unwrap_or(Err(KernelError::Broke))
    })
}

/// Finds the program as the agent's own shell would, so that a failure can say where it was looked for.
fn resolve(program: &str, cwd: &Path, path: &str) -> Result<PathBuf, StartFailure> {
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![cwd.join(program)]
    } else {
        path.split(':').map(|folder| cwd.join(folder).join(program)).collect()
    };
    let executable = |path: &&PathBuf| path.is_file() && access(path.as_path(), AccessFlags::X_OK).is_ok();
    if let Some(found) = candidates.iter().find(executable) {
        return Ok(found.clone());
    }
    if let Some(closed) = candidates.iter().find(|path| path.is_file()) {
        let path = closed.display().to_string();
        let message = format!("{path} is not executable");
        return Err(StartFailure { kind: StartFailureKind::Permission, path, message });
    }
    let message = if program.contains('/') {
        format!("there is no program {program}")
    } else {
        format!("there is no program {program} in {path}")
    };
    let path = if program.contains('/') { candidates[0].display().to_string() } else { program.to_owned() };
    Err(StartFailure { kind: StartFailureKind::NotFound, path, message })
}

fn refused(program: &Path, error: &io::Error, policy: Option<&Policy>) -> StartFailure {
    let path = program.display().to_string();
    let within = |program: &Path| {
        let open = policy.into_iter().flat_map(|policy| policy.read.iter().chain(&policy.write));
        policy.is_none() || open.into_iter().any(|open| program.starts_with(open))
    };
    let (kind, message) = match error.kind() {
        // The program was there a moment ago, so it is what its first line asks for that is missing.
        io::ErrorKind::NotFound => (StartFailureKind::NotFound, format!("the interpreter of {path} is not there")),
        io::ErrorKind::PermissionDenied if !program.canonicalize().is_ok_and(|program| within(&program)) => {
            let message = format!("{path} lies outside of what a confined run may reach");
            (StartFailureKind::Permission, message)
        }
        io::ErrorKind::PermissionDenied => (StartFailureKind::Permission, format!("{path} may not be executed")),
        _ => (StartFailureKind::Other, format!("{path} cannot be started: {error}")),
    };
    StartFailure { kind, path, message }
}

/// Better not started than started free.
fn not_confined(error: &KernelError) -> StartFailure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    other("", &format!("{error}{cause}"))
}

fn other(path: &str, message: &str) -> StartFailure {
    StartFailure { kind: StartFailureKind::Other, path: path.to_owned(), message: message.to_owned() }
}
