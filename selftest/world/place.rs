//! A world: one temporary folder with a home, a repository and the binary under test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{
    command::{Output, until},
    diagnosis,
    leftovers::processes_of,
};

/// A throw-away world.
pub(crate) struct World {
    folder: tempfile::TempDir,
    repo: PathBuf,
}

impl World {
    /// A home and an empty folder; no repository yet.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::Builder::new().prefix("fleet-world-").tempdir().expect("a temporary folder");
        let repo = folder.path().join("repo");
        for inner in ["home", "shared"] {
            fs::create_dir_all(folder.path().join(inner)).expect("a folder");
        }
        fs::create_dir_all(&repo).expect("a folder");
        diagnosis::begin(folder.path());
        Self { folder, repo }
    }

    /// A repository on `main` with one commit: a README and `check.sh`, which passes when `done.txt` says `yes`.
    pub(crate) fn new() -> Self {
        let world = Self::bare();
        world.git(&["init", "-q", "-b", "main"]);
        world.write("README.md", "# A small project\n");
        world.write("check.sh", "#!/bin/sh\ngrep -qx yes done.txt || { echo 'done.txt does not say yes'; exit 1; }\n");
        world.make_executable("check.sh");
        world.commit("first");
        world
    }

    /// The world's repository.
    pub(crate) fn repo(&self) -> &Path {
        &self.repo
    }

    /// The folder that holds everything of this world.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The only folder outside of its workspace that an agent may write to.
    pub(crate) fn shared(&self) -> PathBuf {
        self.folder.path().join("shared")
    }

    /// Writes a file of the repository, with its folders.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.repo.join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(&path, text).expect("the file can be written");
        path
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.repo.join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.repo.join(path).exists()
    }

    pub(crate) fn make_executable(&self, path: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.repo.join(path), fs::Permissions::from_mode(0o755)).expect("permissions can be set");
    }

    /// Commits everything but `fleet`'s own folders.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A", "--", ".", ":!tasks", ":!fleet.toml"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// Runs git in the repository; its output without the last line end.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Output::of(self.command("git").args(args)).exits(0);
        output.stdout.trim_end_matches('\n').to_owned()
    }

    /// Any program, in the repository, with this world's environment and nothing else.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        prepared(&mut command, self.folder.path());
        command
    }

    /// The binary under test.
    pub(crate) fn fleet(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_fleet"))
    }

    /// Runs `fleet` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Output::of(self.fleet().args(args))
    }

    /// Submits a task file's text under this name; its id.
    #[track_caller]
    pub(crate) fn submit(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("the task can be written");
        self.run(&["submit", path.to_str().expect("a UTF-8 path")]).exits(0).line()
    }

    /// Submits a task for the scripted engine: extra front matter lines, and the script.
    #[track_caller]
    pub(crate) fn submit_script(&self, name: &str, front: &str, script: &str) -> String {
        let text = format!("---\nengine: scripted\n{front}---\n# {name}\n\n```script\n{script}\n```\n");
        self.submit(&format!("{name}.md"), &text)
    }

    /// The job as JSON.
    #[track_caller]
    pub(crate) fn job(&self, id: &str) -> Value {
        self.run(&["show", id, "--json"]).exits(0).json()
    }

    #[track_caller]
    pub(crate) fn stage(&self, id: &str) -> String {
        self.job(id)["stage"].as_str().expect("a job has a stage").to_owned()
    }

    /// Waits until the job is in this stage.
    #[track_caller]
    pub(crate) fn until_stage(&self, id: &str, stage: &str) -> Value {
        until(&format!("{id} in {stage}"), || {
            let job = self.job(id);
            (job["stage"] == stage).then_some(job)
        })
    }

    /// Drains the queue until the job, which may wait for a retry in between, is in this stage.
    #[track_caller]
    pub(crate) fn until_stage_after_runs(&self, id: &str, stage: &str) -> Value {
        until(&format!("{id} in {stage}"), || {
            self.run_once();
            let job = self.job(id);
            (job["stage"] == stage).then_some(job)
        })
    }

    /// Drains the queue once.
    #[track_caller]
    pub(crate) fn run_once(&self) -> Output {
        self.run(&["run", "--once"]).exits(0)
    }
}

/// Puts a command into the world that lies in this folder: its repository, and its environment and nothing else.
pub(super) fn prepared<'c>(command: &'c mut Command, world: &Path) -> &'c mut Command {
    let home = world.join("home");
    command
        .current_dir(world.join("repo"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", home.join(".config"))
        .env("USER", "ann")
        .env("FLEET_CONFINEMENT_WRITE", world.join("shared"))
        .env("LC_ALL", "C.UTF-8")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ann")
        .env("GIT_AUTHOR_EMAIL", "ann@example.org")
        .env("GIT_COMMITTER_NAME", "Ann")
        .env("GIT_COMMITTER_EMAIL", "ann@example.org")
}

impl Drop for World {
    fn drop(&mut self) {
        diagnosis::end(self.folder.path());
        if std::thread::panicking() {
            return;
        }
        // The binary has ended; what it started may need a moment to be reaped.
        until("every process of the test to end", || processes_of(self.folder.path()).is_empty().then_some(()));
    }
}
