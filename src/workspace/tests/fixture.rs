//! A user's repository in a temporary folder, and a `git` that no setting of the host changes.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use fleet_protocol::JobId;
use tempfile::TempDir;

use super::super::{Collected, Prepare, Source, Workspace, WorkspaceError, collect};

/// Runs `git` and returns what it said; fails the test when git fails.
pub(crate) fn git<S: AsRef<OsStr>>(at: &Path, args: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new("git");
    command.current_dir(at).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", "/nowhere");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.org");
    }
    command.args(["-c", "gc.auto=0", "-c", "protocol.file.allow=always"]).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Writes files, by path; folders are made.
pub(crate) fn write(at: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

pub(crate) fn link(at: &Path, path: &str, to: &str) {
    symlink(to, at.join(path)).unwrap();
}

/// A user, their repository, and a place for workspaces.
pub(crate) struct User {
    pub(crate) root: TempDir,
    pub(crate) repo: PathBuf,
}

/// All of a checkout that must not change behind the user's back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    status: String,
    head: Vec<u8>,
    index: Option<Vec<u8>>,
    config: Vec<u8>,
    hooks: Vec<PathBuf>,
    /// Every ref but ours.
    refs: Vec<String>,
}

impl User {
    /// A repository with two commits on `main`.
    pub(crate) fn new() -> Self {
        Self::named("repo")
    }

    pub(crate) fn named(name: &str) -> Self {
        let root = TempDir::new().unwrap();
        let repo = root.path().join(name);
        fs::create_dir(&repo).unwrap();
        git(&repo, ["init", "-q", "-b", "main"]);
        git(&repo, ["config", "user.name", "Ann"]);
        git(&repo, ["config", "user.email", "ann@example.org"]);
        write(&repo, &[("README.md", "hello\n"), (".gitignore", "*.log\ntarget/\n")]);
        git(&repo, ["add", "-A"]);
        git(&repo, ["commit", "-qm", "first"]);
        write(&repo, &[("src/main.rs", "fn main() {}\n"), ("src/lib.rs", "// one\n// two\n// three\n")]);
        git(&repo, ["add", "-A"]);
        git(&repo, ["commit", "-qm", "second"]);
        Self { root, repo }
    }

    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        git(&self.repo, args)
    }

    pub(crate) fn git_dir(&self) -> PathBuf {
        self.repo.join(".git")
    }

    /// Changes files and commits them, as the user.
    pub(crate) fn commit(&self, files: &[(&str, &str)], message: &str) -> String {
        write(&self.repo, files);
        self.git(["add", "-A"]);
        self.git(["commit", "-qm", message]);
        self.git(["rev-parse", "HEAD"])
    }

    pub(crate) fn source(&self) -> Source {
        Source::open(self.repo.to_str().unwrap(), None).unwrap()
    }

    pub(crate) fn wanted(&self, nth: u64) -> Prepare {
        let job = JobId::from_random(nth);
        let runs = fs::read_dir(self.root.path()).unwrap().count();
        Prepare {
            dir: self.root.path().join(format!("run-{job}-{runs}")),
            branch: format!("fleet/{job}-task"),
            job,
            convention: None,
            start: None,
            recorded: None,
            identity: None,
        }
    }

    pub(crate) fn try_prepare(&self, wanted: Prepare) -> Result<Workspace, WorkspaceError> {
        Workspace::prepare(&self.source(), wanted, &mut |_| {})
    }

    /// A workspace of job 1.
    pub(crate) fn prepare(&self) -> Workspace {
        self.try_prepare(self.wanted(1)).unwrap()
    }

    /// A workspace of job 1 that starts from a commit.
    pub(crate) fn resume(&self, start: &str) -> Workspace {
        self.try_prepare(Prepare { start: Some(start.to_owned()), ..self.wanted(1) }).unwrap()
    }

    /// What the checkout looks like, byte for byte.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let dir = self.git_dir();
        let refs = self.git(["for-each-ref", "--format=%(refname) %(objectname)"]);
        let ours = |line: &&str| line.starts_with("refs/heads/fleet/") || line.starts_with("refs/fleet/");
        Snapshot {
            index: fs::read(dir.join("index")).ok(),
            status: self.git(["--no-optional-locks", "status", "--porcelain", "--ignored"]),
            head: fs::read(dir.join("HEAD")).unwrap(),
            config: fs::read(dir.join("config")).unwrap(),
            hooks: fs::read_dir(dir.join("hooks")).unwrap().map(|entry| entry.unwrap().path()).collect(),
            refs: refs.lines().filter(|line| !ours(line)).map(str::to_owned).collect(),
        }
    }

    /// The content of a file in a commit.
    pub(crate) fn show(&self, commit: &str, path: &str) -> String {
        self.git(["show", &format!("{commit}:{path}")])
    }
}

/// What an agent's `git` does in its workspace.
pub(crate) fn agent<S: AsRef<OsStr>>(workspace: &Workspace, args: impl IntoIterator<Item = S>) -> String {
    git(&workspace.tree(), args)
}

/// The agent changes files and commits them.
pub(crate) fn agent_commits(workspace: &Workspace, files: &[(&str, &str)], message: &str) -> String {
    write(&workspace.tree(), files);
    agent(workspace, ["add", "-A"]);
    agent(workspace, ["commit", "-qm", message]);
    agent(workspace, ["rev-parse", "HEAD"])
}

pub(crate) fn collected(workspace: &Workspace) -> Collected {
    collect(workspace, &format!("Leftovers of job {}", workspace.job())).unwrap()
}

/// Everything in a folder but `.git`: path, kind and content.
pub(crate) fn files(at: &Path) -> Vec<(PathBuf, String, Vec<u8>)> {
    use std::os::unix::{ffi::OsStrExt, fs::PermissionsExt};
    let mut found = Vec::new();
    let mut waiting = vec![at.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(at).unwrap().to_owned();
            if meta.is_symlink() {
                let to = fs::read_link(&path).unwrap();
                found.push((name, "link".to_owned(), to.as_os_str().as_bytes().to_vec()));
            } else if meta.is_dir() {
                if !path.ends_with(".git") {
                    waiting.push(path);
                }
            } else {
                let executable = meta.permissions().mode() & 0o100 != 0;
                found.push((name, format!("file, executable: {executable}"), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
