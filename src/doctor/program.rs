//! Other programs: where they are, and what they answer within a time limit.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::{engine::Probe, worker::probe};

/// Marks whatever a program that is asked starts in turn.
const MARK: &str = "FLEET_DOCTOR_PROBE";
/// Nobody needs more of an answer, in bytes.
const LONGEST: u64 = 64 * 1024;
/// What forks while it is being ended is caught in the next round.
const ROUNDS: usize = 16;

/// Where the worker would find `program`, or where it would have looked.
pub(super) fn locate(program: &str, environment: &BTreeMap<String, String>) -> Result<PathBuf, Vec<PathBuf>> {
    let places = match probe(program, environment) {
        Probe::Missing(places) => return Err(places),
        Probe::Found if program.contains('/') => return Ok(PathBuf::from(program)),
        // The probe does not say which of the places it was.
        Probe::Found => environment.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str),
    };
    let places: Vec<PathBuf> = std::env::split_paths(places).map(|folder| folder.join(program)).collect();
    places.iter().find(|place| is_executable(place)).cloned().ok_or(places)
}

/// Whether the worker would take this file for a program.
pub(super) fn is_executable(path: &Path) -> bool {
    let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    probe(&path.to_string_lossy(), &BTreeMap::new()) == Probe::Found
}

/// A few of many, for a sentence.
pub(super) fn several(items: &[String], between: &str) -> String {
    const SHOWN: usize = 5;
    let shown = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(between);
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("it did not end within {} s and was ended", .0.as_secs_f64())]
    Slow(Duration),
    #[error("it ended with {status}{}", after_colon(.said))]
    Failed { status: ExitStatus, said: String },
    #[error("it said nothing")]
    Silent,
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The first line that the program prints. With nothing to read, in a process group of its own, and after `limit` ended
/// with all that it started.
pub(super) fn ask(
    program: &Path,
    arguments: &[String],
    environment: &BTreeMap<String, String>,
    limit: Duration,
) -> Result<String, NoAnswer> {
    let started = Instant::now();
    let mark = format!("{}-{:016x}", std::process::id(), getrandom::u64().expect("the system gives randomness"));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment).env(MARK, &mark).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(NoAnswer::Start)?;
    let group = Pid::from_child(&child);
    let (out, err) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let end = await_end(child);
    let left = || limit.saturating_sub(started.elapsed());
    // A child that the program left behind may keep its output open; that is as slow as the program itself.
    let ended = end
        .recv_timeout(left())
        .ok()
        .and_then(|status| Some((status, out.recv_timeout(left()).ok()?, err.recv_timeout(left()).ok()?)));
    let Some((status, out, err)) = ended else {
        end_tree(group, &mark);
        return Err(NoAnswer::Slow(limit));
    };
    let status = status.map_err(NoAnswer::Start)?;
    if !status.success() {
        return Err(NoAnswer::Failed { status, said: first_line(&err).unwrap_or_default() });
    }
    first_line(&out).or_else(|| first_line(&err)).ok_or(NoAnswer::Silent)
}

fn first_line(bytes: &[u8]) -> Option<String> {
    const LONGEST_LINE: usize = 120;
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LONGEST_LINE).collect())
}

/// Reads a pipe on a thread of its own, so that neither pipe can fill up while the other is read.
fn listen(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe
            && let Err(error) = pipe.take(LONGEST).read_to_end(&mut bytes)
        {
            tracing::debug!(%error, "a program's output ended early");
        }
        // The receiver is gone when the limit has passed.
        let _ = sender.send(bytes);
    });
    receiver
}

fn await_end(mut child: Child) -> Receiver<io::Result<ExitStatus>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // As above; the child is collected either way.
        let _ = sender.send(child.wait());
    });
    receiver
}

/// Ends the group, and what left it: a session of its own keeps the environment that it was started with.
fn end_tree(group: Pid, mark: &str) {
    if let Err(error) = kill_process_group(group, Signal::KILL) {
        tracing::debug!(%error, "the group of a slow program was gone already");
    }
    let wanted = format!("{MARK}={mark}");
    for _ in 0..ROUNDS {
        if end_marked(&wanted) == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills every process with this entry in its environment, and says how many there were.
fn end_marked(wanted: &str) -> usize {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    // The handle is opened before the look, so that a recycled pid is never hit.
    let marked = pids.filter_map(|pid| {
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let environ = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()?;
        environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()).then_some(handle)
    });
    marked.filter(|handle| pidfd_send_signal(handle, Signal::KILL).is_ok()).count()
}
