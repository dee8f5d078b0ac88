//! What a machine offers is what is on it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::json;

use crate::world::{Output, World};

fn install(folder: &Path, program: &str, says: &str) {
    fs::create_dir_all(folder).expect("a folder");
    let path = folder.join(program);
    fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions can be set");
}

/// What is offered with nothing but `bin` on the path.
fn offered(world: &World, bin: &Path, more: &[&str]) -> Vec<String> {
    let printed = Output::of(world.fleet().env("PATH", bin).args(["run", "--print-caps"]).args(more)).exits(0);
    printed.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_program_on_the_path_is_offered_with_its_version_and_one_that_is_gone_is_not() {
    let world = World::new();
    let bin = world.folder().join("bin");
    install(&bin, "docker", "Docker version 28.2.2, build e6534b4");
    install(&bin, "claude", "2.1.0");
    let all = offered(&world, &bin, &["--caps", "xcode"]);
    let system = [format!("os:{}", std::env::consts::OS), format!("arch:{}", std::env::consts::ARCH)];
    for expected in ["docker:28.2.2", "engine:claude", "engine:scripted", "xcode"]
        .into_iter()
        .chain(system.iter().map(String::as_str))
    {
        assert!(all.iter().any(|one| one == expected), "{expected}: {all:?}");
    }
    for program in ["docker", "claude"] {
        fs::remove_file(bin.join(program)).expect("it can be removed");
    }
    let left = offered(&world, &bin, &[]);
    assert!(left.iter().all(|one| !one.contains("docker") && !one.contains("claude") && one != "xcode"), "{left:?}");
    let document = Output::of(world.fleet().env("PATH", &bin).args(["run", "--print-caps", "--json"])).exits(0).json();
    assert_eq!(document, json!({ "capabilities": left }));
}

#[test]
fn a_capability_that_is_added_by_hand_serves_a_job_that_demands_it() {
    let world = World::new();
    let id = world.submit_script("demanding", "capabilities: [xcode]\nverify: ./check.sh\n", "write done.txt yes");
    world.run(&["run", "--once", "--caps", "xcode"]).exits(0);
    assert_eq!(world.stage(&id), "testing");
}
