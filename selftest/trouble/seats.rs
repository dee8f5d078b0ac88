//! Many agents at once: no more than there are seats, and nothing that two of them share.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use crate::world::{Output, World, until};

/// A runner in the background.
fn start(world: &World, args: &[&str]) -> Child {
    let mut fleet = world.fleet();
    fleet.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    fleet.spawn().expect("a runner starts")
}

/// Jobs whose agents sign in, count who is there, wait for the gate, and sign out.
fn crowd(world: &World, jobs: usize) -> PathBuf {
    let room = world.shared().join("room");
    fs::create_dir_all(room.join("here")).expect("a room");
    let script = format!(
        "run cd {} && mkdir here/$FLEET_JOB && ls here | wc -l >> counts && while [ ! -e gate ]; do sleep 0.05; done; \
         rmdir here/$FLEET_JOB\nwrite done.txt yes",
        room.display()
    );
    for nth in 0..jobs {
        world.submit_script(&format!("crowd-{nth}"), "verify: ./check.sh\n", &script);
    }
    room
}

fn present(room: &Path) -> usize {
    fs::read_dir(room.join("here")).expect("the room").count()
}

fn most_at_once(room: &Path) -> usize {
    let counts = fs::read_to_string(room.join("counts")).expect("counts");
    counts.lines().filter_map(|line| line.trim().parse().ok()).max().unwrap_or(0)
}

#[test]
fn without_an_option_five_agents_work_at_once_and_never_more() {
    let world = World::new();
    let room = crowd(&world, 12);
    let runner = start(&world, &["run", "--once"]);
    until("five agents to be there", || (present(&room) == 5).then_some(()));
    let status = world.run(&["status", "--json"]).exits(0).json();
    assert_eq!((status["stages"]["building"].as_u64(), status["stages"]["queued"].as_u64()), (Some(5), Some(7)));
    fs::write(room.join("gate"), "").expect("the gate opens");
    Output::finish(runner).exits(0);
    assert_eq!(most_at_once(&room), 5);
    let status = world.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["stages"]["testing"], 12);
}

#[test]
fn with_two_seats_there_are_never_more_than_two() {
    let world = World::new();
    let room = crowd(&world, 5);
    let runner = start(&world, &["run", "--once", "--max", "2"]);
    until("two agents to be there", || (present(&room) == 2).then_some(()));
    fs::write(room.join("gate"), "").expect("the gate opens");
    Output::finish(runner).exits(0);
    assert_eq!(most_at_once(&room), 2);
}

#[test]
fn two_agents_at_once_share_no_folder_and_no_variable_of_their_run() {
    let world = World::new();
    let room = world.shared().join("room");
    fs::create_dir_all(&room).expect("a room");
    let script = format!(
        "run (pwd -P; echo $TMPDIR; echo $FLEET_JOB; git rev-parse --absolute-git-dir) > {0}/$FLEET_JOB.part && \
         mv {0}/$FLEET_JOB.part {0}/$FLEET_JOB && while [ ! -e {0}/gate ]; do sleep 0.05; done\n\
         run echo mine > $TMPDIR/mine && test $(ls $TMPDIR | wc -l) = 1\nwrite done.txt yes",
        room.display()
    );
    let ids: Vec<String> =
        (0..2).map(|nth| world.submit_script(&format!("apart-{nth}"), "verify: ./check.sh\n", &script)).collect();
    let runner = start(&world, &["run", "--once"]);
    let seen: Vec<String> =
        ids.iter().map(|id| until("an agent to say where it is", || fs::read_to_string(room.join(id)).ok())).collect();
    fs::write(room.join("gate"), "").expect("the gate opens");
    Output::finish(runner).exits(0);
    let all: BTreeSet<&str> = seen.iter().flat_map(|text| text.lines()).collect();
    assert_eq!(all.len(), 8, "each line differs: {seen:?}");
    for id in &ids {
        assert_eq!(world.stage(id), "testing");
    }
}

#[test]
fn two_fleets_with_homes_of_their_own_run_side_by_side() {
    let world = World::new();
    let gate = world.shared().join("gate");
    let homes = ["one", "two"].map(|name| world.folder().join(name));
    let here = |home: &Path, args: &[&str]| {
        let mut fleet = world.fleet();
        fleet.env("FLEET_HOME", home.join("state")).env("FLEET_QUEUE", home.join("queue")).args(args);
        fleet
    };
    let task = world.folder().join("side.md");
    let script = format!("run while [ ! -e {} ]; do sleep 0.05; done\nwrite done.txt yes", gate.display());
    fs::write(&task, format!("---\nengine: scripted\nverify: ./check.sh\n---\n# Side\n\n```script\n{script}\n```\n"))
        .expect("the task can be written");
    let task = task.to_str().expect("a UTF-8 path");
    let ids = homes.each_ref().map(|home| Output::of(&mut here(home, &["submit", task])).exits(0).line());
    let stage =
        |home: &Path, id: &str| Output::of(&mut here(home, &["show", id, "--json"])).exits(0).json()["stage"].clone();
    let runners = homes.each_ref().map(|home| {
        let mut run = here(home, &["run", "--once"]);
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a runner starts")
    });
    for (home, id) in homes.iter().zip(&ids) {
        until("both to work at the same time", || (stage(home, id) == "building").then_some(()));
    }
    fs::write(&gate, "").expect("the gate opens");
    for runner in runners {
        Output::finish(runner).exits(0);
    }
    for (nth, home) in homes.iter().enumerate() {
        let jobs = Output::of(&mut here(home, &["jobs", "--json"])).exits(0).json();
        assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "one knows nothing of the other");
        assert_eq!(stage(home, &ids[nth]), "testing");
    }
    assert!(!world.exists(".fleet") && !world.exists("tasks"), "nothing where neither was told to be");
}
