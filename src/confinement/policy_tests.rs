//! What a policy opens, on disks made up of a list of paths and links.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::{policy::Disk, *};

/// Everything there is, and where links lead.
#[derive(Default)]
struct Drawn {
    paths: BTreeSet<PathBuf>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Drawn {
    /// These files with the folders that they lie in.
    fn with(files: &[&str]) -> Self {
        let paths = files.iter().flat_map(|file| Path::new(file).ancestors()).map(Path::to_owned).collect();
        Self { paths, links: BTreeMap::new() }
    }

    fn link(mut self, from: &str, to: &str) -> Self {
        self.links.insert(from.into(), to.into());
        self
    }
}

impl Disk for Drawn {
    fn real(&self, path: &Path) -> Option<PathBuf> {
        let mut now = PathBuf::new();
        for part in path.components() {
            now.push(part);
            while let Some(to) = self.links.get(&now) {
                now.clone_from(to);
            }
        }
        self.paths.contains(&now).then_some(now)
    }

    fn children(&self, folder: &Path) -> Vec<PathBuf> {
        self.paths.iter().filter(|path| path.parent() == Some(folder)).cloned().collect()
    }
}

const HOME: &str = "/home/ann";
const STATE: &str = "/home/ann/repo/.fleet";
const TREE: &str = "/home/ann/repo/.fleet/work/J/tree";

fn machine() -> Drawn {
    Drawn::with(&[
        "/usr/bin/cc",
        "/etc/passwd",
        "/dev/null",
        "/opt/tool/run",
        "/home/ann/.ssh/id_ed25519",
        "/home/ann/.cargo/bin/cargo",
        "/home/ann/.cargo/credentials.toml",
        "/home/ann/.claude/settings.json",
        "/home/ann/.codex/auth.json",
        "/home/ann/.gitconfig",
        "/home/ann/private/diary",
        "/home/ann/.cache/tool/a",
        "/home/ann/repo/.git/objects/pack",
        "/home/ann/repo/.git/config",
        "/home/ann/repo/.env",
        "/home/ann/repo/Cargo.toml",
        "/home/ann/repo/tasks/inbox",
        "/home/ann/repo/.fleet/fleet.db",
        "/home/ann/repo/.fleet/work/J/tree/src",
        "/home/ann/repo/.fleet/work/K/tree/src",
        "/home/ann/repo/.fleet/runs/J/1/tmp",
    ])
}

fn paths(list: &[&str]) -> Vec<PathBuf> {
    list.iter().map(PathBuf::from).collect()
}

/// What a run of claude stands on, with these grants.
struct Run {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    path: &'static str,
    program: &'static str,
}

impl Run {
    fn plain() -> Self {
        Self { read: Vec::new(), write: Vec::new(), path: "/usr/bin", program: "/usr/bin/cc" }
    }

    fn policy(&self, disk: &Drawn) -> Policy {
        let closed = [credentials(Path::new(HOME)), paths(&["/home/ann/.codex"])].concat();
        Policy::of(
            &Grounds {
                home: Some(Path::new(HOME)),
                path: self.path,
                own_write: paths(&[TREE, "/home/ann/repo/.fleet/runs/J/1/tmp"]),
                own_read: paths(&["/home/ann/repo/.git/objects"]),
                tree: Path::new(TREE),
                program: Some(Path::new(self.program)),
                engine: &paths(&["/home/ann/.claude"]),
                read: &self.read,
                write: &self.write,
                closed: &closed,
                sealed: &paths(&[STATE]),
                kept: &paths(&["/home/ann/repo", "/home/ann/repo/.git", "/home/ann/repo/tasks"]),
            },
            disk,
        )
    }
}

fn covers(list: &[PathBuf], path: &str) -> bool {
    list.iter().any(|open| Path::new(path).starts_with(open))
}

fn reads(policy: &Policy, path: &str) -> bool {
    covers(&policy.read, path) || covers(&policy.write, path)
}

/// What no run may read, whatever its user allows by anything but its own name.
const NEVER_READ: &[&str] = &[
    "/home/ann/.ssh/id_ed25519",
    "/home/ann/.cargo/credentials.toml",
    "/home/ann/.codex/auth.json",
    "/home/ann/repo/.fleet/fleet.db",
    "/home/ann/repo/.fleet/work/K/tree/src",
];
const NEVER_WRITTEN: &[&str] =
    &["/home/ann/repo/.git/config", "/home/ann/repo/Cargo.toml", "/home/ann/repo/tasks/inbox"];

fn keeps_its_promise(policy: &Policy) {
    for path in NEVER_READ {
        assert!(!reads(policy, path), "{path} in {policy:#?}");
    }
    for path in NEVER_WRITTEN.iter().chain(&[HOME, "/", "/usr", "/etc/passwd"]) {
        assert!(!covers(&policy.write, path), "{path} in {policy:#?}");
    }
}

#[test]
fn a_run_reaches_its_work_its_engine_and_the_toolchains_and_nothing_else() {
    let policy = Run::plain().policy(&machine());
    keeps_its_promise(&policy);
    assert_eq!(policy.write, paths(&["/dev/null", "/home/ann/.claude", "/home/ann/repo/.fleet/runs/J/1/tmp", TREE]),);
    assert_eq!(
        policy.read,
        paths(&[
            "/etc",
            "/home/ann/.cargo/bin",
            "/home/ann/.gitconfig",
            "/home/ann/repo/.git/objects",
            "/home/ann/repo/Cargo.toml",
            "/opt",
            "/usr",
        ]),
    );
}

#[test]
fn a_closed_place_is_opened_by_its_own_name_alone() {
    let by_name = Run { read: paths(&["/home/ann/.ssh"]), ..Run::plain() }.policy(&machine());
    assert!(reads(&by_name, "/home/ann/.ssh/id_ed25519"));
    for wide in ["/", "/home", HOME, "/home/ann/repo", STATE, "/home/ann/repo/.fleet/work/K", "/home/ann/.cargo"] {
        keeps_its_promise(&Run { read: paths(&[wide]), ..Run::plain() }.policy(&machine()));
        keeps_its_promise(&Run { write: paths(&[wide]), ..Run::plain() }.policy(&machine()));
    }
    let cargo = Run { write: paths(&["/home/ann/.cargo"]), ..Run::plain() }.policy(&machine());
    assert!(covers(&cargo.write, "/home/ann/.cargo/bin/cargo"), "the rest of it is open");
}

#[test]
fn a_link_that_an_agent_planted_opens_nothing() {
    // In the engine's folder on the PATH, in a folder of another engine, and in a cache that the user allows.
    let planted = |from: &str, to: &str| {
        let disk = machine().link(from, to);
        let run = Run {
            read: paths(&["/home/ann/.codex/prompts"]),
            write: paths(&["/home/ann/.cache/tool", "/home/ann/.cache/tool/deep"]),
            path: "/usr/bin:/home/ann/.claude/local:/home/ann/.codex/bin",
            program: "/home/ann/.claude/local/claude",
        };
        run.policy(&disk)
    };
    for from in [
        "/home/ann/.claude/local",
        "/home/ann/.codex/bin",
        "/home/ann/.codex/prompts",
        "/home/ann/.cache/tool/deep",
        "/home/ann/.claude/local/claude",
    ] {
        for to in [HOME, "/home/ann/.ssh", STATE, "/home/ann/.ssh/id_ed25519", "/home/ann/private"] {
            let policy = planted(from, to);
            keeps_its_promise(&policy);
            assert!(!reads(&policy, "/home/ann/private/diary"), "{from} -> {to}: {policy:#?}");
        }
    }
}

#[test]
fn a_system_folder_that_holds_homes_is_opened_around_them() {
    let mut disk = machine();
    disk.paths.extend(paths(&["/opt/home", "/opt/home/ann", "/opt/home/ann/x", "/opt/tool"]));
    let disk = disk.link(HOME, "/opt/home/ann");
    let policy = Run::plain().policy(&disk);
    assert!(reads(&policy, "/opt/tool/run") && !reads(&policy, "/opt/home/ann/x"), "{policy:#?}");
}

#[test]
fn a_program_brings_what_is_installed_with_it() {
    let mut disk = machine();
    for file in [
        "/home/ann/x/node_modules/.bin",
        "/home/ann/x/node_modules/@a/tool/cli.js",
        "/home/ann/x/node_modules/@a/native/tool",
        "/home/ann/venv/bin/tool",
        "/home/ann/venv/lib/site",
        "/home/ann/repo/agent.sh",
    ] {
        disk.paths.extend(Path::new(file).ancestors().map(Path::to_owned));
    }
    let disk = disk.link("/home/ann/x/node_modules/.bin/tool", "/home/ann/x/node_modules/@a/tool/cli.js");
    let open = |program| Run { program, ..Run::plain() }.policy(&disk);
    assert!(reads(&open("/home/ann/x/node_modules/.bin/tool"), "/home/ann/x/node_modules/@a/native/tool"));
    assert!(reads(&open("/home/ann/venv/bin/tool"), "/home/ann/venv/lib/site"));
    let script = open("/home/ann/repo/agent.sh");
    assert!(reads(&script, "/home/ann/repo/agent.sh") && !reads(&script, "/home/ann/repo/.env"), "{script:#?}");
}

#[test]
fn grants_that_nobody_can_mean_are_named() {
    let protected = [credentials(Path::new(HOME)), paths(&[STATE])].concat();
    let found = |grant: &str| too_wide(&paths(&[grant]), Some(Path::new(HOME)), &protected, &machine()).pop();
    for grant in ["/", "/home", HOME, "/home/ann/repo", "/home/ann/.cargo"] {
        assert_eq!(found(grant).map(|(grant, _)| grant), Some(PathBuf::from(grant)));
    }
    for grant in ["/home/ann/.cargo/registry", "/home/ann/.ssh", "/srv/cache"] {
        assert_eq!(found(grant), None, "{grant}");
    }
}

proptest! {
    /// Whatever a user allows, and wherever links lead that agents planted: the promise holds.
    #[test]
    fn no_grants_and_no_links_break_the_promise(
        grants in prop::collection::vec(0..WIDE.len(), 0..4),
        links in prop::collection::vec((0..PLANTED.len(), 0..WIDE.len()), 0..4),
    ) {
        let grants: Vec<PathBuf> = grants.into_iter().map(|at| WIDE[at].into()).collect();
        let disk = links.into_iter().fold(machine(), |disk, (from, to)| {
            // A link into itself is none.
            if Path::new(WIDE[to]).starts_with(PLANTED[from]) { disk } else { disk.link(PLANTED[from], WIDE[to]) }
        });
        let run = Run { read: grants.clone(), write: grants, path: "/home/ann/.claude/a:/home/ann/.codex/b", program: "/usr/bin/cc" };
        keeps_its_promise(&run.policy(&disk));
    }
}

const WIDE: &[&str] = &[
    "/",
    "/home",
    HOME,
    "/home/ann/repo",
    "/home/ann/repo/.git",
    STATE,
    "/home/ann/.cache",
    "/home/ann/.cargo",
    "/home/ann/.claude",
];
const PLANTED: &[&str] = &["/home/ann/.claude/a", "/home/ann/.codex/b", "/home/ann/.cache/tool"];

#[test]
fn an_engine_has_its_folder_although_the_home_is_a_checkout_and_no_grant_opens_one() {
    let kept = paths(&[HOME, "/home/ann/tasks"]);
    let grounds = Grounds {
        home: Some(Path::new(HOME)),
        path: "",
        own_write: paths(&["/home/ann/.fleet/work/J/tree"]),
        own_read: Vec::new(),
        tree: Path::new("/home/ann/.fleet/work/J/tree"),
        program: None,
        engine: &paths(&["/home/ann/.claude"]),
        read: &[],
        write: &paths(&["/home/ann/repo"]),
        closed: &[],
        sealed: &paths(&["/home/ann/.fleet"]),
        kept: &kept,
    };
    let policy = Policy::of(&grounds, &machine());
    assert!(covers(&policy.write, "/home/ann/.claude/sessions"), "{policy:?}");
    assert!(!covers(&policy.write, "/home/ann/repo/README.md"), "{policy:?}");
    // Its home set to the checkout itself opens nothing.
    let policy = Policy::of(&Grounds { engine: &paths(&[HOME]), ..grounds }, &machine());
    assert!(!covers(&policy.write, "/home/ann/repo/README.md"), "{policy:?}");
}

#[test]
fn a_grant_within_a_checkout_is_named_with_what_holds_it() {
    let found = |grant: &str| within(&paths(&[grant]), &paths(&["/home/ann/repo"]), &machine());
    assert_eq!(found("/home/ann/repo/shared"), Some(("/home/ann/repo/shared".into(), "/home/ann/repo".into())));
    assert_eq!(found("/home/ann/repository"), None);
    assert_eq!(found("/srv/models"), None);
}
