//! Things that a confined process tries, and what came of each: a shell script that writes a report.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use crate::world::World;

/// An attempt: its name, and a shell command that succeeds when it gets through.
pub(crate) type Attempt = (&'static str, String);

/// Finds the shim above the script, and the runner above that.
const ABOVE: &str = "up() { awk '/^PPid/{print $2}' /proc/$1/status; }\nshim=$$\n\
                     until tr '\\0' '\\n' < /proc/$shim/cmdline | grep -qx shim; do shim=$(up $shim); done\nrunner=$(up $shim)\n";

/// A script that tries all of them and writes `NAME through` or `NAME refused` to `report`.
pub(crate) fn script(attempts: &[Attempt], report: &str) -> String {
    let mut text = format!("{ABOVE}: > {report}\n");
    for (name, command) in attempts {
        writeln!(
            text,
            "if ( {command} ) >>tried.txt 2>&1; then echo {name} through; else echo {name} refused; fi >> {report}"
        )
        .expect("a string takes everything");
    }
    text
}

/// Which attempts got through, by the report.
pub(crate) fn through(report: &str) -> BTreeMap<String, bool> {
    let lines = report.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, outcome)| (name.to_owned(), outcome == "through")).collect()
}

/// All that a run must not be able to do, whoever it is. `other` is the workspace of another job.
pub(crate) fn forbidden(world: &World, other: &Path) -> Vec<Attempt> {
    let home = world.folder().join("home");
    let (home, repo, other) = (home.display(), world.repo().display(), other.display());
    let state = format!("{repo}/.fleet");
    let (shim, runner) = ("$shim", "$runner");
    vec![
        ("home-new", format!("echo x > {home}/new")),
        ("home-append", format!("echo x >> {home}/.profile")),
        ("home-empty", format!(": > {home}/.profile")),
        ("home-remove", format!("rm -f {home}/.profile")),
        ("home-rename", format!("mv {home}/.profile {home}/.profile2")),
        ("home-folder", format!("mkdir {home}/folder")),
        ("home-link", format!("ln -s /etc/passwd {home}/link")),
        ("home-list", format!("ls {home}")),
        ("repo-new", format!("echo x > {repo}/evil")),
        ("repo-append", format!("echo x >> {repo}/README.md")),
        ("repo-read", format!("cat {repo}/.env")),
        ("git-hook", format!("echo x > {repo}/.git/hooks/post-commit")),
        ("git-config", format!("echo x >> {repo}/.git/config")),
        ("git-object", format!("echo x > {repo}/.git/objects/x")),
        ("git-commit", format!("git -C {repo} commit --allow-empty -m x")),
        ("git-set", format!("git -C {repo} config a.b c")),
        ("git-read", format!("cat {repo}/.git/config")),
        ("git-push", format!("git push {repo} HEAD:refs/heads/evil")),
        ("state-new", format!("echo x > {state}/x")),
        ("state-append", format!("echo x >> {state}/fleet.db")),
        ("state-read", format!("cat {state}/fleet.db")),
        ("state-list", format!("ls {state}/runs")),
        ("queue-drop", format!("echo x > {repo}/tasks/inbox/x.md")),
        ("other-read", format!("cat {other}/README.md")),
        ("other-write", format!("echo x > {other}/done.txt")),
        ("own-record", "echo x > ../workspace.json".to_owned()),
        ("key-read", format!("cat {home}/.ssh/id_ed25519")),
        ("key-copy", format!("cp {home}/.ssh/id_ed25519 stolen")),
        ("key-move", format!("mv {home}/.ssh/id_ed25519 stolen")),
        ("key-symlink", format!("ln -sf {home}/.ssh/id_ed25519 link && cat link")),
        ("key-folder-symlink", format!("ln -sfn {home}/.ssh links && cat links/id_ed25519")),
        ("key-hard-link", format!("ln {home}/.ssh/id_ed25519 hard && cat hard")),
        (
            "key-dots",
            format!("cat ../../../../../home/.ssh/../.ssh/id_ed25519 || cat $PWD/../../../../..{home}/.ssh/id_ed25519"),
        ),
        ("key-proc-self", format!("cat /proc/self/root{home}/.ssh/id_ed25519")),
        ("key-proc-cwd", "cat /proc/self/cwd/../../../../../home/.ssh/id_ed25519".to_owned()),
        ("key-proc-shim", format!("cat /proc/{shim}/root{home}/.ssh/id_ed25519")),
        ("key-proc-runner", format!("cat /proc/{runner}/root{home}/.ssh/id_ed25519")),
        ("key-git", format!("git hash-object -w {home}/.ssh/id_ed25519")),
        ("other-engine", format!("cat {home}/.other/auth.json")),
        ("other-engine-write", format!("echo x > {home}/.other/auth.json")),
        ("runner-environ", format!("cat /proc/{runner}/environ")),
        ("shim-environ", format!("cat /proc/{shim}/environ")),
        ("runner-files", format!("ls -l /proc/{runner}/fd")),
        ("shim-order", "cat ../../../runs/*/1/agent/shim.json".to_owned()),
        ("shim-memory", format!("head -1 /proc/{shim}/maps | grep .")),
        ("tmp-new", "echo x > /tmp/fleet-confinement-test".to_owned()),
        ("tmp-list", "ls /tmp".to_owned()),
        ("system-write", "echo x > /etc/fleet-confinement-test".to_owned()),
        ("device-made", "mknod disk b 7 0".to_owned()),
        ("mounted", "mkdir -p m && mount -t tmpfs none m".to_owned()),
        ("signal-runner", format!("kill -0 {runner}")),
        ("signal-shim", format!("kill -CONT {shim}")),
    ]
}
