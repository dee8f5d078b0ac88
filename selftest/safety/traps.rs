//! A repository that an agent could have altered is read, and nothing in it is executed.
//!
//! `traps.sh` makes a trap of every way in which git runs something for a repository. The control shows that they go off
//! under plain git; then fleet does all it ever does with what an agent leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::world::{Output, World, slay_all, until};

const TRAPS: &str = include_str!("traps.sh");

/// A world with the traps beside its repository, and a folder for what goes off.
struct Trapped {
    world: World,
    marks: PathBuf,
}

impl Trapped {
    fn new() -> Self {
        let world = World::new();
        let marks = world.folder().join("marks");
        fs::create_dir(&marks).expect("a folder");
        fs::write(world.folder().join("traps.sh"), TRAPS).expect("the traps");
        Self { world, marks }
    }

    /// A shell engine whose agent does this; `traps` in it makes the traps.
    fn agent(&self, script: &str) {
        let (marks, traps) = (self.marks.display(), self.world.folder().join("traps.sh"));
        let script = format!("#!/bin/sh\nset -e\ntraps() {{ MARKS='{marks}' sh '{}'; }}\n{script}\n", traps.display());
        self.world.write("agent.sh", &script);
        self.world.make_executable("agent.sh");
        // Reading has to be safe where nothing confines the agent.
        let config = "[engines.shell]\ncommand = [\"./agent.sh\"]\nprompt = \"stdin\"\n[worker]\ncheckpoint = \"1s\"\n[confinement]\nmode = \"off\"\n";
        self.world.write("fleet.toml", config);
    }

    fn submit(&self) -> String {
        self.world
            .submit("trap.md", "---\nengine: shell\nverify: ./check.sh\nretry: { max: 3, backoff: 1s }\n---\n# Trap\n")
    }

    /// What went off, and none of it again.
    fn gone_off(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.marks).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names.iter().for_each(|name| fs::remove_file(self.marks.join(name)).expect("a mark"));
        names
    }

    /// Plain git, where each trap should go off; how it ends does not matter.
    fn plain(&self, at: &Path, line: &str) {
        drop(Output::of(self.world.command("sh").current_dir(at).args(["-c", line])));
    }
}

/// Says when the job's work has been saved while the agent lives.
const SAVED: &str =
    "until git -C \"$(dirname \"$0\")\" rev-parse -q --verify refs/fleet/wip/$FLEET_JOB >/dev/null; do sleep 0.1; done";

#[test]
fn the_traps_go_off_under_plain_git() {
    let trapped = Trapped::new();
    let clone = trapped.world.folder().join("clone");
    trapped.plain(trapped.world.folder(), "git clone -q repo clone");
    trapped.plain(&clone, "echo one > a.txt; echo x > a.cmd; git add -A; git commit -qm one; git checkout -qb side; echo two > a.txt; git commit -qam two; git checkout -q -; echo three > a.txt; git commit -qam three");
    let set =
        Output::of(trapped.world.command("sh").current_dir(&clone).arg("../traps.sh").env("MARKS", &trapped.marks));
    set.exits(0);
    assert_eq!(
        trapped.gone_off().iter().filter(|name| !name.starts_with("hook-")).count(),
        0,
        "not while they are made"
    );
    for line in [
        "git status",
        "printf 'protocol=https\nhost=x.invalid\n\n' | GIT_TERMINAL_PROMPT=0 git credential fill",
        "echo x > b.txt; echo x > b.md; echo x > b.inc; echo x > b.con; git add b.inc b.con b.txt; git add b.md",
        // What fails on purpose would keep the others from going off.
        "git config --unset filter.streaming.process; git config --unset merge.verifySignatures; git add -A; git diff --cached",
        "git commit -m x; git config --unset commit.gpgSign; git commit -m y",
        "git -c core.hooksPath=.git/hooks commit --allow-empty -m z; git commit --allow-empty; git lg",
        "echo changed > a.txt; echo changed > a.cmd; git diff; git config --unset diff.external; git diff; git commit -qam w",
        "git merge side; git reset -q --hard; rm a.txt; git checkout -f a.txt; git checkout -q side",
        "git fetch origin; git fetch over-ssh",
    ] {
        trapped.plain(&clone, line);
    }
    let gone_off = trapped.gone_off();
    for expected in [
        "alias",
        "askpass",
        "credential",
        "diff-command",
        "diff-external",
        "editor",
        "ext",
        "filter-clean",
        "filter-process",
        "filter-smudge",
        "fsmonitor",
        "gpg",
        "hook-commit-msg",
        "hook-post-checkout",
        "hook-post-commit",
        "hook-pre-commit",
        "hook-reference-transaction",
        "include",
        "include-if",
        "merge-driver",
        "ssh",
        "textconv",
    ] {
        assert!(gone_off.iter().any(|name| name == expected), "{expected} did not go off: {gone_off:?}");
    }
}

#[test]
fn nothing_of_an_altered_clone_is_executed_by_all_that_fleet_does() {
    let trapped = Trapped::new();
    let world = &trapped.world;
    trapped.agent(&format!(
        "echo more >> notes.txt; echo x > a.cmd; echo x > a.inc; echo x > a.con; echo x > a.md; git add -A; git commit -qm work\n\
         echo 'not committed' >> notes.txt; echo untracked > b.txt\n\
         traps; rm -f {}/*\n{SAVED}\nif [ \"$FLEET_RUN\" = 2 ]; then echo yes > done.txt; fi",
        trapped.marks.display()
    ));
    let id = trapped.submit();
    // Run 1 fails its verify command, run 2 starts from the checkpoint with a base that moved.
    let job = until("two runs", || {
        world.run_once();
        Some(world.job(&id)).filter(|job| job["stage"] != "queued")
    });
    assert_eq!(trapped.gone_off(), [""; 0]);
    assert_eq!((job["stage"].as_str(), job["runs"].as_u64()), (Some("testing"), Some(2)), "{job:#}");
    assert!(job["diff"]["files"].as_u64() > Some(5), "{job:#}");
    let branch = job["branch"].as_str().expect("a branch");
    assert!(world.git(&["show", &format!("{branch}:notes.txt")]).contains("not committed"));
    world.write("later.txt", "later\n");
    world.commit("the base moves on");
    let to = world.folder().join("recovered");
    for verb in ["diff", "show", "runs", "events", "logs", "explain"] {
        world.run(&[verb, &id]).exits(0);
    }
    world.run(&["diff", &id, "--stat"]).exits(0);
    world.run(&["recover", &id, "--to", to.to_str().expect("a path")]).exits(0);
    assert_eq!(fs::read_to_string(to.join("done.txt")).expect("the work"), "yes\n");
    world.run(&["ship", &id]).exits(0);
    assert_eq!(world.stage(&id), "shipped");
    assert_eq!(world.read("b.txt"), "untracked\n");
    world.run(&["clean"]).exits(0);
    world.run(&["doctor"]);
    assert_eq!(trapped.gone_off(), [""; 0]);
}

#[test]
fn nothing_is_executed_when_the_runner_died_and_the_work_is_taken_back() {
    let trapped = Trapped::new();
    let world = &trapped.world;
    trapped.agent(&format!(
        "echo more > notes.txt; git add -A; git commit -qm work; traps; rm -f {}/*; echo yes > done.txt\n{SAVED}\nexec sleep 300",
        trapped.marks.display()
    ));
    let id = trapped.submit();
    let mut runner = world.fleet().arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a runner");
    until("the work is saved", || (!world.job(&id)["checkpoint"].is_null()).then_some(()));
    slay_all(world.folder());
    runner.wait().expect("it ended");
    world.run(&["recover"]).exits(0);
    let branch = world.run(&["recover", &id]).exits(0).line();
    assert_eq!(world.git(&["show", &format!("{branch}:done.txt")]), "yes");
    assert_eq!(trapped.gone_off(), [""; 0]);
    world.run(&["cancel", &id]).exits(0);
}

/// Ways to have another repository, or another folder, read in the place of the clone.
const REDIRECTS: &[(&str, &str)] = &[
    ("core.worktree", "git config core.worktree \"$ELSEWHERE/tree\""),
    ("a file for .git", "rm -rf .git; echo \"gitdir: $ELSEWHERE/.git\" > .git"),
    ("a link for .git", "rm -rf .git; ln -s \"$ELSEWHERE/.git\" .git"),
    (
        "alternates",
        "echo \"$ELSEWHERE/.git/objects\" >> .git/objects/info/alternates; cp \"$ELSEWHERE/.git/refs/heads/main\" .git/refs/heads/stolen",
    ),
    (
        "a link for objects",
        "rm -rf .git/objects; ln -s \"$ELSEWHERE/.git/objects\" .git/objects; cp \"$ELSEWHERE/.git/refs/heads/main\" .git/refs/heads/stolen",
    ),
    ("commondir", "echo \"$ELSEWHERE/.git\" > .git/commondir"),
    ("a link for HEAD", "rm .git/HEAD; ln -s \"$ELSEWHERE/.git/HEAD\" .git/HEAD"),
    ("a link for the branches", "rm -rf .git/refs/heads; ln -s \"$ELSEWHERE/.git/refs/heads\" .git/refs/heads"),
    ("a link among the files", "ln -s \"$ELSEWHERE/secret.txt\" link.txt; ln -s \"$ELSEWHERE\" folder"),
    (
        "a submodule elsewhere",
        "git init -q sub; rm -rf sub/.git; echo \"gitdir: $ELSEWHERE/.git\" > sub/.git; echo x > sub/x",
    ),
];

#[test]
fn what_lies_elsewhere_is_neither_read_nor_executed() {
    for (what, redirect) in REDIRECTS {
        let trapped = Trapped::new();
        let world = &trapped.world;
        let elsewhere = world.folder().join("elsewhere");
        fs::create_dir_all(elsewhere.join("tree")).expect("a folder");
        trapped.plain(&elsewhere, "git init -q -b main; echo canary-7f3a > secret.txt; cp secret.txt tree; git add -A; git commit -qm canary-7f3a");
        let secret = world.command("git").current_dir(&elsewhere).args(["rev-parse", "HEAD"]).output().expect("git");
        let secret = String::from_utf8_lossy(&secret.stdout).trim().to_owned();
        let script = format!(
            "echo yes > done.txt; export ELSEWHERE='{}'; (cd \"$ELSEWHERE\"; traps; rm -f {}/*)\n{redirect}",
            elsewhere.display(),
            trapped.marks.display()
        );
        trapped.agent(&script);
        let id = trapped.submit();
        let ran = world.run_once();
        let job = world.job(&id);
        assert_eq!(trapped.gone_off(), [""; 0], "{what}");
        assert_eq!(job["stage"], "testing", "{what}: {job:#}\n{}", ran.stderr);
        world.run(&["ship", &id]).exits(0);
        world.run(&["clean"]).exits(0);
        assert_eq!(trapped.gone_off(), [""; 0], "{what}");
        let has = |object: &str| {
            world.command("git").args(["cat-file", "-e", object]).stderr(Stdio::null()).status().expect("git").success()
        };
        assert!(has("HEAD") && !has(&secret), "{what}: a commit from elsewhere was copied");
        let found = Command::new("sh")
            .current_dir(world.repo())
            .args(["-c", "git log -p --all | grep canary-7f3a"])
            .output()
            .expect("git");
        assert!(found.stdout.is_empty(), "{what}: {}", String::from_utf8_lossy(&found.stdout));
    }
}

#[test]
fn the_users_own_filters_are_honoured_and_their_hooks_do_not_run_when_a_checkout_follows() {
    let trapped = Trapped::new();
    let world = &trapped.world;
    world.write(".gitattributes", "*.up filter=up\n");
    world.commit("attributes");
    world.git(&["config", "filter.up.smudge", "tr a-z A-Z"]);
    world.git(&["config", "filter.up.clean", "tr A-Z a-z"]);
    for hook in ["post-merge", "post-checkout", "reference-transaction", "pre-merge-commit"] {
        let script = format!("#!/bin/sh\ntouch '{}/{hook}'\n", trapped.marks.display());
        world.write(&format!(".git/hooks/{hook}"), &script);
        world.make_executable(&format!(".git/hooks/{hook}"));
    }
    let id = world.submit_script("up", "verify: ./check.sh\n", "write done.txt yes\nwrite a.up hello");
    world.run_once();
    world.run(&["ship", &id]).exits(0);
    assert_eq!(world.read("a.up"), "HELLO\n", "the user's filter shaped it");
    assert_eq!(trapped.gone_off(), [""; 0]);
}
