//! Work is saved while it goes on, and what a next run starts from.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::world::{Output, World, until};

#[test]
fn the_timer_saves_a_running_agent_s_work_again_and_again_and_touches_nothing_else() {
    let world = World::new();
    world.write("fleet.toml", "[worker]\ncheckpoint = \"100ms\"\n");
    let before = (world.git(&["rev-parse", "main"]), world.git(&["status", "--porcelain", "--", "README.md"]));
    let [first, second] = ["first", "second"].map(|name| world.shared().join(name));
    let wait = |gate: &std::path::Path| format!("run while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    let script =
        format!("write one.txt one\n{}\nwrite two.txt two\n{}\nwrite done.txt yes", wait(&first), wait(&second));
    let id = world.submit_script("saving", "verify: ./check.sh\n", &script);
    let mut runner = world.fleet();
    runner.args(["run", "--once"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let runner = runner.spawn().expect("a runner starts");
    let saved = |file: &str| {
        let shown = Output::of(world.command("git").args(["show", &format!("refs/fleet/wip/{id}:{file}")]));
        (shown.code == 0).then_some(shown.stdout)
    };
    assert_eq!(until("the first file to be saved", || saved("one.txt")), "one\n");
    assert_eq!(saved("two.txt"), None);
    fs::write(&first, "").expect("the first gate opens");
    assert_eq!(until("the second file to be saved", || saved("two.txt")), "two\n");
    assert_eq!(world.job(&id)["stage"], "building", "it still works");
    let after = (world.git(&["rev-parse", "main"]), world.git(&["status", "--porcelain", "--", "README.md"]));
    assert_eq!(after, before);
    assert_eq!(world.git(&["for-each-ref", "refs/heads/fleet"]), "", "no branch before the run has ended");
    fs::write(&second, "").expect("the second gate opens");
    Output::finish(runner).exits(0);
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn a_retry_goes_on_from_the_work_or_starts_afresh_as_the_task_says() {
    for (resume, step) in [("true", "run test -e half.txt"), ("false", "run test ! -e half.txt")] {
        let world = World::new();
        let front = format!("verify: ./check.sh\nretry: {{max: 1, backoff: 1ms, resume: {resume}}}\n");
        let script = format!("write half.txt half\nexit 3\n```\n\n```script run=2\n{step}\nwrite done.txt yes");
        let id = world.submit_script("again", &front, &script);
        let job = world.until_stage_after_runs(&id, "testing");
        assert_eq!((&job["runs"], &job["result"]), (&json!(2), &json!("ok")), "resume: {resume}: {job:#}");
        let branch = job["branch"].as_str().expect("a branch");
        let files = world.git(&["ls-tree", "--name-only", branch]);
        assert_eq!(files.contains("half.txt"), resume == "true", "{files}");
    }
}
