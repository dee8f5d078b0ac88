//! A throw-away repository with a fleet, for measuring the built program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::lab::Lab;

/// A home, a repository and the program.
pub(crate) struct World {
    home: PathBuf,
    repo: PathBuf,
}

impl World {
    /// With so many files in folders of a hundred, and this `fleet.toml`.
    pub(crate) fn new(lab: &Lab, name: &str, files: usize, settings: &str) -> Self {
        let folder = lab.folder(name);
        let world = Self { home: folder.join("home"), repo: folder.join("repo") };
        for path in [&world.home, &world.repo] {
            fs::create_dir_all(path).expect("a folder can be made");
        }
        for number in 0..files {
            let path = world.repo.join(format!("part-{:03}/file-{number:05}.txt", number / 100));
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
            fs::write(path, format!("{number}: some words that stand in a file\n").repeat(20))
                .expect("a file can be written");
        }
        fs::write(world.repo.join("README.md"), "# Measured\n").expect("a file can be written");
        world.git(&["init", "-q", "-b", "main"]);
        // Nothing is to tidy up behind our back.
        world.git(&["config", "gc.auto", "0"]);
        world.git(&["config", "maintenance.auto", "false"]);
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "first"]);
        // Objects in one pack, as in a repository that was cloned.
        world.git(&["gc", "-q"]);
        fs::write(world.repo.join("fleet.toml"), settings).expect("a file can be written");
        world
    }

    pub(crate) fn repo(&self) -> &Path {
        &self.repo
    }

    /// A path outside of the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Any program, in the repository, with an environment of its own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.repo)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("a PATH"))
            .env("HOME", &self.home)
            .env("USER", "ann")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ann")
            .env("GIT_AUTHOR_EMAIL", "ann@example.org")
            .env("GIT_COMMITTER_NAME", "Ann")
            .env("GIT_COMMITTER_EMAIL", "ann@example.org")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn git(&self, args: &[&str]) {
        done(self.command("git").args(args));
    }

    /// The program that is measured.
    pub(crate) fn fleet(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_fleet"));
        command.args(args);
        command
    }

    /// Submits a task that names no engine; its id.
    pub(crate) fn submit(&self, text: &str) -> String {
        let path = self.beside("task.md");
        fs::write(&path, text).expect("a task can be written");
        let output = done(&mut self.fleet(&["submit", path.to_str().expect("a UTF-8 path")]));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a command prints with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = done(self.fleet(args).arg("--json"));
        serde_json::from_slice(&output.stdout).expect("the answer is JSON")
    }

    /// Where the coordinator keeps the output of a job's first run.
    pub(crate) fn log(&self, job: &str) -> PathBuf {
        self.repo.join(".fleet/logs").join(job).join("1.stdout")
    }
}

/// Runs a command that must succeed.
pub(crate) fn done(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Seconds that `work` takes.
pub(crate) fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Waits for a level.
pub(crate) fn until(what: &str, mut level: impl FnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let start = Instant::now();
    while !level() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
