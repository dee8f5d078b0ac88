//! Changes outside of an enforced scope reach no branch, and are not lost.

use serde_json::json;

use crate::world::World;

const ENFORCED: &str = "verify: ./check.sh\nallowed-scope: {paths: [\"done.txt\"], mode: enforce}\n";

fn branches(world: &World) -> String {
    world.git(&["for-each-ref", "--format=%(refname)", "refs/heads/fleet/"])
}

#[test]
fn an_enforced_scope_that_is_broken_leaves_no_branch_and_the_work_can_be_had_back() {
    let world = World::new();
    let id = world.submit_script("outside", ENFORCED, "write done.txt yes\nwrite secret.txt b");
    world.run_once();
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("scope_violation")), "{job:#}");
    assert_eq!(branches(&world), "", "nothing is published");
    assert_eq!(job["headCommit"], json!(null), "no branch stands anywhere: {job:#}");
    assert_eq!(world.git(&["show", &format!("refs/fleet/wip/{id}:secret.txt")]), "b");
    let patch = world.run(&["diff", &id]).exits(0).stdout;
    assert!(patch.contains("+++ b/secret.txt"), "what was done can still be looked at:\n{patch}");
    world.run(&["recover", &id]).exits(0);
    assert_eq!(world.git(&["show", &format!("fleet/recovered/{id}-1:secret.txt")]), "b");
}

#[test]
fn a_run_that_fails_otherwise_publishes_nothing_outside_of_its_scope_either() {
    let world = World::new();
    let id = world.submit_script("outside", ENFORCED, "write secret.txt b\nexit 3");
    world.run_once();
    assert_eq!(world.job(&id)["result"], "agent_failed");
    assert_eq!(branches(&world), "");
    assert_eq!(world.git(&["show", &format!("refs/fleet/wip/{id}:secret.txt")]), "b");
}

#[test]
fn the_next_run_goes_on_from_the_work_and_is_published_once_it_keeps_to_its_scope() {
    let world = World::new();
    let script = "write done.txt yes\nwrite secret.txt b\n```\n\n```script run=2\nrun rm secret.txt";
    let id = world.submit_script("again", ENFORCED, script);
    world.run_once();
    assert_eq!(world.job(&id)["result"], "scope_violation");
    world.run(&["requeue", &id]).exits(0);
    world.run_once();
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("testing"), &json!("ok")), "{job:#}");
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(branches(&world), format!("refs/heads/{branch}"));
    assert_eq!(world.git(&["diff", "--name-only", "main", branch]), "done.txt");
    assert_eq!(job["headCommit"], world.git(&["rev-parse", branch]));
}
