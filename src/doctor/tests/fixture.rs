//! A machine on which all is well: a repository with a fleet in it, a `git`, an agent and its key, in a temporary
//! folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use git2::{Repository, RepositoryInitOptions, Signature};
use tempfile::TempDir;

use super::super::{Check, Configuration, Database, Outcome, Subject, TestClock, examine};
use crate::{
    config::Place,
    confinement::Level,
    engine::Catalogue,
    runtime::Offer,
    workspace::{Identity, Limits, Source, Usage},
};

/// The machine, and where it lies.
pub(super) struct Machine {
    pub(super) folder: TempDir,
    pub(super) subject: Subject,
}

impl Machine {
    /// All is well.
    pub(super) fn healthy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (repo, bin) = (folder.path().join("repo"), folder.path().join("bin"));
        fs::create_dir(&bin).unwrap();
        program(&bin.join("git"), "echo git version 2.47.3");
        program(&bin.join("agent"), "echo agent 1.2.3");
        repository(&repo);
        commit(&repo, &[("README.md", "hello\n")]);
        let place = Place { root: repo.clone(), queue: repo.join("tasks"), state: repo.join(".fleet") };
        crate::wiring::set_up(&place).unwrap();
        let mut engines = Catalogue::builtin();
        let keys = format!(
            "command = ['{}']\nversion = ['--version']\ncredentials = {{ env = ['AGENT_KEY'] }}",
            bin.join("agent").display()
        );
        engines.lay("mine", toml::from_str(&keys).unwrap());
        let environment = [("PATH", bin.to_str().unwrap()), ("HOME", "/nowhere"), ("AGENT_KEY", "x")];
        let subject = Subject {
            program: Ok(std::env::current_exe().unwrap()),
            version: "0.1.0",
            configuration: Configuration::default(),
            profiles: Ok(3),
            place: Some(place),
            database: Database::Works { jobs: 2, held: Vec::new() },
            repository: Source::open(repo.to_str().unwrap(), None),
            identity: Ok(Some(Identity { name: "Ann".to_owned(), email: "ann@example.org".to_owned() })),
            engines,
            named: BTreeSet::from(["mine".to_owned()]),
            default_engine: Some("mine".to_owned()),
            yolo: None,
            confinement: Ok(Level::Landlock(7)),
            sockets: Vec::new(),
            secret_files: Vec::new(),
            environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            free_space: Ok(100 << 30),
            min_free: 2 << 30,
            workspaces: Ok((Limits { number: 20, disk: 10 << 30, min_free: 2 << 30 }, Usage::default())),
            open_files: Ok(1024),
            offer: Some(Offer { version: Some(2), memory: true, cpus: true }),
            cpus: None,
            now: "2026-11-20T08:00:00Z".parse().unwrap(),
            test_clock: TestClock::Unset,
            patience: Duration::from_secs(60),
        };
        Self { folder, subject }
    }

    pub(super) fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// A program on the PATH of this machine.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join("bin").join(name)
    }

    pub(super) fn place(&self) -> &Place {
        self.subject.place.as_ref().unwrap()
    }

    /// Looks at the repository again.
    pub(super) fn reopen(&mut self) {
        self.subject.repository = Source::open(self.repo().to_str().unwrap(), None);
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.subject.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Every check, in order.
    pub(super) fn examine(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        examine(&self.subject, &mut |check| checks.push(check));
        checks
    }

    /// Names of the checks that fail, and of those that warn.
    pub(super) fn trouble(&self) -> (Vec<String>, Vec<String>) {
        let mut trouble = (Vec::new(), Vec::new());
        for check in self.examine() {
            match check.outcome {
                Outcome::Fail { .. } => trouble.0.push(check.name),
                Outcome::Warn { .. } => trouble.1.push(check.name),
                Outcome::Ok(_) | Outcome::Skip(_) => {}
            }
        }
        trouble
    }

    /// What a check found, after the word for how it went.
    pub(super) fn found(&self, name: &str) -> String {
        let check = self.examine().into_iter().find(|check| check.name == name).unwrap();
        match check.outcome {
            Outcome::Ok(found) => format!("ok: {found}"),
            Outcome::Warn { found, remedy } => format!("warn: {found} -> {remedy}"),
            Outcome::Fail { found, remedy } => format!("fail: {found} -> {remedy}"),
            Outcome::Skip(why) => format!("skip: {why}"),
        }
    }
}

/// Makes a shell script that can be executed. Another process writes it: a file that this one has open for writing would
/// be busy in the children that other tests start meanwhile.
pub(super) fn program(path: &Path, script: &str) {
    let write = "rm -f \"$0\" && printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let status = Command::new("/bin/sh").arg("-c").arg(write).arg(path).arg(script).status().unwrap();
    assert!(status.success(), "{}", path.display());
}

/// Workspaces that no run is at.
pub(super) fn workspaces(it: &mut Machine, number: u32) {
    if let Ok((_, usage)) = &mut it.subject.workspaces {
        usage.number = number;
    }
}

/// A repository without a commit.
pub(super) fn repository(path: &Path) -> Repository {
    Repository::init_opts(path, RepositoryInitOptions::new().initial_head("main")).unwrap()
}

/// Writes files, and commits all there is.
pub(super) fn commit(path: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(path.join(name), text).unwrap();
    }
    let repo = Repository::open(path).unwrap();
    let mut index = repo.index().unwrap();
    for (name, _) in files {
        index.add_path(Path::new(name)).unwrap();
    }
    index.write().unwrap();
    let tree = repo.find_tree(index.write_tree().unwrap()).unwrap();
    let ann = Signature::now("Ann", "ann@example.org").unwrap();
    let parent = repo.head().ok().map(|head| head.peel_to_commit().unwrap());
    repo.commit(Some("HEAD"), &ann, &ann, "work", &tree, &parent.iter().collect::<Vec<_>>()).unwrap();
}

/// What lies in a folder and below, with content and mode, for telling whether anything changed.
pub(super) fn everything_in(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.insert(path, (meta.permissions().mode(), content));
    }
    found
}
