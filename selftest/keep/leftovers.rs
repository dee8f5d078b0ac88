//! Killed runners leave a mess; the next start leaves nothing but saved work.

use std::{fs, process::Stdio, time::Duration};

use serde_json::json;

use crate::world::{World, processes_of, until};

/// Kills of one test; more with `FLEET_TEST_KILLS`.
const KILLS: u32 = 12;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A number from a seed, so that a failure can be had again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(world.repo().join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn refs(world: &World, pattern: &str) -> Vec<String> {
    world.git(&["for-each-ref", "--format=%(refname)", pattern]).lines().map(str::to_owned).collect()
}

#[test]
fn after_a_kill_at_any_moment_a_restart_leaves_nothing_but_saved_work() {
    let world = World::new();
    let seed = setting("FLEET_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("FLEET_TEST_SEED={seed}");
    let mut numbers = Numbers(seed);
    let kills = setting("FLEET_TEST_KILLS").unwrap_or(u64::from(KILLS));
    let mut ids = Vec::new();
    for nth in 0..kills {
        let script =
            "write one.txt 1\nrun sleep 0.2\ncommit halfway\nwrite two.txt 2\nrun sleep 0.2\nwrite done.txt yes";
        ids.push(world.submit_script(&format!("job-{nth}"), "verify: ./check.sh\n", script));
        let mut runner = world.fleet();
        let runner = runner.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut runner = runner.spawn().expect("the runner starts");
        // The moment of the kill is the point of the test.
        std::thread::park_timeout(Duration::from_millis(numbers.below(900)));
        runner.kill().expect("the runner lives");
        runner.wait().expect("the runner is gone");

        // A child that was forked and has not become its program yet holds the runner's lock for a moment longer.
        let again = until("the lock to be free", || {
            let again = world.run(&["run", "--once", "-v"]);
            (again.code != 7).then_some(again)
        });
        let at = format!("after kill {nth}: {}", again.exits(0).stderr);
        assert_eq!(names(&world, ".fleet/work"), Vec::<String>::new(), "{at}");
        assert_eq!(refs(&world, "refs/fleet/base"), Vec::<String>::new(), "{at}");
        until(&format!("every process to end, {at}"), || processes_of(world.folder()).is_empty().then_some(()));
        let held = world.run(&["status", "--json"]).exits(0).json()["running"].clone();
        assert_eq!(held, json!([]), "{at}");
        world.run(&["db", "check"]).exits(0);
    }
    world.run_once();
    for id in &ids {
        let job = world.job(id);
        assert!(["testing", "failed"].contains(&job["stage"].as_str().unwrap_or_default()), "{job:#}");
        // What was saved is what the job says was saved.
        if let Some(commit) = job["checkpoint"]["commit"].as_str() {
            world.git(&["cat-file", "-e", &format!("{commit}^{{tree}}")]);
        }
    }
    for name in refs(&world, "refs/fleet").iter().chain(&refs(&world, "refs/heads/fleet")) {
        assert!(ids.iter().any(|id| name.contains(id.as_str())), "{name} belongs to no job");
    }
    world.git(&["fsck", "--connectivity-only"]);
}

#[test]
fn a_workspace_of_a_job_that_is_not_known_is_saved_before_it_goes() {
    let world = World::new();
    let go = world.folder().join("go");
    let wait = format!("write half.txt half\nsay waiting\nrun while ! test -f {}; do sleep 0.05; done", go.display());
    let id = world.submit_script("slow", "", &wait);
    let mut runner = world.fleet();
    let runner = runner.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut runner = runner.spawn().expect("the runner starts");
    until("the agent to wait", || world.run(&["logs", &id]).stdout.contains("waiting").then_some(()));
    runner.kill().expect("the runner lives");
    runner.wait().expect("the runner is gone");
    for file in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        let _ = fs::remove_file(world.repo().join(".fleet").join(file));
    }

    // Its shim lives, and the agent under it: nothing is touched that somebody may be writing to.
    world.run(&["recover"]).exits(0);
    assert_eq!(names(&world, ".fleet/work"), vec![id.clone()]);
    let told = world.run(&["clean", "--dry-run"]).exits(0).stdout;
    assert!(told.contains("its processes live"), "{told}");
    fs::write(&go, "").expect("the way is free");
    until("the agent to be gone", || processes_of(world.folder()).is_empty().then_some(()));
    world.run(&["recover"]).exits(0);
    assert_eq!(names(&world, ".fleet/work"), Vec::<String>::new());
    assert_eq!(world.git(&["show", &format!("refs/fleet/wip/{id}:half.txt")]), "half");
    assert_eq!(refs(&world, "refs/fleet/base"), Vec::<String>::new());
}

#[test]
fn what_a_person_put_among_the_workspaces_stays_and_is_told() {
    let world = World::new();
    world.submit_script("job", "", "write a.txt a");
    world.write(".fleet/work/notes/mine.txt", "mine\n");
    world.run_once();
    assert_eq!(world.read(".fleet/work/notes/mine.txt"), "mine\n");
    let told = world.run(&["clean"]).exits(0).stdout;
    assert!(told.contains("`notes` among the workspaces") && told.contains("no workspace of fleet's"), "{told}");
    assert!(world.exists(".fleet/work/notes/mine.txt"));
}
