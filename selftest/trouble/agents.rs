//! Agents and verify commands that turn on what holds them. None may keep the queue busy for ever.
//!
//! They are not confined, as on a kernel that cannot: a confined one does not reach its supervisor at all.

use serde_json::{Value, json};

use crate::world::{Output, World};

/// Drains the queue, with an end for the case that it would never end.
#[track_caller]
fn drain(world: &World) -> Output {
    let fleet = env!("CARGO_BIN_EXE_fleet");
    let mut command = world.command("timeout");
    command.args(["-s", "KILL", "40", fleet, "run", "--once"]).env("FLEET_CONFINEMENT", "off");
    let output = Output::of(&mut command);
    assert!(output.code != -1, "it went on and on:\n{}", output.stderr);
    output
}

fn outcome(job: &Value) -> (&str, &str) {
    (job["stage"].as_str().unwrap_or_default(), job["result"].as_str().unwrap_or_default())
}

/// An engine that is a shell script.
fn shell_engine(world: &World, script: &str) {
    world.write("agent.sh", &format!("#!/bin/sh\n{script}\n"));
    world.make_executable("agent.sh");
    world.write("fleet.toml", "[engines.shell]\ncommand = [\"./agent.sh\"]\nprompt = \"stdin\"\n");
}

#[test]
fn a_verify_command_that_kills_its_supervisor_proves_nothing_and_is_ended() {
    let world = World::new();
    let id = world.submit_script("killing", "verify: 'kill -9 $PPID; sleep 300'\n", "write done.txt yes");
    drain(&world).exits(0);
    let job = world.job(&id);
    assert_eq!((outcome(&job), &job["runs"]), (("failed", "verify_failed"), &json!(1)), "{job:#}");
}

#[test]
fn a_verify_command_that_stops_its_supervisor_and_then_succeeds_proves_nothing() {
    let world = World::new();
    let verify = "verify: 'trap \"exit 0\" TERM; kill $PPID; while :; do sleep 0.1; done'\n";
    let id = world.submit_script("stopping", verify, "write done.txt yes");
    drain(&world).exits(0);
    assert_eq!(outcome(&world.job(&id)), ("failed", "verify_failed"));
}

#[test]
fn an_agent_that_stops_its_supervisor_each_time_is_not_started_for_ever() {
    let world = World::new();
    shell_engine(&world, "kill $PPID\nsleep 300");
    let id = world.submit("stopping.md", "---\nengine: shell\nverify: ./check.sh\n---\n# Stopping\n");
    drain(&world).exits(0);
    let job = world.job(&id);
    assert_eq!(outcome(&job), ("failed", "crash"), "{job:#}");
}

#[test]
fn an_agent_that_opens_its_error_output_anew_is_read_on() {
    let world = World::new();
    shell_engine(
        &world,
        "echo 'a first line that is quite long' >&2\nsleep 1\necho short > /dev/stderr\necho 'last words' >&2\necho yes > done.txt",
    );
    let id = world.submit("cutting.md", "---\nengine: shell\nverify: ./check.sh\n---\n# Cutting\n");
    drain(&world).exits(0);
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    let log = world.run(&["logs", &id, "--stream", "stderr"]).exits(0).stdout;
    for line in ["a first line that is quite long", "short", "last words"] {
        assert!(log.contains(line), "`{line}` in\n{log}");
    }
}

#[test]
fn an_agent_that_wrecks_its_workspace_fails_alone() {
    for wreck in [
        "rm -rf \"$PWD\"",
        "cd ..; rm -rf tree; echo x > tree",
        "cd ..; rm -rf tree; ln -s /etc tree",
        "rm -rf ../view",
        "echo x > ../workspace.json",
        "cd ../..; rm -rf \"$FLEET_JOB\"",
        "rm -rf .git; echo x > .git",
    ] {
        let world = World::new();
        shell_engine(&world, wreck);
        let id = world.submit("wreck.md", "---\nengine: shell\nverify: ./check.sh\n---\n# Wreck\n");
        let good = world.submit_script("good", "verify: ./check.sh\n", "write done.txt yes");
        let output = drain(&world);
        let job = world.job(&id);
        assert_eq!(world.stage(&good), "testing", "{wreck}: {}", output.stderr);
        assert_eq!((output.code, job["stage"].as_str()), (0, Some("failed")), "{wreck}: {job:#}");
    }
}
