//! One program, no service, no network.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::world::{Output, World};

const TASK: &str = "---\nengine: scripted\nverify: ./check.sh\n---\n# Alone\n\n```script\nwrite done.txt yes\n```\n";

/// Whether `program` with these arguments can be used here; says so where it cannot.
fn can(program: &str, args: &[&str]) -> bool {
    let can = Command::new(program).args(args).output().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: `{program} {}` does not work on this machine", args.join(" "));
    }
    can
}

/// The jobs and the queue's folders, without what differs from run to run.
fn picture(world: &World) -> Value {
    let mut jobs = world.run(&["jobs", "--json"]).exits(0).json()["jobs"].clone();
    for job in jobs.as_array_mut().into_iter().flatten() {
        for changing in [
            "id",
            "createdAt",
            "updatedAt",
            "branch",
            "headCommit",
            "baseCommit",
            "checkpoint",
            "repo",
            "lease",
            "diff",
        ] {
            job.as_object_mut().expect("a job is an object").remove(changing);
        }
    }
    let mut files: Vec<String> = Vec::new();
    for bucket in fs::read_dir(world.repo().join("tasks")).expect("the queue").flatten() {
        let entries = fs::read_dir(bucket.path()).into_iter().flatten().flatten();
        files
            .extend(entries.map(|file| {
                format!("{}/{}", bucket.file_name().to_string_lossy(), file.file_name().to_string_lossy())
            }));
    }
    files.sort();
    json!({ "jobs": jobs, "files": files })
}

#[test]
fn without_any_network_a_task_goes_from_submit_to_testing() {
    if !can("unshare", &["--map-root-user", "--net", "true"]) {
        return;
    }
    let world = World::new();
    let path = world.folder().join("alone.md");
    fs::write(&path, TASK).expect("the task can be written");
    let cut_off = |args: &[&str]| {
        let fleet = [&["--map-root-user", "--net", env!("CARGO_BIN_EXE_fleet")], args].concat();
        Output::of(world.command("unshare").args(fleet)).exits(0)
    };
    let id = cut_off(&["submit", path.to_str().expect("a UTF-8 path")]).line();
    cut_off(&["run", "--once"]);
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn nothing_reaches_for_the_network() {
    if !can("strace", &["-f", "-e", "trace=connect", "true"]) {
        return;
    }
    let world = World::new();
    world.submit("alone.md", TASK);
    let trace = world.folder().join("trace");
    let traced = ["-f", "-e", "trace=connect,sendto,sendmsg", "-o", trace.to_str().expect("a UTF-8 path")];
    Output::of(world.command("strace").args(traced).arg(env!("CARGO_BIN_EXE_fleet")).args(["run", "--once"])).exits(0);
    let calls = fs::read_to_string(&trace).expect("the trace");
    let outward: Vec<&str> = calls.lines().filter(|call| call.contains("AF_INET")).collect();
    assert!(calls.contains("AF_UNIX") && outward.is_empty(), "{outward:#?}");
}

#[test]
fn switches_that_are_off_change_nothing() {
    let unset = World::new();
    let off = World::new();
    for world in [&unset, &off] {
        fs::write(world.folder().join("broken.md"), TASK.replace("write done.txt yes", "exit 3")).expect("a task");
        fs::write(world.folder().join("alone.md"), TASK).expect("a task");
    }
    let switches = ["FLEET_WORKER", "AQ_FLEET", "FLEET_ROUTE", "AQ_FLEET_ROUTE", "FLEET_SHADOW", "FLEET_DASH"];
    let mut codes = Vec::new();
    for (world, switched) in [(&unset, false), (&off, true)] {
        let mut ended = Vec::new();
        let tasks = ["alone.md", "broken.md"].map(|name| world.folder().join(name));
        for args in [
            vec!["submit", tasks[0].to_str().expect("UTF-8"), tasks[1].to_str().expect("UTF-8")],
            vec!["run", "--once"],
            vec!["status"],
        ] {
            let mut fleet = world.fleet();
            if switched {
                fleet.envs(switches.map(|name| (name, "0")));
            }
            ended.push(Output::of(fleet.args(args)).code);
        }
        codes.push(ended);
    }
    assert_eq!(codes[0], codes[1]);
    assert_eq!(codes[0], [0, 0, 0]);
    assert_eq!(picture(&off), picture(&unset));
}

#[test]
fn a_build_yields_one_program_and_it_works_without_anything_beside_it() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo tells of the workspace");
    let metadata: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    let targets =
        metadata["packages"].as_array().into_iter().flatten().flat_map(|package| package["targets"].as_array());
    let programs: Vec<&Value> =
        targets.flatten().filter(|target| target["kind"] == json!(["bin"])).map(|target| &target["name"]).collect();
    assert_eq!(programs, [&json!("fleet")]);
    let world = World::new();
    let moved = world.folder().join("elsewhere").join("fleet");
    fs::create_dir_all(moved.parent().expect("a folder")).expect("a folder");
    fs::copy(env!("CARGO_BIN_EXE_fleet"), &moved).expect("the program can be copied");
    let path = world.folder().join("alone.md");
    fs::write(&path, TASK).expect("the task can be written");
    let fleet = |args: &[&str]| Output::of(world.command(&moved).args(args)).exits(0);
    let id = fleet(&["submit", path.to_str().expect("a UTF-8 path")]).line();
    fleet(&["run", "--once"]);
    assert_eq!(fleet(&["show", &id, "--json"]).json()["stage"], "testing");
    let help = fleet(&["--help"]).stdout;
    for verb in ["run", "submit", "status", "selftest"] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb} in:\n{help}");
    }
}
