//! What is wrong with tasks is told at once, at its place, whatever kind of mistake it is and however the task came.

use serde_json::{Value, json};

use crate::world::World;

const WRONG: &str = "---
runtime: docker
project: shpo
priority: urgent
profile: nobody
engine: clade
---
# Wrong in five ways
";

const RIGHT: &str = "---\nengine: scripted\n---\n# Right\n\n```script\nwrite a.txt a\ncommit a\n```\n";

/// Every mistake of `WRONG`: its place, and words of it.
const TOLD: [(u64, u64, &str); 5] = [
    (2, 10, "running in a container is not yet supported here"),
    (3, 10, "unknown project `shpo`"),
    (4, 11, "unknown priority `urgent`"),
    (5, 10, "unknown profile `nobody`"),
    (6, 9, "unknown engine `clade` (did you mean `claude`?)"),
];

fn world() -> World {
    let world = World::new();
    world.write("wrong.md", WRONG);
    world.write("right.md", RIGHT);
    world
}

fn errors(stderr: &str) -> Vec<Value> {
    let error: Value = serde_json::from_str(stderr).expect("one object");
    error["error"]["details"]["errors"].as_array().expect("a list").clone()
}

fn jobs(world: &World) -> Value {
    world.run(&["jobs", "--json"]).exits(0).json()["jobs"].clone()
}

#[test]
fn every_kind_of_mistake_is_told_in_one_pass_with_line_and_column_in_the_order_of_the_file() {
    let world = world();
    for args in [["submit", "wrong.md"].as_slice(), &["submit", "--dry-run", "wrong.md"]] {
        let stderr = world.run(args).exits(2).stderr;
        let mut rest = stderr.as_str();
        for (line, column, words) in TOLD {
            for expected in [words, &format!("wrong.md:{line}:{column}\n")] {
                let at = rest.find(expected).unwrap_or_else(|| panic!("{expected:?} in its turn: {stderr}"));
                rest = &rest[at..];
            }
        }
        for help in ["fleet project list", "[engines.NAME]", "known: critical, high"] {
            assert!(stderr.contains(help), "{help}: {stderr}");
        }
        let told = errors(&world.run(&[args, &["--json"]].concat()).exits(2).stderr);
        let places: Vec<_> = told.iter().map(|error| (error["line"].as_u64(), error["column"].as_u64())).collect();
        assert_eq!(places, TOLD.map(|(line, column, _)| (Some(line), Some(column))), "{told:#?}");
        assert!(told.iter().all(|error| error["file"] == "wrong.md"), "{told:#?}");
    }
    assert_eq!(jobs(&world), json!([]));
}

#[test]
fn the_note_beside_a_dropped_file_has_every_kind_of_mistake() {
    let world = world();
    world.run(&["init"]).exits(0);
    world.write("tasks/inbox/dropped.md", WRONG);
    world.run_once();
    let note = world.read("tasks/failed/dropped.md.note.txt");
    for (line, column, words) in TOLD {
        let start = format!("dropped.md:{line}:{column}: ");
        assert!(note.lines().any(|told| told.starts_with(&start) && told.contains(words)), "{start}{words}: {note}");
    }
    assert!(note.contains("did you mean `claude`?") && note.contains("fleet project list"), "{note}");
}

#[test]
fn every_file_is_looked_at_before_the_first_is_queued_and_all_are_told_together() {
    let world = world();
    world.write("odd.md", "---\ntimeout: soon\n---\n# Odd\n");
    world.write("empty.md", "");
    let args = ["submit", "right.md", "wrong.md", "empty.md", "odd.md", "missing.md"];
    let refused = world.run(&args).exits(2);
    assert_eq!(refused.stdout, "");
    for expected in ["wrong.md:2:10", "wrong.md:6:9", "empty.md is empty", "odd.md:2:10", "cannot read missing.md"] {
        assert!(refused.stderr.contains(expected), "{expected}: {}", refused.stderr);
    }
    let told = errors(&world.run(&[&args[..], &["--json"]].concat()).exits(2).stderr);
    assert_eq!(told.len(), TOLD.len() + 3, "{told:#?}");
    assert_eq!(jobs(&world), json!([]));
}

#[test]
fn a_flag_that_is_wrong_is_named_and_the_file_keeps_its_lines() {
    let world = world();
    world.write("task.md", "---\n# a comment that no task keeps\nprofile: nobody\nengine: scripted\n---\n# Task\n");
    let stderr = world.run(&["submit", "--engine", "clade", "task.md"]).exits(2).stderr;
    assert!(stderr.contains("task.md:3:10") && stderr.contains("--> --engine\n"), "{stderr}");
}

#[test]
fn what_was_queued_before_a_refusal_lies_in_the_inbox() {
    let world = world();
    let keyed = |text: &str| format!("---\nengine: scripted\nidempotency-key: once\n---\n# {text}\n");
    let id = world.submit("keyed.md", &keyed("First"));
    world.run(&["cancel", &id]).exits(0);
    world.write("keyed.md", &keyed("Second"));
    let refused = world.run(&["submit", "right.md", "keyed.md"]).exits(4);
    assert_eq!(refused.stdout.lines().count(), 1, "the first is queued: {}", refused.stderr);
    assert!(world.exists("tasks/inbox/right.md"), "and its file is drawn");
}
