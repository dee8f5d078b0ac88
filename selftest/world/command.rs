//! Running `fleet` and others, and waiting for a level with a deadline.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::diagnosis;

/// What a finished command left.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Runs it to its end, with nothing on its standard input.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::with_input(command, "")
    }

    /// Runs it to its end with `input` on its standard input.
    pub(crate) fn with_input(command: &mut Command, input: &str) -> Self {
        use std::io::Write;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        let input = input.to_owned();
        // A command that does not read its input closes the pipe; that is its right.
        let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = Self::finish(child);
        writer.join().expect("the input's writer ends");
        output
    }

    /// Waits for a started command.
    pub(crate) fn finish(child: Child) -> Self {
        let output = child.wait_with_output().expect("the command ends");
        Self {
            // A signal's number as shells show it, so that a crash is never mistaken for success.
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same output, or a failed test when the code is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}):\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }

    /// Its only line.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let mut lines = self.stdout.lines();
        let line = lines.next().unwrap_or_else(|| panic!("no line on stdout; stderr:\n{}", self.stderr)).to_owned();
        assert_eq!(lines.next(), None, "one line only:\n{}", self.stdout);
        line
    }
}

/// How long a test waits for something that must come. Generous: it is only reached when the test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// Asks until there is an answer; fails the test with `what`, and with how the worlds' runs stand, when none comes.
#[track_caller]
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, ask)
}

/// The same with a deadline of its own.
#[track_caller]
pub(crate) fn until_within<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        if start.elapsed() >= deadline {
            panic!("waited {deadline:?} for: {what}\n{}", diagnosis::of_worlds());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
