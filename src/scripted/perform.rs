//! Does the steps of a script, in a folder.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::script::{Prompt, Step};

/// Where a script is played.
pub(super) struct Stage<'a> {
    pub(super) folder: PathBuf,
    pub(super) output: &'a mut dyn Write,
    pub(super) errors: &'a mut dyn Write,
}

/// Why a script ended before its last step.
enum End {
    /// It says so.
    Exit(i32),
    Failed(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("printing: {error}"))
    }
}

impl Stage<'_> {
    /// Plays the prompt's script for this run; answers the exit code.
    pub(super) fn play(mut self, prompt: &str, run: u32) -> i32 {
        let read = Prompt::read(prompt).and_then(|prompt| Ok((prompt.script(run)?, prompt.words)));
        let (script, words) = match read {
            Ok((Some(script), words)) => (script, words),
            Ok((None, _)) => {
                let told = format!("The task has no script for run {run}: nothing to do.");
                return if self.print(&told).is_ok() { 0 } else { 1 };
            }
            Err(mistake) => return self.complain(&mistake.to_string(), 2),
        };
        for (line, step) in script.steps {
            match self.step(step, &words) {
                Ok(()) => {}
                Err(End::Exit(code)) => return code,
                Err(End::Failed(why)) => return self.complain(&format!("line {line} of the prompt: {why}"), 1),
            }
        }
        0
    }

    fn step(&mut self, step: Step, words: &str) -> Result<(), End> {
        match step {
            Step::Say(text) => Ok(self.print(&text)?),
            Step::Complain(text) => Ok(writeln!(self.errors, "{text}")?),
            Step::Write { path, text } => {
                self.print(&format!("Write {path}"))?;
                self.put(&path, &text, fs::OpenOptions::new().write(true).truncate(true))
            }
            Step::Append { path, text } => {
                self.print(&format!("Append {path}"))?;
                self.put(&path, &text, fs::OpenOptions::new().append(true))
            }
            Step::Run(line) => {
                self.print(&format!("$ {line}"))?;
                self.succeed(Command::new("sh").args(["-c", &line]), &line)
            }
            Step::Spawn(line) => self.spawn(&line),
            Step::Commit(message) => self.commit(&message),
            Step::Sleep(span) => {
                thread::sleep(span);
                Ok(())
            }
            Step::Expect(text) if words.contains(&text) => Ok(self.print(&format!("The prompt says: {text}"))?),
            Step::Expect(text) => Err(End::Failed(format!("the prompt does not say `{text}`"))),
            Step::Exit(code) => Err(End::Exit(code)),
            Step::Hang => loop {
                thread::sleep(Duration::from_secs(3_600));
            },
        }
    }

    fn put(&self, path: &str, text: &str, how: &mut fs::OpenOptions) -> Result<(), End> {
        let path = self.folder.join(path);
        let failed = |error: io::Error| End::Failed(format!("writing {}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = how.create(true).open(&path).map_err(failed)?;
        file.write_all(format!("{text}\n").as_bytes()).map_err(failed)
    }

    /// Runs a program to its end. What it prints goes where this process prints.
    fn succeed(&self, command: &mut Command, shown: &str) -> Result<(), End> {
        let status = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .status()
            .map_err(|error| End::Failed(format!("starting `{shown}`: {error}")))?;
        if status.success() { Ok(()) } else { Err(End::Failed(format!("`{shown}` ended with {status}"))) }
    }

    /// The shell in between ends at once and leaves its child behind; `setsid`, where there is one, also takes it out of
    /// this session, as real agents do with their tools.
    fn spawn(&mut self, line: &str) -> Result<(), End> {
        const DETACH: &str = r#"if command -v setsid >/dev/null; then setsid sh -c "$1" & else sh -c "$1" & fi"#;
        self.print(&format!("spawn {line}"))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", DETACH, "sh", line]).stdout(Stdio::null()).stderr(Stdio::null());
        self.succeed(&mut shell, line)
    }

    /// As whoever the environment names, else as `fleet`.
    fn commit(&mut self, message: &str) -> Result<(), End> {
        self.print(&format!("commit {message}"))?;
        self.succeed(Command::new("git").args(["add", "--all"]), "git add --all")?;
        let mut commit = Command::new("git");
        commit.args(["-c", "user.name=fleet", "-c", "user.email=fleet@localhost", "-c", "commit.gpgsign=false"]);
        self.succeed(commit.args(["commit", "--quiet", "--message", message]), "git commit")
    }

    /// A line that is seen at once, also when the output is a file.
    fn print(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.output, "{text}")?;
        self.output.flush()
    }

    /// Says what went wrong. A script that cannot even say so still has failed.
    fn complain(&mut self, why: &str, code: i32) -> i32 {
        writeln!(self.errors, "scripted: {why}").map_or(code.max(1), |()| code)
    }
}
