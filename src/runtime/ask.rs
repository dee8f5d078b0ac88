//! Small programs that are asked something and have to answer within a limit: versions, the values of secrets.
//!
//! Nothing of them outlives the answer that did not come: their group is ended, and whatever left it.

use std::{
    fs,
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

/// Marks whatever a program that is asked starts in turn.
const MARK: &str = "FLEET_ASKED";
/// Nobody needs more of an answer, in bytes.
const LONGEST: u64 = 64 * 1024;
/// What forks while it is being ended is caught in the next round.
const ROUNDS: usize = 16;

/// How a program ended, and what it printed; at most 64 KiB of each.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("it did not end within {} s and was ended", .0.as_secs_f64())]
    Slow(Duration),
}

/// Runs a program to its end. With nothing to read, in a process group of its own, and after `limit` ended with all that
/// it started.
pub(crate) fn ask(mut command: Command, limit: Duration) -> Result<Answer, NoAnswer> {
    let started = Instant::now();
    let mark = format!("{}-{:016x}", std::process::id(), getrandom::u64().expect("the system gives randomness"));
    command.env(MARK, &mark).process_group(0);
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
    let Some((status, stdout, stderr)) = ended else {
        end_tree(group, &mark);
        return Err(NoAnswer::Slow(limit));
    };
    Ok(Answer { status: status.map_err(NoAnswer::Start)?, stdout, stderr })
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
