//! An agent that tries to reach outside: all refused, and its own work goes on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::attempts::{Attempt, forbidden, script, through};
use crate::world::{Output, World};

const KEY: &str = "PRIVATE-KEY-CANARY";
const LOGIN: &str = "OTHER-LOGIN-CANARY";
const OWN: &str = "OWN-LOGIN-CANARY";

/// A user's home and repository, with an engine that is a script, and another engine's login.
fn world() -> World {
    let world = World::new();
    let home = world.folder().join("home");
    for (path, text) in
        [(".ssh/id_ed25519", KEY), (".other/auth.json", LOGIN), (".mine/auth.json", OWN), (".profile", "# mine\n")]
    {
        fs::create_dir_all(home.join(path).parent().expect("a folder")).expect("a folder");
        fs::write(home.join(path), text).expect("a file");
    }
    world.write(".env", KEY);
    world.write(
        "fleet.toml",
        "[engines.mine]\ncommand = [\"./agent.sh\"]\nfolders = [\"~/.mine\"]\n\n\
         [engines.other]\ncommand = [\"./other.sh\"]\nfolders = [\"~/.other\"]\n",
    );
    world
}

fn agent(world: &World, script: &str) {
    world.write("agent.sh", &format!("#!/bin/sh\n{script}\n"));
    world.make_executable("agent.sh");
}

/// What must be the same afterwards, byte by byte.
fn untouched(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting: Vec<PathBuf> = vec![world.folder().join("home"), world.repo().to_owned()];
    let kept = [".fleet", "tasks", "objects", "logs", "fleet", "agent.sh"];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if kept.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// A job that holds its workspace until there is a file `go`; the workspace.
fn another_job(world: &World) -> PathBuf {
    let go = world.shared().join("go");
    let waiting = format!("run while ! test -f {}; do sleep 0.05; done\nwrite done.txt yes", go.display());
    let id = world.submit_script("other", "verify: ./check.sh\npriority: critical\n", &waiting);
    world.repo().join(format!(".fleet/work/{id}/tree"))
}

fn refused(report: &str, attempts: &[Attempt]) {
    let seen = through(report);
    let wrong: Vec<&str> =
        attempts.iter().map(|(name, _)| *name).filter(|name| seen.get(*name) != Some(&false)).collect();
    assert!(wrong.is_empty(), "these were not refused: {wrong:?}\n{report}");
}

#[test]
fn an_agent_that_reaches_outside_is_refused_everywhere_and_its_own_work_goes_on() {
    let world = world();
    let other = another_job(&world);
    let attempts = forbidden(&world, &other);
    let (shared, tree) = (world.shared(), other.display());
    let own = "cat ~/.mine/auth.json >/dev/null && echo x > ~/.mine/session && echo x > \"$TMPDIR/x\" && git log -1 >/dev/null && \
               echo 1 > mine.txt && git add mine.txt && git commit -qm mine && ln -s mine.txt link2 && ln mine.txt hard2 && \
               mkdir -p a/b && mv mine.txt a/b/ && echo x > /dev/null && echo x > /dev/stderr && sh -c 'kill -0 $$'";
    agent(
        &world,
        &format!(
            "while ! test -f {tree}/README.md; do sleep 0.05; done\n{}\n{own} && echo yes > done.txt\ncp report.txt {}\ntouch {}",
            script(&attempts, "report.txt"),
            shared.join("report").display(),
            shared.join("go").display(),
        ),
    );
    let before = untouched(&world);
    let id = world.submit("reach.md", "---\nengine: mine\nverify: ./check.sh\n---\n# Reach\n");
    let mut run = world.fleet();
    // A folder of another engine is not opened by being on the PATH either.
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{path}:{}", world.folder().join("home/.other").display());
    run.args(["run", "--once", "--max", "2"]).env("RUNNER_SECRET", KEY).env("PATH", path);
    Output::of(&mut run).exits(0);
    refused(&fs::read_to_string(shared.join("report")).expect("the agent got there"), &attempts);
    let job = world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}\n{}", world.run(&["logs", &id]).stdout);
    let after = untouched(&world);
    let session = world.folder().join("home/.mine/session");
    assert_eq!(fs::read_to_string(&session).expect("its own folder is open"), "x\n");
    let changed: Vec<&Path> = after
        .iter()
        .filter(|(path, bytes)| **path != session && before.get(*path) != Some(bytes))
        .map(|(path, _)| path.as_path())
        .chain(before.keys().filter(|path| !after.contains_key(*path)).map(PathBuf::as_path))
        .collect();
    assert_eq!(changed, [] as [&Path; 0], "nothing outside has changed");
    let branch = job["branch"].as_str().expect("a branch");
    let work = world.git(&["log", "-p", branch]) + &world.run(&["logs", &id]).exits(0).stdout;
    for canary in [KEY, LOGIN] {
        assert!(!work.contains(canary), "{canary} came out");
    }
    let runs = world.run(&["runs", &id, "--json"]).exits(0).json();
    let recorded = runs["runs"][0]["confinement"].as_str().expect("a word");
    assert!(recorded.strip_prefix("landlock-").is_some_and(|version| version.parse::<u32>().is_ok()), "{recorded}");
}

#[test]
fn a_verify_command_is_held_to_the_same_and_does_not_get_its_engine_s_login() {
    let world = world();
    let other = world.repo().join(".fleet/work/none/tree");
    let mut attempts = forbidden(&world, &other);
    attempts.push(("own-login", "cat ~/.mine/auth.json".to_owned()));
    agent(&world, "cat ~/.mine/auth.json > /dev/null && echo yes > done.txt");
    let report = world.shared().join("report");
    world.write(
        "tests.sh",
        &format!("#!/bin/sh\n{}\n./check.sh && echo x > out.txt\n", script(&attempts, &report.display().to_string())),
    );
    world.make_executable("tests.sh");
    world.commit("tests");
    let id = world.submit("verified.md", "---\nengine: mine\nverify: ./tests.sh\n---\n# Verified\n");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}\n{}", world.run(&["logs", &id]).stdout);
    refused(&fs::read_to_string(&report).expect("it got there"), &attempts);
}

#[test]
fn what_the_user_allows_is_open_and_what_nobody_can_mean_is_refused_before_anything_runs() {
    let world = world();
    let home = world.folder().join("home");
    fs::create_dir_all(home.join("cache")).expect("a folder");
    fs::write(home.join("model"), "weights").expect("a file");
    agent(&world, "cat ~/model && echo x > ~/cache/x && echo yes > done.txt");
    let task = "---\nengine: mine\nverify: ./check.sh\n---\n# Allowed\n";
    let run = |settings: &[&str], code: i32| {
        let args = settings.iter().flat_map(|setting| ["--set", *setting]);
        let mut command = world.fleet();
        Output::of(command.args(["run", "--once"]).args(args).env_remove("FLEET_CONFINEMENT_WRITE")).exits(code)
    };
    let refused = world.submit("refused.md", task);
    run(&[], 0);
    assert_eq!(world.stage(&refused), "failed", "neither is open by itself");
    let allowed = world.submit("allowed.md", task);
    for wide in ["confinement.write=~", "confinement.write=/", "confinement.read=.", "confinement.read=~/.."] {
        assert!(run(&[wide], 2).stderr.contains("too wide"), "{wide}");
    }
    assert_eq!(world.stage(&allowed), "queued");
    run(&["confinement.read=~/model", "confinement.write=~/cache"], 0);
    assert_eq!(world.stage(&allowed), "testing", "{:#}", world.job(&allowed));
}

#[test]
fn unconfined_runs_say_so_with_the_reason() {
    let world = World::new();
    let id = world.submit_script("free", "verify: ./check.sh\n", "write done.txt yes");
    Output::of(world.fleet().args(["run", "--once", "--set", "confinement.mode=off"])).exits(0);
    let runs = world.run(&["runs", &id, "--json"]).exits(0).json();
    assert_eq!(runs["runs"][0]["confinement"], json!("unconfined: `confinement.mode` is `off`"));
}

#[test]
fn caches_that_tools_cannot_do_without_lie_in_the_run_unless_their_usual_place_is_allowed() {
    let world = world();
    let home = world.folder().join("home");
    fs::create_dir_all(home.join(".cache")).expect("a folder");
    agent(&world, "mkdir -p \"${XDG_CACHE_HOME:-$HOME/.cache}/tool\" && echo yes > done.txt");
    let task = "---\nengine: mine\nverify: ./check.sh\n---\n# Cache\n";
    let id = world.submit("own.md", task);
    world.run_once();
    assert_eq!((world.stage(&id).as_str(), home.join(".cache/tool").exists()), ("testing", false));
    let id = world.submit("shared.md", task);
    Output::of(world.fleet().args(["run", "--once", "--set", "confinement.write=~/.cache"])).exits(0);
    assert_eq!((world.stage(&id).as_str(), home.join(".cache/tool").exists()), ("testing", true));
}
