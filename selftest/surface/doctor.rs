//! `fleet doctor` tells what is wrong with a machine, and only that.

use std::{fs, path::PathBuf, process::Stdio};

use serde_json::Value;

use crate::world::{Output, World, until};

/// Names of the checks with this verdict.
#[track_caller]
fn with(output: &Output, verdict: &str) -> Vec<String> {
    let report = output.json();
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().filter(|check| check["verdict"] == verdict).map(|check| text(&check["name"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What a check found.
#[track_caller]
fn found(output: &Output, name: &str) -> String {
    let report = output.json();
    let check = report["checks"].as_array().expect("checks").iter().find(|check| check["name"] == name);
    text(&check.unwrap_or_else(|| panic!("no check `{name}`: {report:#}"))["message"])
}

/// A world with a fleet in it that has worked, and a user who is known to git.
fn fleet() -> World {
    let world = World::new();
    fs::write(world.folder().join("home/.gitconfig"), "[user]\nname = Ann\nemail = ann@example.org\n")
        .expect("the settings can be written");
    world.write("fleet.toml", "[defaults]\nengine = \"scripted\"\n");
    world.submit_script("say-yes", "verify: ./check.sh\n", "write done.txt yes\\n");
    world.run_once();
    world
}

#[test]
fn a_machine_on_which_all_is_well_has_no_failure() {
    let world = fleet();
    let output = world.run(&["doctor", "--json"]).exits(0);
    assert_eq!(with(&output, "fail"), [""; 0], "{}", output.stdout);
    let ok = with(&output, "ok");
    for name in ["program", "configuration", "state folder", "database", "queue folder", "git program", "git identity"]
    {
        assert!(ok.iter().any(|it| it == name), "{name}: {}", output.stdout);
    }
    assert!(found(&output, "database").ends_with("jobs in it: 1"));
    assert!(found(&output, "repository").contains("`main`"));
    assert!(found(&output, "confinement").contains("landlock-"), "{}", found(&output, "confinement"));
    let off = Output::of(world.fleet().args(["doctor", "--json"]).env("FLEET_CONFINEMENT", "off")).exits(0);
    assert!(found(&off, "confinement").contains("unconfined: `confinement.mode` is `off`"));
    let lines = world.run(&["doctor"]).exits(0);
    assert!(lines.stdout.lines().any(|line| line.starts_with("ok   git identity: Ann")), "{}", lines.stdout);
}

#[test]
fn each_broken_prerequisite_fails_its_own_check_and_the_command() {
    type Break = fn(&World) -> Vec<(&'static str, PathBuf)>;
    let breaks: &[(&str, Break)] = &[
        ("configuration", |it| wrote(it, "fleet.toml", "[engines.mine]\ncommand = [\"sh\"]\ncomand = 1\n")),
        ("profiles", |it| wrote(it, "profiles/odd.md", "---\nretry: x\n---\nYou.\n")),
        ("engine ghost", |it| wrote(it, "fleet.toml", "[engines.ghost]\ncommand = [\"./no-such-agent\"]\n")),
        ("engine clod", |it| wrote(it, "fleet.toml", "[defaults]\nengine = \"clod\"\n")),
        ("credentials mine", |it| {
            wrote(it, "fleet.toml", "[engines.mine]\ncommand = [\"sh\"]\ncredentials = { env = [\"NO_KEY\"] }\n")
        }),
        ("database", |it| {
            // The log beside it holds all that was written lately, and would stand in.
            fs::remove_file(it.repo().join(".fleet/fleet.db-wal")).expect("the database has a log");
            wrote(it, ".fleet/fleet.db", &"this is a letter, not a database\n".repeat(100))
        }),
        ("queue folder", |it| {
            fs::remove_dir_all(it.repo().join("tasks/review")).expect("the bucket can be removed");
            wrote(it, "tasks/review", "a file")
        }),
        // Not even root writes there.
        ("state folder", |_| vec![("FLEET_HOME", PathBuf::from("/proc/self"))]),
        ("git program", |it| vec![("PATH", it.folder().join("home"))]),
        ("repository", |it| {
            fs::remove_dir_all(it.repo().join(".git")).expect("the repository can be removed");
            it.git(&["init", "-q", "-b", "main"]);
            Vec::new()
        }),
    ];
    for (name, break_it) in breaks {
        let world = fleet();
        let variables = break_it(&world);
        let output = Output::of(world.fleet().args(["doctor", "--json"]).envs(variables)).exits(1);
        assert_eq!(with(&output, "fail"), [*name], "{}", output.stdout);
        let report = output.json();
        let failed = report["checks"].as_array().expect("checks").iter().find(|check| check["verdict"] == "fail");
        assert!(failed.is_some_and(|check| check["remedy"].is_string()), "{name} comes with a remedy");
    }
}

fn wrote(world: &World, path: &str, text: &str) -> Vec<(&'static str, PathBuf)> {
    world.write(path, text);
    Vec::new()
}

#[test]
fn it_works_with_nothing_at_all_and_makes_nothing() {
    let world = World::bare();
    let output =
        Output::of(world.fleet().args(["doctor", "--json"]).env_remove("HOME").env_remove("XDG_CONFIG_HOME")).exits(0);
    assert_eq!(with(&output, "fail"), [""; 0]);
    assert!(with(&output, "skip").iter().any(|name| name == "database"));
    assert_eq!(fs::read_dir(world.repo()).expect("the folder can be read").count(), 0);

    let world = World::new();
    world.run(&["doctor"]).exits(0);
    assert!(!world.exists(".fleet") && !world.exists("tasks"), "a look makes no fleet");
}

#[test]
fn a_living_runner_is_told_and_a_killed_one_leaves_orphans() {
    let world = fleet();
    let id = world.submit_script("slow", "", "say waiting\nrun sleep 300");
    let mut runner = world
        .fleet()
        .args(["run", "--once"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the runner starts");
    until("the agent to work", || {
        let log = world.run(&["logs", &id]);
        (log.code == 0 && log.stdout.contains("waiting")).then_some(())
    });
    let output = world.run(&["doctor", "--json"]).exits(0);
    assert!(found(&output, "runner").contains(&format!("process {}", runner.id())), "{}", output.stdout);
    assert!(with(&output, "ok").iter().any(|name| name == "orphaned runs"), "{}", output.stdout);

    runner.kill().expect("the runner lives");
    runner.wait().expect("the runner can be waited for");
    let output = world.run(&["doctor", "--json"]).exits(0);
    assert!(with(&output, "warn").iter().any(|name| name == "orphaned runs"), "{}", output.stdout);
    assert!(found(&output, "orphaned runs").contains(&id), "{}", output.stdout);

    // The agent lives, so its job is not taken back; once a person has taken it, nothing keeps the agent.
    world.run(&["cancel", &id]).exits(0);
    world.run(&["recover"]).exits(0);
    let output = world.run(&["doctor", "--json"]).exits(0);
    assert!(with(&output, "ok").iter().any(|name| name == "orphaned runs"), "{}", output.stdout);
}
