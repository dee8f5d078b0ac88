//! `fleet clean`: room is made, nothing that somebody may want is lost.

use std::{collections::BTreeSet, fs, process::Stdio};

use crate::world::{Output, World, until};

fn folders(world: &World, path: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(world.repo().join(path)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn of_sixty_finished_jobs_the_oldest_ten_are_archived_and_a_running_one_is_left_alone() {
    let world = World::new();
    // A program that is not there ends a run before it costs anything.
    world.write("fleet.toml", "[engines.ghost]\ncommand = [\"./no-such-agent\"]\n");
    let tasks: Vec<String> = (0..60)
        .map(|nth| {
            let path = world.folder().join(format!("ghost-{nth}.md"));
            fs::write(&path, format!("---\nengine: ghost\n---\n# Ghost {nth}\n")).expect("the task can be written");
            path.to_str().expect("a UTF-8 path").to_owned()
        })
        .collect();
    let submitted = Output::of(world.fleet().arg("submit").args(&tasks)).exits(0).stdout;
    let ids: BTreeSet<String> = submitted.lines().map(str::to_owned).collect();
    world.run_once();
    assert_eq!(folders(&world, ".fleet/runs"), ids);
    let gate = world.shared().join("gate");
    let script = format!("run while [ ! -e {} ]; do sleep 0.05; done\nwrite done.txt yes", gate.display());
    let running = world.submit_script("running", "verify: ./check.sh\n", &script);
    let mut runner = world.fleet();
    runner.args(["run", "--once"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let runner = runner.spawn().expect("a runner starts");
    until("the running one to run", || (world.stage(&running) == "building").then_some(()));
    world.run(&["clean"]).exits(0);
    let left = folders(&world, ".fleet/runs");
    assert_eq!(left.len(), 51, "the newest fifty, and the running one");
    assert!(left.contains(&running));
    let gone: Vec<&String> = ids.difference(&left).collect();
    assert_eq!(gone.len(), 10);
    for id in gone {
        let job = world.job(id);
        assert!(
            job["bodyMd"].as_str().is_some_and(|body| body.starts_with("# Ghost")),
            "the task itself stays: {job:#}"
        );
    }
    fs::write(&gate, "").expect("the gate opens");
    Output::finish(runner).exits(0);
    assert_eq!(world.stage(&running), "testing", "nothing was pulled from under it");
}

#[test]
fn a_branch_goes_once_its_work_has_landed_and_stays_with_the_reason_before() {
    let world = World::new();
    let script = |file: &str| format!("write {file} yes\nwrite done.txt yes");
    let landed = world.submit_script("landed", "verify: ./check.sh\n", &script("a.txt"));
    let rejected = world.submit_script("rejected", "verify: ./check.sh\n", &script("b.txt"));
    world.run_once();
    world.run(&["ship", &landed]).exits(0);
    world.run(&["reject", &rejected, "--reason", "no"]).exits(0);
    let branches = |id: &str| world.git(&["for-each-ref", "--format=%(refname)", &format!("refs/heads/fleet/{id}*")]);
    let cleaned = world.run(&["clean", "--json"]).exits(0).json();
    assert_eq!(branches(&landed), "", "its work is in main");
    assert_ne!(branches(&rejected), "", "its work is nowhere else");
    let lines = cleaned["cleaned"].as_array().expect("a list").clone();
    let kept = lines.iter().find(|line| line["job"] == rejected.as_str() && line["kept"].is_string());
    assert!(kept.is_some(), "it is said why: {cleaned:#}");
    world.run(&["recover", &rejected]).exits(0);
    assert_eq!(world.git(&["show", &format!("fleet/recovered/{rejected}-1:b.txt")]), "yes");
}
