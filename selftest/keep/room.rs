//! Workspaces have limits, and a job that finds no room waits at no cost.

use std::{fs, path::PathBuf, process::Stdio};

use serde_json::{Value, json};

use crate::world::{World, slay_all, until};

/// A world with room for `limits`, in which runner and agent were killed and left a workspace that cannot be saved for now: its
/// repository is not where it was. Gives the job, and where the repository has to go back from and to.
fn crammed(limits: &str) -> (World, String, [PathBuf; 2]) {
    let world = World::new();
    let [here, away] = ["other", "away"].map(|name| world.folder().join(name));
    world.git(&["clone", "-q", ".", here.to_str().expect("a UTF-8 path")]);
    let go = world.folder().join("go");
    let front = format!("repo: {}\n", here.display());
    let wait = format!("write half.txt half\nsay waiting\nrun while ! test -f {}; do sleep 0.05; done", go.display());
    let id = world.submit_script("slow", &front, &wait);
    let mut runner = world.fleet();
    let runner = runner.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut runner = runner.spawn().expect("the runner starts");
    until("the agent to wait", || world.run(&["logs", &id]).stdout.contains("waiting").then_some(()));
    // Its agent too: the next runner would go on with it.
    slay_all(world.folder());
    runner.wait().expect("the runner is gone");
    fs::rename(&here, &away).expect("a repository can be moved");
    world.write("fleet.toml", &format!("[workspaces]\n{limits}\n"));
    (world, id, [away, here])
}

fn alerts(world: &World) -> Vec<String> {
    let status = world.run(&["status", "--json"]).exits(0).json();
    let alerts = status["alerts"].as_array().cloned().unwrap_or_default();
    alerts.iter().map(|alert| alert["code"].as_str().unwrap_or_default().to_owned()).collect()
}

fn blocks_and_goes_on(limits: &str, named: &str) {
    let (world, leftover, [away, here]) = crammed(limits);
    let id = world.submit_script("next", "verify: ./check.sh\n", "write done.txt yes");
    let blocked = world.run(&["run", "--once"]).exits(1);
    for words in ["no room for another workspace", named, "fleet clean --dry-run"] {
        assert!(blocked.stderr.contains(words), "{words} is not in: {}", blocked.stderr);
    }
    let job = world.job(&id);
    let cost: Vec<&Value> = ["stage", "attempts", "runs"].iter().map(|key| &job[*key]).collect();
    assert_eq!(cost, [&json!("queued"), &json!(0), &json!(0)], "{job:#}");
    assert!(alerts(&world).contains(&"workspaces_full".to_owned()), "{:?}", alerts(&world));
    let doctor = world.run(&["doctor", "--json"]).json();
    let check = doctor["checks"].as_array().and_then(|checks| checks.iter().find(|it| it["name"] == "workspaces"));
    // Its job is held on paper, which for a doctor is a run.
    assert!(check.is_some_and(|check| check["message"].as_str().is_some_and(|it| it.contains(named))), "{check:?}");

    fs::rename(away, here).expect("a repository can be moved");
    fs::write(world.folder().join("go"), "").expect("the way is free");
    world.run(&["run", "--once"]).exits(0);
    assert_eq!(world.stage(&id), "testing", "room was made by saving what was in the way");
    assert_ne!(world.stage(&leftover), "building");
    assert!(alerts(&world).iter().all(|code| !code.starts_with("workspaces")), "{:?}", alerts(&world));
}

#[test]
fn too_many_workspaces_block_the_next_one_at_no_cost_until_there_is_room() {
    blocks_and_goes_on("max = 1", "1 of 1 workspaces");
}

#[test]
fn workspaces_that_fill_too_much_disk_block_the_next_one_at_no_cost_until_there_is_room() {
    blocks_and_goes_on("disk = \"4KiB\"", "of 4 KiB disk");
}

#[test]
fn a_low_disk_stops_claims_at_no_cost_until_there_is_room() {
    let world = World::new();
    let id = world.submit_script("next", "verify: ./check.sh\n", "write done.txt yes");
    world.write("fleet.toml", "[workspaces]\nmin-free = \"1000000GiB\"\n");
    let blocked = world.run(&["run", "--once"]).exits(1);
    for words in ["low_disk", "workspaces.min-free", "fleet clean"] {
        assert!(blocked.stderr.contains(words), "{words} is not in: {}", blocked.stderr);
    }
    let job = world.job(&id);
    let cost: Vec<&Value> = ["stage", "attempts", "runs"].iter().map(|key| &job[*key]).collect();
    assert_eq!(cost, [&json!("queued"), &json!(0), &json!(0)], "{job:#}");
    assert_eq!(alerts(&world), ["low_disk"]);
    let doctor = world.run(&["doctor", "--json"]).json();
    let check = doctor["checks"].as_array().and_then(|checks| checks.iter().find(|it| it["name"] == "disk space"));
    assert!(check.is_some_and(|check| check["message"].to_string().contains("no job starts")), "{check:?}");

    world.write("fleet.toml", "[workspaces]\nmin-free = \"1MiB\"\n");
    world.run(&["run", "--once"]).exits(0);
    assert_eq!(world.stage(&id), "testing");
    assert_eq!(alerts(&world), Vec::<String>::new());
}

#[test]
fn a_low_disk_is_no_trouble_without_a_job_that_needs_it() {
    let world = World::new();
    world.run(&["run", "--once", "--set", "workspaces.min-free=1000000GiB"]).exits(0);
}

#[test]
fn without_a_job_that_needs_it_a_lack_of_room_is_no_trouble() {
    let (world, ..) = crammed("max = 1");
    world.run(&["run", "--once"]).exits(0);
    fs::write(world.folder().join("go"), "").expect("the way is free");
}

#[test]
fn more_jobs_than_workspaces_run_one_after_another() {
    let world = World::new();
    world.write("fleet.toml", "[workspaces]\nmax = 2\n");
    let ids: Vec<String> = (0..5)
        .map(|nth| world.submit_script(&format!("job-{nth}"), "verify: ./check.sh\n", "write done.txt yes"))
        .collect();
    world.run(&["run", "--once", "--max", "5"]).exits(0);
    for id in ids {
        let job = world.job(&id);
        assert_eq!((&job["stage"], &job["runs"]), (&json!("testing"), &json!(1)), "{job:#}");
    }
}
