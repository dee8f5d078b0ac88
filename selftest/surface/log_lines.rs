//! The program's own log as JSON lines.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

#[test]
fn every_log_line_is_json_and_those_about_a_run_say_which() {
    let world = World::new();
    let id = world.submit_script("logged", "verify: ./check.sh\n", "write done.txt yes");
    let said = world.run(&["--log-format", "json", "-vv", "run", "--once"]).exits(0).stderr;
    let lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let mut about_the_run = BTreeSet::new();
    for line in &lines {
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "{field} of {line}");
        }
        let names_the_job = line["job"] == id.as_str() || line["job.id"] == id.as_str();
        if names_the_job {
            let (run, factory, epoch) = (&line["run"], &line["factory"], &line["epoch"]);
            assert!(*run == 1 && factory == "local" && epoch.is_u64() && line["job"] == id.as_str(), "{line}");
            about_the_run.insert(line["message"].to_string());
        }
    }
    for message in ["a job was claimed", "a run ended"] {
        assert!(about_the_run.iter().any(|said| said.contains(message)), "{message}: {about_the_run:?}");
    }
}

#[test]
fn log_lines_for_people_are_not_cluttered() {
    let world = World::new();
    world.submit_script("logged", "verify: ./check.sh\n", "write done.txt yes");
    let said = world.run(&["--log-format", "text", "run", "--once"]).exits(0).stderr;
    assert!(said.contains("a run ended") && !said.contains("run{"), "{said}");
}
