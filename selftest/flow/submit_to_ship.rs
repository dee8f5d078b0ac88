//! A task becomes proven work on a branch, and a person ships it.

use serde_json::json;

use crate::world::World;

#[test]
fn a_task_becomes_a_proven_branch_and_ships_into_the_checkout() {
    let world = World::new();
    let before = (world.git(&["rev-parse", "HEAD"]), world.git(&["status", "--porcelain"]));
    let id = world.submit_script("say-yes", "verify: ./check.sh\n", "say working\nwrite done.txt yes\ncommit say yes");
    assert_eq!(world.stage(&id), "queued");
    assert!(world.exists("tasks/inbox/say-yes.md"));
    world.run_once();

    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("testing"), &json!("ok")), "{job:#}");
    assert!(world.exists("tasks/testing/say-yes.md") && !world.exists("tasks/inbox/say-yes.md"));
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(branch, format!("fleet/{id}-say-yes"));
    assert_eq!(world.git(&["show", &format!("{branch}:done.txt")]), "yes");
    assert_eq!(job["diff"], json!({"files": 1, "added": 1, "deleted": 0}));
    assert_eq!(job["headCommit"], world.git(&["rev-parse", branch]));
    let runs = world.run(&["runs", &id, "--json"]).exits(0).json();
    let evidence = &runs["runs"][0]["evidence"];
    assert_eq!(evidence["verify"]["exitCode"], 0);
    assert_eq!(evidence["commits"].as_array().map(Vec::len), Some(1));
    assert_eq!(evidence["clean"], true);
    let now = (world.git(&["rev-parse", "HEAD"]), world.git(&["status", "--porcelain", "--", ".", ":!tasks"]));
    assert_eq!(before, now, "the checkout is never touched");
    assert_eq!(world.run(&["diff", &id]).exits(0).stdout.trim_end(), world.git(&["diff", &format!("main...{branch}")]));

    world.run(&["ship", &id]).exits(0);
    assert_eq!(world.stage(&id), "shipped");
    assert_eq!(world.read("done.txt"), "yes\n", "the checkout follows its branch");
    assert!(world.exists("tasks/shipped/say-yes.md"));
    let events = world.run(&["events", &id, "--json"]).exits(0).json();
    let types: Vec<&str> =
        events["events"].as_array().expect("events").iter().filter_map(|event| event["type"].as_str()).collect();
    let order = ["submitted", "claimed", "started", "verify_passed", "shipped"];
    let mut rest = types.iter();
    assert!(order.iter().all(|step| rest.any(|seen| seen == step)), "{order:?} in this order within {types:?}");
}

#[test]
fn uncommitted_work_is_committed_with_the_job_s_name() {
    let world = World::new();
    let id = world.submit_script("leave-it", "verify: ./check.sh\n", "write done.txt yes");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}");
    let branch = job["branch"].as_str().expect("a branch");
    assert!(world.git(&["log", "-1", "--format=%B", branch]).contains(&id));
    assert_eq!(world.git(&["rev-list", "--count", &format!("main..{branch}")]), "1");
}

#[test]
fn a_bare_task_without_verify_waits_in_review() {
    let world = World::new();
    world.write("fleet.toml", "[defaults]\nengine = \"scripted\"\n");
    let id = world.submit("plain.md", "```script\nwrite a.txt a\n```\n");
    world.run_once();
    assert_eq!(world.stage(&id), "review");
    world.run(&["promote", &id]).exits(0);
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn shipping_is_refused_on_a_dirty_checkout_and_on_conflicts_and_changes_nothing() {
    let world = World::new();
    let id = world.submit_script("say-yes", "verify: ./check.sh\n", "write done.txt yes\nwrite README.md theirs");
    world.run_once();
    world.write("README.md", "# mine\n");
    let refused = world.run(&["ship", &id]).exits(4);
    assert!(refused.stderr.contains("README.md"), "{}", refused.stderr);
    assert_eq!((world.stage(&id), world.read("README.md")), ("testing".to_owned(), "# mine\n".to_owned()));

    world.commit("mine");
    let head = world.git(&["rev-parse", "HEAD"]);
    let refused = world.run(&["ship", &id]).exits(4);
    assert!(refused.stderr.contains("conflict") && refused.stderr.contains("README.md"), "{}", refused.stderr);
    assert_eq!((world.stage(&id), world.git(&["rev-parse", "HEAD"])), ("testing".to_owned(), head));
    assert_eq!(world.git(&["status", "--porcelain", "--", ".", ":!tasks", ":!fleet.toml"]), "");
}
