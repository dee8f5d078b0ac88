//! Runners that meet, stop and die.

use std::process::{Child, Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::world::{Output, World, until};

fn start(world: &World, args: &[&str]) -> Child {
    world
        .fleet()
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the runner starts")
}

fn signal(runner: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(runner.id()).expect("a pid fits")), signal).expect("the runner lives");
}

const SLOW: &str = "write half.txt half\nrun test -f ../go || { echo waiting; while ! test -f \"$GO\"; do sleep 0.05; done; }\nwrite done.txt yes";

/// A task that writes `half.txt`, then waits for `go` in the world's folder.
fn waiting_task(world: &World) -> String {
    let go = world.folder().join("go");
    let script = SLOW.replace("../go", "/nonexistent").replace("\"$GO\"", &go.display().to_string());
    world.submit_script("slow", "verify: ./check.sh\n", &script)
}

fn until_half_written(world: &World, id: &str) {
    until("the agent to have said that it waits", || {
        let log = world.run(&["logs", id]);
        (log.code == 0 && log.stdout.contains("waiting")).then_some(())
    });
}

#[test]
fn twenty_runners_at_once_run_each_job_exactly_once() {
    let world = World::new();
    let ids: Vec<String> = (0..6)
        .map(|i| {
            world.submit_script(
                &format!("job-{i}"),
                "verify: ./check.sh\n",
                &format!("write done.txt yes\nwrite n.txt {i}"),
            )
        })
        .collect();
    let runners: Vec<Child> = (0..20).map(|_| start(&world, &["run", "--once"])).collect();
    let mut codes: Vec<i32> = runners.into_iter().map(|runner| Output::finish(runner).code).collect();
    codes.sort_unstable();
    assert!(codes.iter().all(|code| [0, 7].contains(code)) && codes.contains(&0) && codes.contains(&7), "{codes:?}");
    // A starter that came after the drain may have found nothing; but no job may be left, and none may have run twice.
    world.run_once();
    for id in ids {
        let job = world.job(&id);
        assert_eq!((&job["stage"], &job["runs"]), (&json!("testing"), &json!(1)), "{job:#}");
    }
}

#[test]
fn a_signal_drains_and_the_job_goes_on_from_its_checkpoint() {
    let world = World::new();
    let id = waiting_task(&world);
    let runner = start(&world, &["run"]);
    until_half_written(&world, &id);
    signal(&runner, Signal::SIGTERM);
    Output::finish(runner).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["attempts"]), (&json!("queued"), &json!(0)), "{job:#}");
    assert_ne!(job["lease"]["status"], "active", "no lease is left");
    let commit = job["checkpoint"]["commit"].as_str().expect("a checkpoint").to_owned();
    assert_eq!(world.git(&["show", &format!("{commit}:half.txt")]), "half");
    std::fs::write(world.folder().join("go"), "").expect("the way is free");
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn the_job_of_a_killed_runner_and_a_killed_agent_returns_once_with_the_attempt_counted() {
    let world = World::new();
    let id = waiting_task(&world);
    let mut runner = start(&world, &["run"]);
    until_half_written(&world, &id);
    signal(&runner, Signal::SIGKILL);
    runner.wait().expect("the runner is gone");
    let agent = std::fs::read(world.repo().join(format!(".fleet/runs/{id}/1/agent/agent.json"))).expect("the agent");
    let agent: serde_json::Value = serde_json::from_slice(&agent).expect("its identity");
    let agent = i32::try_from(agent["pid"].as_i64().expect("a pid")).expect("a pid");
    kill(Pid::from_raw(agent), Signal::SIGKILL).expect("the agent lives");
    world.run(&["recover"]).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["attempts"], &job["runs"]), (&json!("queued"), &json!(1), &json!(1)), "{job:#}");
    let rev = job["rev"].clone();
    world.run(&["recover"]).exits(0);
    assert_eq!(world.job(&id)["rev"], rev, "recovering twice changes nothing the second time");
    let commit = job["checkpoint"]["commit"].as_str().expect("the work so far is kept").to_owned();
    assert_eq!(world.git(&["show", &format!("{commit}:half.txt")]), "half");
    std::fs::write(world.folder().join("go"), "").expect("the way is free");
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn cancelling_a_running_job_ends_its_agent() {
    let world = World::new();
    let id = waiting_task(&world);
    let runner = start(&world, &["run"]);
    until_half_written(&world, &id);
    world.run(&["cancel", &id, "--reason", "changed my mind"]).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("cancelled")), "{job:#}");
    until("the agent to be gone", || {
        let left = crate::world::processes_of(&world.folder().join("repo/.fleet"));
        left.iter().all(|process| !process.contains("scripted")).then_some(())
    });
    signal(&runner, Signal::SIGTERM);
    Output::finish(runner).exits(0);
    assert_eq!(world.job(&id)["runs"], 1, "no further run");
    let kept = world.git(&["show", &format!("refs/fleet/wip/{id}:half.txt")]);
    assert_eq!(kept, "half", "its work is kept");
}

#[test]
fn a_second_runner_is_refused_at_once_and_told_of_the_first() {
    let world = World::new();
    let id = waiting_task(&world);
    let runner = start(&world, &["run"]);
    until_half_written(&world, &id);
    let refused = world.run(&["run"]).exits(7);
    assert!(refused.stderr.contains(&runner.id().to_string()), "{}", refused.stderr);
    std::fs::write(world.folder().join("go"), "").expect("the way is free");
    world.until_stage(&id, "testing");
    signal(&runner, Signal::SIGTERM);
    Output::finish(runner).exits(0);
}

#[test]
fn jobs_with_one_lock_run_one_after_another_and_others_do_not_wait() {
    let world = World::new();
    let mark = world.shared().join("marks");
    let step = |name: &str| {
        format!("run echo start {name} >> {0}; sleep 0.3; echo end {name} >> {0}\nwrite done.txt yes", mark.display())
    };
    for (name, lock) in [("a1", "A"), ("a2", "A"), ("b", "B")] {
        world.submit_script(name, &format!("verify: ./check.sh\nlock: {lock}\n"), &step(name));
    }
    world.run(&["run", "--once", "--max", "3"]).exits(0);
    let marks = std::fs::read_to_string(&mark).expect("the marks");
    let at = |line: &str| marks.lines().position(|seen| seen == line).unwrap_or_else(|| panic!("{line} in\n{marks}"));
    assert!(at("end a1") < at("start a2") || at("end a2") < at("start a1"), "one lock, one job:\n{marks}");
    assert!(at("start b") < at("end a1").max(at("end a2")), "another lock does not wait:\n{marks}");
}

#[test]
fn a_foreground_run_beside_another_runner_watches_it_do_the_job() {
    let world = World::new();
    let first = waiting_task(&world);
    let runner = start(&world, &["run"]);
    until_half_written(&world, &first);
    for (done, code) in [("yes", 0), ("no", 1)] {
        let task = world.folder().join(format!("{done}.md"));
        let script = format!("say working on {done}\nwrite done.txt {done}");
        let text = format!("---\nengine: scripted\nverify: ./check.sh\n---\n# Beside\n\n```script\n{script}\n```\n");
        std::fs::write(&task, text).expect("the task can be written");
        let run = world.run(&["run", task.to_str().expect("UTF-8")]).exits(code);
        assert!(run.stdout.contains(&format!("working on {done}")), "{}", run.stdout);
        assert!(run.stderr.contains(&runner.id().to_string()), "{}", run.stderr);
    }
    signal(&runner, Signal::SIGTERM);
    Output::finish(runner).exits(0);
}

#[test]
fn a_foreground_run_goes_on_when_the_other_runner_ends_before_its_turn() {
    let world = World::new();
    let first = waiting_task(&world);
    let runner = start(&world, &["run", "--max", "1"]);
    until_half_written(&world, &first);
    let task = world.folder().join("next.md");
    let text = "---\nengine: scripted\nverify: ./check.sh\n---\n# Next\n\n```script\nwrite done.txt yes\n```\n";
    std::fs::write(&task, text).expect("the task can be written");
    let beside = start(&world, &["run", task.to_str().expect("UTF-8")]);
    until("the second task to be queued", || {
        let jobs = world.run(&["jobs", "--json"]).exits(0).json();
        jobs["jobs"].as_array().is_some_and(|jobs| jobs.len() == 2).then_some(())
    });
    signal(&runner, Signal::SIGTERM);
    Output::finish(runner).exits(0);
    Output::finish(beside).exits(0);
}

#[test]
fn a_foreground_run_waits_for_the_next_try() {
    let world = World::new();
    let task = world.folder().join("again.md");
    let text = "---\nengine: scripted\nverify: ./check.sh\nretry: {max: 1, backoff: 1s, on: [verify_failed]}\n---\n# Again\n\n```script run=1\nwrite done.txt no\n```\n```script run=2\nwrite done.txt yes\n```\n";
    std::fs::write(&task, text).expect("the task can be written");
    world.run(&["run", task.to_str().expect("UTF-8")]).exits(0);
}
