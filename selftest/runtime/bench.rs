//! A run's folder, the shim on it, and a look at the process table.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here takes longer unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const KEY: &str = "the-key";
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A run that has not been started.
pub(crate) struct Bench {
    home: TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) spec: Value,
    /// Marks the processes of this run, and of no other.
    pub(crate) token: String,
}

/// A run with its shim; whatever is left of it ends with this value.
pub(crate) struct Shim {
    _home: TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) token: String,
    pub(crate) process: Child,
}

impl Bench {
    pub(crate) fn new(argv: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let dir = home.path().to_owned();
        let token = format!("token-{}", dir.file_name().expect("a name").display());
        let spec = json!({
            "label": "bench", "argv": argv, "env": {"PATH": PATH}, "cwd": "/", "stdin": "null",
            "stdout": "stdout.log", "stderr": "stderr.log",
            "limits": {"timeout_ms": null, "wall_ms": null, "owner_silence_ms": null, "grace_ms": 5_000},
            "token": token, "key": KEY,
        });
        Self { home, dir, spec, token }
    }

    /// An agent that is a shell script. `MARK` in it stands for the run's token, so that processes can be recognised which
    /// have dropped their environment.
    pub(crate) fn script(script: &str) -> Self {
        let mut bench = Self::new(&["sh", "-c"]);
        let script = script.replace("MARK", &bench.token);
        bench.spec["argv"].as_array_mut().expect("a list").push(script.into());
        bench
    }

    pub(crate) fn limit(mut self, name: &str, millis: u64) -> Self {
        self.spec["limits"][name] = millis.into();
        self
    }

    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    pub(crate) fn write_spec(&self) {
        fs::write(self.dir.join("spec.json"), self.spec.to_string()).expect("the spec is written");
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        command.arg("shim").arg(&self.dir).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    pub(crate) fn start(self) -> Shim {
        self.write_spec();
        let process = self.command().spawn().expect("the shim starts");
        self.started(process)
    }

    /// For a shim that was started in another way.
    pub(crate) fn started(self, process: Child) -> Shim {
        Shim { _home: self.home, dir: self.dir, token: self.token, process }
    }

    /// Runs it to its end.
    pub(crate) fn record(self) -> Value {
        self.start().record()
    }
}

impl Shim {
    /// Waits for the exit record, and sees that by then nothing of the run is left.
    pub(crate) fn record(&mut self) -> Value {
        until("the run is over", || self.dir.join("exit.json").exists());
        assert_eq!(marked(&self.token), [] as [i32; 0], "processes outlive their run");
        until("the shim ends", || self.process.try_wait().expect("it can be waited for").is_some());
        self.json("exit.json").expect("the record")
    }

    pub(crate) fn json(&self, name: &str) -> Option<Value> {
        let text = fs::read(self.dir.join(name)).ok()?;
        Some(serde_json::from_slice(&text).expect("files are whole"))
    }

    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.dir.join("stdout.log")).unwrap_or_default()
    }

    /// Waits until the agent's script has printed this.
    pub(crate) fn prints(&self, text: &str) {
        until(text, || self.output().contains(text));
    }

    /// The shim's pid as it wrote it down.
    pub(crate) fn pid(&self) -> i32 {
        until("the shim is up", || self.dir.join("shim.json").exists());
        let pid = self.json("shim.json").expect("the identity")["pid"].as_i64().expect("a number");
        i32::try_from(pid).expect("a pid")
    }

    pub(crate) fn tell(&self, order: Value) -> Value {
        tell(&self.dir, KEY, order)
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        // Only does something when a test failed.
        drop(self.process.kill());
        drop(self.process.wait());
        let shim = self.json("shim.json").and_then(|shim| shim["pid"].as_i64()).and_then(|pid| i32::try_from(pid).ok());
        if !self.dir.join("exit.json").exists() {
            shim.into_iter().for_each(kill);
        }
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = marked(&self.token);
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            left.into_iter().for_each(kill);
        }
    }
}

fn kill(pid: i32) {
    signal(pid, nix::sys::signal::Signal::SIGKILL);
}

pub(crate) fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    // It may be gone by now.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap_or_default();
}

/// One order, one answer.
pub(crate) fn tell(dir: &Path, key: &str, mut order: Value) -> Value {
    order["key"] = key.into();
    until("the shim is up", || dir.join("shim.json").exists());
    let folder = File::open(dir).expect("the run's folder");
    let mut stream =
        UnixStream::connect(format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd())).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    writeln!(stream, "{order}").expect("the order is sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    serde_json::from_str(&line).expect("an answer in JSON")
}

/// Waits for a level.
pub(crate) fn until(what: &str, mut level: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !level() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(3));
    }
}

/// The living processes that carry a token in their environment or their arguments.
pub(crate) fn marked(token: &str) -> Vec<i32> {
    let holds = |path: String| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(token.len()).any(|window| window == token.as_bytes()))
    };
    processes()
        .into_iter()
        .filter(|pid| holds(format!("/proc/{pid}/environ")) || holds(format!("/proc/{pid}/cmdline")))
        .filter(|pid| !matches!(state(*pid), None | Some('Z' | 'X')))
        .collect()
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("a process table");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The letter that `/proc` gives a process's state.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
