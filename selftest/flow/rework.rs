//! Second chances: retries that know the failure, reviews that send back, dead letters that return.

use serde_json::json;

use crate::world::World;

#[test]
fn a_retry_starts_from_the_work_so_far_and_is_told_the_failure() {
    let world = World::new();
    let task = "---\nengine: scripted\nverify: ./check.sh\nretry: {max: 1, backoff: 0s}\n---\n# Second chance\n\n\
        ```script run=1\nwrite kept.txt kept\nwrite done.txt no\n```\n\
        ```script run=2\nexpect done.txt does not say yes\nexpect verify_failed\nrun test -f kept.txt\nwrite done.txt yes\n```\n";
    let id = world.submit("second-chance.md", task);
    world.run_once();
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["runs"], &job["attempts"]), (&json!("testing"), &json!(2), &json!(2)), "{job:#}");
    let runs = world.run(&["runs", &id, "--json"]).exits(0).json();
    assert_eq!(runs["runs"][0]["result"], "verify_failed");
    let first = world.run(&["logs", &id, "--run", "1", "--stream", "verify"]).exits(0).stdout;
    assert!(first.contains("done.txt does not say yes"), "{first}");
}

#[test]
fn a_job_that_always_crashes_runs_three_times_and_is_dead_lettered_and_redriven() {
    let world = World::new();
    let front = "verify: ./check.sh\nretry: {max: 2, backoff: 0s, on: [crash]}\n";
    let id = world.submit_script("crash", front, "run echo $RANDOM$$ >> log.txt\nrun kill -9 $PPID");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(
        (&job["stage"], &job["result"], &job["runs"]),
        (&json!("dead_letter"), &json!("retries_exhausted"), &json!(3)),
        "{job:#}"
    );
    world.run(&["requeue", &id]).exits(4);
    world.run(&["redrive", &id]).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["attempts"], &job["runs"]), (&json!("queued"), &json!(0), &json!(3)), "{job:#}");
}

#[test]
fn a_reviewer_s_wish_reaches_the_next_run_and_costs_no_attempt() {
    let world = World::new();
    let task = "---\nengine: scripted\nverify: ./check.sh\nreview-policy: manual\n---\n# Say yes\n\n\
        ```script run=1\nwrite done.txt yes\n```\n\
        ```script run=2\nexpect please add a note\nrun test -f done.txt\nwrite note.txt noted\n```\n";
    let id = world.submit("say-yes.md", task);
    world.run_once();
    assert_eq!(world.stage(&id), "review");
    world.run(&["request-changes", &id, "--reason", "please add a note"]).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["attempts"]), (&json!("queued"), &json!(0)), "{job:#}");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["stage"], "review", "{job:#}");
    let branch = job["branch"].as_str().expect("a branch").to_owned();
    assert_eq!(world.git(&["show", &format!("{branch}:note.txt")]), "noted");
    world.run(&["approve", &id]).exits(0);
    world.run(&["ship", &id]).exits(0);
    assert_eq!(world.read("note.txt"), "noted\n");
}

#[test]
fn a_rejected_job_stays_failed_and_its_branch_stays() {
    let world = World::new();
    let id = world.submit_script("no", "verify: ./check.sh\n", "write done.txt yes");
    world.run_once();
    world.run(&["reject", &id, "--reason", "not like this"]).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("rejected")), "{job:#}");
    assert!(world.git(&["branch", "--list", "fleet/*"]).contains(&id));
    let shown = world.run(&["show", &id]).exits(0).stdout;
    assert!(shown.contains("not like this"), "{shown}");
}

#[test]
fn a_script_may_say_no_and_once_more_without_a_reason() {
    let world = World::new();
    let id = world.submit_script("no", "verify: ./check.sh\n", "write done.txt yes");
    world.run_once();
    world.run(&["request-changes", &id]).exits(0);
    assert_eq!(world.stage(&id), "queued", "{:#}", world.job(&id));
    world.run_once();
    world.run(&["reject", &id]).exits(0);
    assert_eq!(world.job(&id)["result"], "rejected", "{:#}", world.job(&id));
}

/// An engine that speaks as claude does, and forgets every session.
const FORGETFUL: &str = r#"#!/bin/sh
case "$*" in *--resume*)
    echo '{"type":"result","subtype":"error_during_execution","is_error":true,"num_turns":0,"session_id":"s","errors":["No conversation found with session ID: s"]}'
    exit 1 ;;
esac
if test -f done.txt; then echo yes > done.txt; else echo no > done.txt; fi
echo '{"type":"system","subtype":"init","session_id":"s"}'
echo '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"session_id":"s","result":"done","total_cost_usd":0.1,"usage":{"input_tokens":1,"output_tokens":1}}'
"#;

#[test]
fn a_session_that_the_engine_forgot_is_begun_anew_and_its_work_counts() {
    let world = World::new();
    world.write("forgetful.sh", FORGETFUL);
    world.make_executable("forgetful.sh");
    world.write(
        "fleet.toml",
        "[engines.forgetful]\ncommand = [\"./forgetful.sh\"]\noutput = \"claude\"\nresume = [\"--resume\", \"{session}\"]\n",
    );
    let task = "---\nengine: forgetful\nverify: ./check.sh\nretry: {max: 1, backoff: 0s}\n---\n# Again\n";
    let id = world.submit("again.md", task);
    world.run_once();
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["runs"]), (&json!("testing"), &json!(2)), "{job:#}");
    let said = world.run(&["logs", &id, "--stream", "worker"]).exits(0).stdout;
    assert!(said.contains("does not know its session any more"), "{said}");
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(world.git(&["show", &format!("{branch}:done.txt")]), "yes");
}
