//! What people see and do while an agent works, and what changes under its feet.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::world::{Output, World, processes_of, until};

/// The pid of the script step that the agent of this world is in.
fn agent_of(world: &World) -> Option<String> {
    let found = processes_of(&world.repo().join(".fleet"));
    found.iter().find(|line| line.contains("until-told")).and_then(|line| line.split(' ').next()).map(str::to_owned)
}

fn state_of(pid: &str) -> Option<char> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit(')').next()?.trim_start().chars().next()
}

#[test]
fn a_running_agent_is_paused_and_resumed_and_ends_as_it_would_have() {
    let world = World::new();
    let go = world.folder().join("go");
    let script = format!("run : until-told; while ! test -f {}; do sleep 0.05; done\nwrite done.txt yes", go.display());
    let id = world.submit_script("pausing", "verify: ./check.sh\n", &script);
    let runner =
        world.fleet().arg("run").arg("--once").stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("a runner");
    let pid = until("the agent to be at its step", || agent_of(&world));
    world.run(&["pause", &id]).exits(0);
    until("the agent to stand still", || (state_of(&pid) == Some('T')).then_some(()));
    assert_eq!(world.job(&id)["paused"], true);
    fs::write(&go, "").expect("the way is free");
    world.run(&["resume", &id]).exits(0);
    Output::finish(runner).exits(0);
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
}

#[test]
fn a_verify_command_is_paused_and_resumed_like_the_agent() {
    let world = World::new();
    let go = world.folder().join("go");
    let front = format!("verify: ': until-told; while ! test -f {}; do sleep 0.05; done'\n", go.display());
    let id = world.submit_script("verifying", &front, "write done.txt yes");
    let runner =
        world.fleet().arg("run").arg("--once").stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("a runner");
    let pid = until("the verify command to be at its step", || agent_of(&world));
    world.run(&["pause", &id]).exits(0);
    until("the verify command to stand still", || (state_of(&pid) == Some('T')).then_some(()));
    fs::write(&go, "").expect("the way is free");
    world.run(&["resume", &id]).exits(0);
    Output::finish(runner).exits(0);
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
}

#[test]
fn progress_that_an_agent_tells_is_shown_while_it_works() {
    let world = World::new();
    let go = world.folder().join("go");
    let script = format!(
        "FLEET_PROGRESS {{\"step\": 2, \"of\": 5, \"status\": \"halfway\"}}\nrun while ! test -f {}; do sleep 0.05; done\nwrite done.txt yes",
        go.display()
    );
    let id = world.submit_script("telling", "verify: ./check.sh\n", &script);
    let runner =
        world.fleet().arg("run").arg("--once").stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("a runner");
    let progress =
        until("the progress", || Some(world.job(&id)["progress"].clone()).filter(|progress| !progress.is_null()));
    assert_eq!((&progress["step"], &progress["of"], &progress["status"]), (&json!(2), &json!(5), &json!("halfway")));
    fs::write(&go, "").expect("the way is free");
    Output::finish(runner).exits(0);
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn a_foreground_run_tells_what_the_agent_does_and_exits_by_the_result() {
    let world = World::new();
    let good = world.folder().join("good.md");
    fs::write(&good, "---\nengine: scripted\nverify: ./check.sh\n---\n# Good\n\n```script\nsay working on it\nwrite done.txt yes\n```\n").expect("a task");
    let run = world.run(&["run", good.to_str().expect("UTF-8")]).exits(0);
    assert!(run.stdout.contains("working on it"), "{}", run.stdout);
    let bad = world.folder().join("bad.md");
    fs::write(&bad, "---\nengine: scripted\nverify: ./check.sh\n---\n# Bad\n\n```script\nwrite done.txt no\n```\n")
        .expect("a task");
    let run = world.run(&["run", bad.to_str().expect("UTF-8")]).exits(1);
    assert!(run.stderr.contains("verify_failed"), "{}", run.stderr);
}

/// A job that failed its check with `shared.txt` written, on a base that has moved on meanwhile.
fn retried_on_a_moved_base(theirs: &str, second: &str) -> (World, String) {
    let world = World::new();
    world.write("shared.txt", "one\ntwo\nthree\n");
    world.commit("shared");
    let task = format!(
        "---\nengine: scripted\nverify: ./check.sh\n---\n# Moved\n\n```script run=1\nwrite shared.txt ONE\\ntwo\\nthree\n```\n```script run=2\n{second}\nwrite done.txt yes\n```\n"
    );
    let id = world.submit("moved.md", &task);
    world.run_once();
    assert_eq!(world.stage(&id), "failed");
    world.write("shared.txt", theirs);
    world.commit("the base moves");
    world.run(&["requeue", &id]).exits(0);
    world.run_once();
    (world, id)
}

#[test]
fn a_retry_is_brought_up_to_date_with_a_base_that_moved() {
    let (world, id) =
        retried_on_a_moved_base("one\ntwo\nTHREE\n", "run grep -qx ONE shared.txt && grep -qx THREE shared.txt");
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    world.run(&["ship", &id]).exits(0);
    assert_eq!(world.read("shared.txt"), "ONE\ntwo\nTHREE\n");
}

#[test]
fn a_conflict_with_the_base_becomes_part_of_the_task() {
    let (world, id) = retried_on_a_moved_base("uno\ntwo\nthree\n", "expect - shared.txt");
    assert_eq!(world.stage(&id), "testing", "the agent was told the file: {:#}", world.job(&id));
}

#[test]
fn the_checkout_s_every_byte_is_the_same_after_runs_that_pass_fail_and_are_killed() {
    let world = World::new();
    world.write("untracked.txt", "mine\n");
    let look = || {
        let index = fs::read(world.repo().join(".git/index")).expect("the index");
        let config = fs::read(world.repo().join(".git/config")).expect("the settings");
        let hooks = fs::read_dir(world.repo().join(".git/hooks")).map_or(0, Iterator::count);
        (
            index,
            config,
            hooks,
            world.git(&["rev-parse", "HEAD"]),
            world.git(&["status", "--porcelain", "--", ".", ":!tasks"]),
        )
    };
    let before = look();
    for (i, script) in [
        "write done.txt yes",
        "exit 3",
        "run kill -9 $PPID",
        "run rm -rf .git; rm -rf *",
        "run git config --global core.hooksPath /x; git checkout -q -b other; git config user.name evil",
    ]
    .iter()
    .enumerate()
    {
        world.submit_script(&format!("job-{i}"), "verify: ./check.sh\n", script);
    }
    world.run_once();
    assert_eq!(before, look());
}
