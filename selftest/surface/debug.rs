//! `fleet debug`: what it shows of a run, and that a bundle tells no secret, no prompt and no file.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::world::{Output, World, until, until_within};

const CANARY: &str = "canary-7f3a9b-\"quoted\"";

/// A world whose only job hangs, and its runner.
fn hanging(settings: &str) -> (World, String, std::process::Child) {
    let world = World::new();
    world.write("fleet.toml", settings);
    let script = "say working on it\nstderr a complaint\nspawn sleep 300\nrun sleep 300";
    let id = world.submit_script("hang", "", script);
    let runner = world.fleet().arg("run").spawn().expect("a runner");
    until("its output has arrived", || {
        let log = world.run(&["logs", &id]);
        (log.stdout.contains("working on it") && log.stdout.contains("a complaint")).then_some(())
    });
    (world, id, runner)
}

fn end(world: &World, id: &str, mut runner: std::process::Child) {
    world.run(&["cancel", id]).exits(0);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(runner.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it lives");
    runner.wait().expect("it ends");
}

fn process<'v>(debug: &'v Value, name: &str) -> &'v Value {
    let all = debug["processes"].as_array().expect("a list");
    all.iter().find(|process| process["name"].as_str() == Some(name)).unwrap_or_else(|| panic!("no {name}: {debug:#}"))
}

#[test]
fn a_running_job_is_shown_down_to_its_processes() {
    let (world, id, runner) = hanging("");
    let debug = world.run(&["debug", &id, "--json"]).exits(0).json();
    assert_eq!((&debug["state"], &debug["run"]), (&json!("running"), &json!(1)));
    let agent = process(&debug, "agent");
    assert_eq!((&agent["health"], &agent["exitCode"]), (&json!("ok"), &Value::Null));
    assert!(agent["pid"].as_i64().is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()), "{agent:#}");
    assert!(agent["log"].to_string().contains("working on it"), "{agent:#}");
    assert!(agent["errors"].to_string().contains("a complaint"), "{agent:#}");
    assert_eq!(process(&debug, "agent shim")["health"], "ok");
    assert_eq!(process(&debug, "agent child sleep")["health"], "ok");
    assert!(process(&debug, "worker")["log"].to_string().contains("starting"), "{debug:#}");
    // The same for people.
    let shown = world.run(&["debug", &id]).exits(0).stdout;
    for part in ["run 1: running, stage building", "agent  ok, pid", "| working on it", "! a complaint", "worker  ok"] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
    let short = world.run(&["debug", &id, "--lines", "1", "--json"]).exits(0).json();
    assert_eq!(process(&short, "worker")["log"].as_array().map(Vec::len), Some(1));
    world.run(&["debug", &id, "--run", "7"]).exits(3);
    end(&world, &id, runner);
    let over = world.run(&["debug", &id, "--json"]).exits(0).json();
    assert_eq!((&over["state"], &process(&over, "agent")["health"]), (&json!("ended"), &json!("ended")));
    assert!(over["launches"][0]["reason"].is_string(), "{over:#}");
}

#[test]
fn a_bundle_holds_what_a_report_needs_and_no_secret() {
    let world = World::new();
    let secret = world.folder().join("secret");
    fs::write(&secret, CANARY).expect("a file");
    world.write("fleet.toml", &format!("[secrets]\nDEPLOY = {{ file = \"{}\" }}\n", secret.display()));
    let script = format!("say it is {CANARY} indeed\nwrite done.txt yes");
    // One job that is given the secret, and one that just happens to know it: there only the bundle can hide it.
    let given = world.submit_script("given", "secrets: [DEPLOY]\nverify: ./check.sh\n", &script);
    let knows = world.submit_script("knows", "verify: ./check.sh\n", &script);
    world.run_once();
    for id in [&given, &knows] {
        let file = world.folder().join(format!("{id}.tar"));
        let name = file.to_str().expect("a UTF-8 path");
        let mut command = world.fleet();
        command.args(["debug", id, "--bundle", name]).env("SERVICE_TOKEN", "another-canary-42");
        Output::of(&mut command).exits(0);
        let listed = Output::of(Command::new("tar").args(["-tf", name])).exits(0).stdout;
        for part in [
            "versions.json",
            "doctor.json",
            "config.json",
            "diagnosis.json",
            "runs.json",
            "events.json",
            "logs/worker.log",
        ] {
            assert!(listed.contains(&format!("fleet-debug-{id}/{part}\n")), "no {part}:\n{listed}");
        }
        let text = Output::of(Command::new("tar").args(["-xOf", name])).exits(0).stdout;
        assert!(text.contains("verifying: ./check.sh"), "the worker's log is in it:\n{text}");
        for canary in [CANARY, "canary-7f3a9b", "another-canary-42"] {
            assert!(!text.contains(canary), "{canary} is told:\n{text}");
        }
        world.run(&["debug", id, "--bundle", name]).exits(1);
    }
}

/// A bundle about the job, written with these variables set: its list of files, and all their contents.
fn bundled(world: &World, id: &str, variables: &[(&str, &str)]) -> (Vec<String>, String) {
    let file = world.folder().join(format!("{id}.tar"));
    let name = file.to_str().expect("a UTF-8 path");
    Output::of(world.fleet().args(["debug", id, "--bundle", name]).envs(variables.iter().copied())).exits(0);
    let files: Vec<String> =
        Output::of(Command::new("tar").args(["-tf", name])).exits(0).stdout.lines().map(str::to_owned).collect();
    for part in files.iter().filter(|part| part.ends_with(".json")) {
        let text = Output::of(Command::new("tar").args(["-xOf", name, part])).exits(0).stdout;
        let parsed: Result<Value, _> = serde_json::from_str(&text);
        assert!(parsed.is_ok(), "{part} is no JSON: {parsed:?}\n{text}");
    }
    (files, Output::of(Command::new("tar").args(["-xOf", name])).exits(0).stdout)
}

#[test]
fn a_bundle_tells_nothing_that_agents_and_people_wrote() {
    let world = World::new();
    world.write("notes.txt", "contents of a file\n");
    world.commit("notes");
    let task = |front: &str, steps: &str| {
        format!(
            "---\nengine: scripted\n{front}---\n# Aurora rewrite\n\nthe words of the prompt\n\n```script\n{steps}\n```\n"
        )
    };
    let prints = "run cat notes.txt\nsay the words of the prompt\nstderr contents of a file";
    let sent_back = world.submit("a.md", &task("", &format!("{prints}\nwrite a.txt yes")));
    let verified = world.submit("b.md", &task("verify: cat notes.txt\n", &format!("{prints}\nwrite b.txt yes")));
    let failed = world.submit("c.md", &task("", &format!("{prints}\nexit 1")));
    let asks =
        world.submit("d.md", &task("", "FLEET_QUESTION {\"question\": \"what do the words of the prompt mean?\"}"));
    world.run_once();
    world.run(&["request-changes", &sent_back, "--reason", "feedback of a person"]).exits(0);
    let quoted = world.job(&failed)["message"].to_string();
    assert!(quoted.contains("contents of a file"), "a message quotes the agent: {quoted}");
    for id in [&sent_back, &verified, &failed, &asks] {
        let (files, text) = bundled(&world, id, &[]);
        for words in ["contents of a file", "the words of the prompt", "feedback of a person", "urora"] {
            assert!(!text.contains(words), "`{words}` is told of {id}:\n{text}");
        }
        assert!(files.iter().any(|file| file.ends_with("/logs/worker.log")), "{files:?}");
        assert!(text.contains("engine scripted, branch fleet/"), "the worker's log is in it:\n{text}");
    }
}

#[test]
fn a_bundle_is_sound_json_whatever_the_environment_holds() {
    let world = World::new();
    let id = world.submit_script("ordinary", "", "write a.txt yes");
    world.run_once();
    let variables = [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MAX_THINKING_TOKENS", "1024"),
        ("FEATURE_TOKEN", "true"),
        ("QUOTA_TOKEN", "null"),
        ("PIN_PASSWORD", "\": \""),
        ("STAGE_SECRET", "review"),
    ];
    let (_, text) = bundled(&world, &id, &variables);
    assert!(text.contains("\"stage\": \"******\"") && text.contains(": false"), "{text}");
}

#[test]
fn a_wait_that_runs_into_its_deadline_shows_how_the_runs_stand() {
    let (world, id, runner) = hanging("");
    let told = std::panic::catch_unwind(|| until_within(Duration::from_millis(10), "a miracle", || None::<()>));
    let told = told.expect_err("none comes");
    let told = told.downcast_ref::<String>().expect("a text");
    for part in ["for: a miracle", &format!("fleet debug {id}"), "agent  ok, pid", "| working on it"] {
        assert!(told.contains(part), "no `{part}` in:\n{told}");
    }
    end(&world, &id, runner);
}
