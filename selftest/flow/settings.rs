//! What `fleet.toml` says about retries and commits is what happens.

use serde_json::json;

use crate::world::World;

#[test]
fn a_job_is_tried_again_as_often_and_after_such_waits_as_the_configuration_says() {
    let world = World::new();
    world.write("fleet.toml", "[retry]\nmax = 1\nbase = \"10ms\"\nmultiplier = 3\ncap = \"20ms\"\n");
    let id = world.submit_script("again", "verify: ./check.sh\nretry: {}\n", "exit 3");
    let shown = world.run(&["show", &id, "--manifest"]).exits(0).stdout;
    assert!(shown.contains("10ms x3 to 20ms") && shown.contains("max: 1"), "the job keeps to it:\n{shown}");
    world.until_stage_after_runs(&id, "dead_letter");
    let job = world.job(&id);
    assert_eq!((&job["result"], &job["attempts"]), (&json!("retries_exhausted"), &json!(2)), "{job:#}");
}

#[test]
fn the_commits_of_agent_and_fleet_carry_the_configured_name_and_the_job() {
    let world = World::new();
    world.write("fleet.toml", "[git]\nidentity = \"Fleet Bot <bot@example.org>\"\n");
    let script = "run echo yes > done.txt && git add done.txt && git commit -q --no-verify -m 'The work'\n\
                  run git commit -q --allow-empty --amend --no-edit\nwrite left.txt left";
    let id = world.submit_script("bot", "verify: ./check.sh\n", script);
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}");
    world.run(&["ship", &id]).exits(0);
    let format = "--format=%an <%ae>|%cn <%ce>|%(trailers:key=Fleet-Job,valueonly,separator=%x2C)";
    let commits = world.git(&["log", "--max-count=3", "--topo-order", format, "main"]);
    let bot = "Fleet Bot <bot@example.org>";
    let expected = [format!("{bot}|{bot}|{id}").as_str(); 3].join("\n");
    assert_eq!(commits, expected, "the agent's commit, the one of what it left, the merge");
}

#[test]
fn without_a_configured_name_commits_are_yours_and_carry_the_job_all_the_same() {
    let world = World::new();
    world.git(&["config", "user.name", "Ann"]);
    world.git(&["config", "user.email", "ann@example.org"]);
    let script = "run echo yes > done.txt && git add done.txt && git commit -q -m 'The work'";
    let id = world.submit_script("mine", "verify: ./check.sh\n", script);
    world.run_once();
    let branch = world.job(&id)["branch"].as_str().expect("a branch").to_owned();
    let said = world.git(&["log", "-1", "--format=%an|%B", &branch]);
    assert_eq!(said.trim_end(), format!("Ann|The work\n\nFleet-Job: {id}"));
}
