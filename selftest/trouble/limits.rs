//! Time and money: a limit ends the whole tree and names itself.

use serde_json::{Value, json};

use crate::world::World;

fn ends(front: &str, script: &str) -> (World, Value) {
    let world = World::new();
    let id = world.submit_script("limit", &format!("verify: ./check.sh\n{front}"), script);
    world.run_once();
    let job = world.job(&id);
    (world, job)
}

fn outcome(job: &Value) -> (&str, &str) {
    (job["stage"].as_str().unwrap_or_default(), job["result"].as_str().unwrap_or_default())
}

#[test]
fn a_timeout_ends_an_agent_with_its_grandchildren_and_daemons() {
    let script = "spawn sleep 300\nrun (setsid sleep 301 >/dev/null 2>&1 &) ; sleep 302";
    let (_world, job) = ends("timeout: 1s\n", script);
    assert_eq!(outcome(&job), ("failed", "timeout"), "{job:#}");
    // The world fails the test if anything of it is still alive.
}

#[test]
fn of_timeout_and_wall_budget_the_earlier_one_names_the_result() {
    let hang = "run sleep 300";
    for (front, result) in [
        ("budget: {wall: 1s}\n", "budget_exceeded"),
        ("timeout: 1s\nbudget: {wall: 1h}\n", "timeout"),
        ("timeout: 1h\nbudget: {wall: 1s}\n", "budget_exceeded"),
    ] {
        assert_eq!(outcome(&ends(front, hang).1), ("failed", result), "{front}");
    }
}

#[test]
fn an_agent_that_spends_more_than_its_budget_is_stopped_and_its_work_is_kept() {
    let script =
        "write half.txt half\nusage {\"inputTokens\": 1000, \"outputTokens\": 10, \"costUsd\": 9.0}\nrun sleep 300";
    let (world, job) = ends("budget: {usd: 2.5}\nretry: {max: 1, backoff: 0s, on: [timeout]}\n", script);
    assert_eq!(outcome(&job), ("failed", "budget_exceeded"), "{job:#}");
    assert_eq!(job["runs"], 1, "a spent budget is not tried again");
    let commit = job["checkpoint"]["commit"].as_str().expect("a checkpoint").to_owned();
    assert_eq!(world.git(&["show", &format!("{commit}:half.txt")]), "half");
}

#[test]
fn an_agent_that_tells_only_at_its_end_what_it_spent_is_held_to_its_budget_too() {
    for (budget, expected) in [("{usd: 2.5}", ("failed", "budget_exceeded")), ("{usd: 9.5}", ("testing", "ok"))] {
        let script = "write done.txt yes\nusage {\"inputTokens\": 10, \"outputTokens\": 10, \"costUsd\": 9.0}";
        let (_world, job) = ends(&format!("budget: {budget}\n"), script);
        assert_eq!(outcome(&job), expected, "{job:#}");
    }
}

#[test]
fn a_verify_command_that_hangs_ends_with_the_job_s_time() {
    let world = World::new();
    let id = world.submit_script("hang", "verify: sleep 300\ntimeout: 2s\n", "write done.txt yes");
    world.run_once();
    assert_eq!(outcome(&world.job(&id)), ("failed", "timeout"));
}

#[test]
fn what_an_agent_leaves_running_is_ended_before_its_run_is_over() {
    let (_world, job) = ends("", "write done.txt yes\nrun (setsid sleep 300 >/dev/null 2>&1 &)");
    assert_eq!(outcome(&job), ("testing", "ok"), "{job:#}");
}

#[test]
fn how_an_agent_ended_is_told_apart() {
    for (script, result) in [("exit 3", "agent_failed"), ("run kill -9 $PPID", "crash")] {
        let (_world, job) = ends("", script);
        assert_eq!(outcome(&job), ("failed", result), "{script}: {job:#}");
    }
}

#[test]
fn a_missing_program_is_named_with_what_was_looked_for() {
    let world = World::new();
    world.write("fleet.toml", "[engines.ghost]\ncommand = [\"./no-such-agent\"]\n");
    let id = world.submit("ghost.md", "---\nengine: ghost\nverify: 'true'\n---\n# Ghost\n");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(outcome(&job), ("failed", "no_engine"), "{job:#}");
    assert!(job["message"].as_str().is_some_and(|message| message.contains("no-such-agent")), "{}", job["message"]);
    assert_eq!(job["leaseEpoch"].as_u64().map(|epoch| epoch >= 1), Some(true));
}

#[test]
fn an_unknown_engine_is_refused_at_submit_with_those_that_exist() {
    let world = World::new();
    let path = world.folder().join("task.md");
    std::fs::write(&path, "---\nengine: clod\n---\n# Anything\n").expect("the task can be written");
    let refused = world.run(&["submit", path.to_str().expect("a UTF-8 path")]).exits(2);
    assert!(refused.stderr.contains("clod") && refused.stderr.contains("claude"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    assert_eq!(world.run(&["jobs", "--json"]).exits(0).json()["jobs"], json!([]));
}
