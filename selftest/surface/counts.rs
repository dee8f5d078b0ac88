//! `fleet stats`: six numbers that agree with a count of the jobs.

use serde_json::json;

use crate::world::World;

#[test]
fn the_six_numbers_agree_with_a_direct_count() {
    let world = World::new();
    let check = "verify: ./check.sh\n";
    let shipped = world.submit_script("shipped", check, "write done.txt yes");
    world.submit_script("proven", "verify: 'true'\n", "write other.txt yes");
    world.submit_script("broken", check, "exit 3");
    world.submit_script("later", "retry: {max: 1, backoff: 1h}\n", "exit 3");
    world.run_once();
    world.run(&["ship", &shipped]).exits(0);
    world.submit_script("queued", "", "write x.txt x");
    world.submit_script("held", "hold: true\n", "write x.txt x");
    world.submit_script("blocked", "deps: [nobody]\n", "write x.txt x");
    let jobs = world.run(&["jobs", "--json"]).exits(0).json()["jobs"].as_array().expect("jobs").clone();
    let count = |stages: &[&str], is_delayed: bool| {
        let found = jobs.iter().filter(|job| {
            stages.contains(&job["stage"].as_str().unwrap_or_default())
                && job["retryNotBefore"].is_string() == is_delayed
        });
        found.count()
    };
    let waiting = ["queued", "blocked", "waiting"];
    let expected = json!({
        "waiting": count(&waiting, false),
        "active": count(&["assigned", "building"], false),
        "completed": count(&["review", "testing", "shipped"], false),
        "failed": count(&["failed", "dead_letter"], false),
        "delayed": count(&waiting, true),
        "total": jobs.len(),
    });
    assert_eq!(expected, json!({"waiting": 3, "active": 0, "completed": 2, "failed": 1, "delayed": 1, "total": 7}));
    assert_eq!(world.run(&["stats", "--json"]).exits(0).json(), expected);
    let shown = world.run(&["stats"]).exits(0).stdout;
    let numbers: Vec<&str> = shown.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(numbers, ["3", "0", "2", "1", "1", "7"], "{shown}");
}
