//! `--json`: nothing but JSON on stdout, whatever the verb says beside it.

use serde_json::{Deserializer, Value};

use crate::world::{Output, World};

/// The verbs that only look, with their arguments; JOB stands for a job.
const LOOKS: &[&[&str]] = &[
    &["status"],
    &["jobs"],
    &["jobs", "--stage", "shipped"],
    &["show", "JOB"],
    &["runs", "JOB"],
    &["logs", "JOB"],
    &["logs", "JOB", "--stream", "verify"],
    &["logs", "-f", "JOB"],
    &["events", "JOB"],
    &["stats"],
    &["run", "--print-caps"],
    &["diff", "JOB"],
    &["diff", "--stat", "JOB"],
    &["explain", "JOB"],
    &["debug", "JOB"],
    &["submit", "--dry-run", "task.md"],
    &["profile", "list"],
    &["config", "show"],
    &["config", "show", "--origin"],
    &["clean", "--dry-run"],
    &["doctor"],
];

/// Verbs that look and never end by themselves; [`super::output`] looks at them.
const ENDLESS: &[&str] = &["watch"];

fn world() -> (World, String) {
    let world = World::new();
    world.write("fleet.toml", "misspelt = 1\n\n[defaults]\nengine = \"scripted\"\n");
    world.write("task.md", "---\nretries: 2\n---\n# Another task\n");
    let id = world.submit_script("say-yes", "verify: ./check.sh\n", "say working\nwrite done.txt yes");
    world.run_once();
    (world, id)
}

/// The documents on stdout, which holds nothing else.
#[track_caller]
fn documents(output: &Output) -> Vec<Value> {
    Deserializer::from_str(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("no JSON ({error}):\n{}", output.stdout))
}

#[test]
fn every_verb_that_looks_prints_json_and_nothing_else() {
    let (world, id) = world();
    for look in LOOKS {
        let arguments = look.iter().map(|word| if *word == "JOB" { id.as_str() } else { word });
        let output = Output::of(world.fleet().args(arguments).arg("--json"));
        let documents = documents(&output);
        assert!(!documents.is_empty() && documents.iter().all(Value::is_object), "{look:?}: {}", output.stdout);
        assert!(output.code == 0 || look[0] == "doctor", "{look:?}: {}", output.stderr);
        assert!(output.stderr.contains("misspelt"), "a warning is said, on stderr: {look:?}\n{}", output.stderr);
        assert!(!output.stdout.contains("\\u001b"), "{look:?}");
    }
}

#[test]
fn no_verb_that_looks_is_forgotten() {
    let overview = World::bare().run(&["--help"]).exits(0).stdout;
    let section = overview.split("\nLook:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a section");
    for verb in section.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(LOOKS.iter().any(|look| look[0] == verb) || ENDLESS.contains(&verb), "{verb} has no check");
    }
}

#[test]
fn a_failure_leaves_stdout_empty_and_is_one_object_on_stderr() {
    let world = World::new();
    for (arguments, exit) in [
        (&["show", "nosuchjob", "--json"][..], 3),
        (&["jobs", "--stag", "x", "--json"], 2),
        (&["submit", "nowhere.md", "--json"], 2),
        (&["--set", "worker.max=none", "status", "--json"], 2),
    ] {
        let output = world.run(arguments).exits(exit);
        assert_eq!(output.stdout, "", "{arguments:?}");
        let lines: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("made ")).collect();
        let [line] = lines[..] else { panic!("{arguments:?}: one line of:\n{}", output.stderr) };
        let error: Value = serde_json::from_str(line).expect("an object");
        assert_eq!(error["error"]["exit"], exit, "{arguments:?}: {line}");
        assert!(error["error"]["code"].is_string() && error["error"]["message"].is_string(), "{line}");
    }
}
