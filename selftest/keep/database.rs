//! The database can be looked at, copied while a runner works, and put back.

use std::{fs, process::Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::world::{Output, World};

#[test]
fn a_backup_made_while_a_runner_works_is_whole_and_can_be_restored() {
    let world = World::new();
    let script = "write done.txt yes\nsay something\nrun sleep 0.1\nsay more";
    let ids: Vec<String> =
        (0..12).map(|nth| world.submit_script(&format!("job-{nth}"), "verify: ./check.sh\n", script)).collect();
    let mut runner = world.fleet();
    let runner = runner.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let runner = runner.spawn().expect("the runner starts");
    let mut nth = 0;
    while ids.iter().any(|id| world.stage(id) != "testing") {
        let copy = world.folder().join(format!("copy-{nth}.db"));
        let copy = copy.to_str().expect("a UTF-8 path");
        world.run(&["db", "backup", copy]).exits(0);
        let found = world.run(&["db", "check", copy, "--json"]).exits(0).json();
        assert_eq!((&found["findings"], &found["jobs"]), (&serde_json::json!([]), &serde_json::json!(12)), "{found}");
        nth += 1;
    }
    assert!(nth > 0, "no copy was made meanwhile");
    world.run(&["db", "check"]).exits(0);
    kill(Pid::from_raw(i32::try_from(runner.id()).expect("a pid fits")), Signal::SIGTERM).expect("the runner lives");
    Output::finish(runner).exits(0);

    let last = world.folder().join("last.db");
    world.run(&["db", "backup", last.to_str().expect("a UTF-8 path")]).exits(0);
    let state = world.repo().join(".fleet");
    for file in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        let _ = fs::remove_file(state.join(file));
    }
    fs::copy(&last, state.join("fleet.db")).expect("the backup can be put back");
    for id in &ids {
        assert_eq!(world.stage(id), "testing");
    }
    world.run(&["ship", &ids[0]]).exits(0);
    world.run(&["db", "check"]).exits(0);
}

#[test]
fn what_is_wrong_is_told_by_the_exit_code_and_in_words() {
    let world = World::new();
    world.run(&["db", "check"]).exits(3);
    let id = world.submit_script("job", "", "write a.txt a");
    let copy = world.folder().join("copy.db");
    let name = copy.to_str().expect("a UTF-8 path");
    world.run(&["db", "check", name]).exits(3);
    world.run(&["db", "backup", name]).exits(0);
    let refused = world.run(&["db", "backup", name]).exits(4);
    assert!(refused.stderr.contains("exists already"), "{}", refused.stderr);
    let whole = world.run(&["db", "check", name]).exits(0);
    assert!(whole.stdout.contains("is whole: 1 jobs"), "{}", whole.stdout);

    let broken = rusqlite::Connection::open(&copy).expect("it opens");
    broken.execute("UPDATE jobs SET stage = 'review'", []).expect("it can be written");
    drop(broken);
    let found = world.run(&["db", "check", name]).exits(1);
    assert!(found.stdout.contains("stage_untold") && found.stdout.contains(&id), "{}", found.stdout);
    let found = world.run(&["db", "check", name, "--json"]).exits(1).json();
    assert_eq!((&found["findings"][0]["code"], &found["findings"][0]["job"]), (&"stage_untold".into(), &id.into()));

    fs::write(&copy, "a letter, and no database, but long enough for a header".repeat(20)).expect("it can be written");
    world.run(&["db", "check", name]).exits(2);
}
