//! A task may be written as JSON; so may the other way round what a job runs by.

use serde_json::{Value, json};

use crate::world::{Output, World};

/// What must be equal of two jobs that say the same.
fn essence(world: &World, id: &str) -> Value {
    let mut job = world.job(id);
    let object = job.as_object_mut().expect("a job is an object");
    for changing in ["id", "file", "createdAt", "updatedAt", "rev", "branch"] {
        object.remove(changing);
    }
    job
}

const SCRIPT: &str = "Do it.\n\n```script\nwrite done.txt yes\n```\n";

#[test]
fn a_task_in_json_makes_the_job_that_the_same_task_in_markdown_makes() {
    let world = World::new();
    let markdown = format!(
        "---\ntitle: Nightly\nengine: scripted\npriority: high\ntags: [a, b]\ndeps: [first]\nverify: ./check.sh\n\
         retry: {{ max: 2, backoff: 5s }}\npayload: {{ region: eu, n: [1, 2] }}\ntype: chore\n---\n{SCRIPT}"
    );
    let document = json!({
        "type": "chore", "name": "Nightly", "description": SCRIPT, "engine": "scripted", "priority": "high",
        "tags": ["a", "b"], "dependencies": ["first"], "verify": "./check.sh", "payload": { "region": "eu", "n": [1, 2] },
        "retryPolicy": { "max": 2, "backoff": "5s" },
    });
    let (one, two) = (world.submit("task.md", &markdown), world.submit("task.json", &document.to_string()));
    assert_eq!(essence(&world, &two), essence(&world, &one));
    assert_eq!(world.job(&two)["file"].as_str().map(|file| file.ends_with(".md")), Some(true));
}

#[test]
fn what_is_wrong_in_a_json_task_is_told_and_nothing_is_queued() {
    let world = World::new();
    for (text, expected) in [
        ("{\"title\": ", "is not JSON"),
        ("[1]", "is not an object"),
        ("{\"body\": \"x\", \"priority\": \"urgent\"}", "priority"),
        ("{\"body\": \"x\", \"title\": \"a\", \"name\": \"b\"}", "two names of one thing"),
    ] {
        let path = world.folder().join("task.json");
        std::fs::write(&path, text).expect("the task can be written");
        let refused = world.run(&["submit", path.to_str().expect("a UTF-8 path")]).exits(2);
        assert!(refused.stderr.contains(expected) && refused.stderr.contains("task.json"), "{}", refused.stderr);
    }
    assert_eq!(world.run(&["jobs", "--json"]).exits(0).json()["jobs"], json!([]));
}

#[test]
fn what_a_job_runs_by_can_be_submitted_again() {
    let world = World::new();
    world.write("fleet.toml", "[retry]\nbase = \"10s\"\n\n[defaults]\nreview-policy = \"manual\"\n");
    let front = "priority: high\nverify: [./check.sh]\nretry: {}\nallowed-scope: [done.txt]\nsome-key: {a: [1, x]}\n";
    let one = world.submit_script("again", front, "write done.txt yes");
    let printed = world.run(&["show", &one, "--manifest"]).exits(0).stdout;
    let two = world.submit("printed.md", &printed);
    assert_eq!(essence(&world, &two), essence(&world, &one), "{printed}");
}

#[test]
fn a_task_from_standard_input_is_stored_byte_for_byte() {
    let world = World::new();
    let text = "---\nengine: scripted\n---\r\n# Größe\r\n\ttabs  and blanks \n\n\n";
    let file = world.submit("same.md", text);
    let piped = Output::with_input(world.fleet().args(["submit", "-"]), text).exits(0).line();
    let (from_file, from_pipe) = (world.job(&file)["bodyMd"].clone(), world.job(&piped)["bodyMd"].clone());
    assert_eq!(from_pipe, from_file);
    assert!(from_pipe.as_str().is_some_and(|body| text.ends_with(body) && body.ends_with(" \n\n\n")), "{from_pipe}");
}
