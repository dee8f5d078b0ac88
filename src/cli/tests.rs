//! The command line as a whole: parsing, help, the documents that follow it.

use fleet_protocol::{ErrorCode, ExitCode, Problem};
use serde_json::{Value, json};

use super::{
    command,
    testing::{Fake, World, job},
};

const ID: &str = "k3f9abcdef";

fn help(words: &[&str]) -> String {
    let mut command = command::layout().term_width(100);
    command.build();
    for word in words {
        command = command.find_subcommand(word).expect("a verb").clone();
    }
    command.render_help().to_string()
}

#[test]
fn the_overview_groups_the_verbs() {
    insta::assert_snapshot!(help(&[]));
}

#[test]
fn help_of_a_verb_starts_with_what_it_does_and_examples() {
    insta::assert_snapshot!(help(&["submit"]));
    insta::assert_snapshot!(help(&["ship"]));
}

#[test]
fn a_refused_act_ends_with_4_and_says_what_is_possible() {
    let job = job(ID, "queued", json!({ "actions": ["cancel", "hold"] }));
    let refusal = Problem::new(ErrorCode::InvalidTransition, "a queued job cannot be approved");
    let fake = Fake::default().job(&job).refuse(&format!("POST /api/fleet/jobs/{ID}/actions/approve"), refusal);
    let outcome = World::new().run(&fake, &["approve", "k3f9"]);
    assert_eq!(outcome.exit, ExitCode::Conflict);
    assert_eq!(outcome.stdout, "");
    insta::assert_snapshot!(outcome.stderr, @r"
    error: a queued job cannot be approved
      help: possible now: cancel, hold
    ");
}

#[test]
fn shipping_a_job_that_is_not_ready_is_refused_before_anything_is_merged() {
    let fake = Fake::default().job(&job(ID, "review", json!({ "actions": ["approve", "reject"] })));
    let outcome = World::new().run(&fake, &["ship", "k3f9"]);
    assert_eq!(outcome.exit, ExitCode::Conflict);
    assert!(outcome.stderr.contains("possible now: approve, reject"), "{}", outcome.stderr);
    assert!(fake.asked().iter().all(|(request, _)| request.starts_with("GET ")), "nothing was changed");
}

#[test]
fn an_act_says_what_moved_on_stderr_and_nothing_on_stdout() {
    let fake = Fake::default()
        .job(&job(ID, "review", json!({})))
        .on(&format!("POST /api/fleet/jobs/{ID}/actions/approve"), json!(job(ID, "testing", json!({}))));
    let world = World::new();
    let outcome = world.run(&fake, &["approve", "k3f9", "--reason", "good"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Success, ""));
    assert!(outcome.stderr.starts_with("k3f9abcdef approve: review → testing\n"), "{}", outcome.stderr);
    let asked = fake.asked();
    let (_, body) = asked.iter().find(|(request, _)| request.starts_with("POST")).expect("an act");
    assert_eq!(serde_json::from_str::<Value>(body).expect("JSON")["reason"], "good");
    assert_eq!(world.run(&fake, &["approve", "k3f9", "--json"]).json()["stage"], "testing");
}

#[test]
fn of_several_jobs_the_possible_ones_are_acted_on_and_the_others_told() {
    let other = "m2x7abcdef";
    let fake = Fake::default()
        .job(&job(ID, "queued", json!({})))
        .job(&job(other, "shipped", json!({})))
        .on(&format!("POST /api/fleet/jobs/{ID}/actions/hold"), json!(job(ID, "queued", json!({ "held": true }))))
        .refuse(
            &format!("POST /api/fleet/jobs/{other}/actions/hold"),
            Problem::new(ErrorCode::InvalidTransition, "a shipped job cannot be held"),
        );
    let outcome = World::new().run(&fake, &["hold", ID, other]);
    assert_eq!(outcome.exit, ExitCode::Failed);
    assert!(outcome.stderr.contains("k3f9abcdef hold: held until `fleet release`, still queued"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error: m2x7abcdef: a shipped job cannot be held"), "{}", outcome.stderr);
}

#[test]
fn a_script_may_say_no_without_a_reason() {
    let fake = Fake::default()
        .job(&job(ID, "review", json!({})))
        .on(&format!("POST /api/fleet/jobs/{ID}/actions/reject"), json!(job(ID, "failed", json!({}))));
    let outcome = World::new().run(&fake, &["reject", "k3f9", "--reason", " "]);
    assert_eq!(outcome.exit, ExitCode::Success);
    assert!(outcome.stderr.starts_with("k3f9abcdef reject: review → failed\n"), "{}", outcome.stderr);
}

#[test]
fn more_than_twenty_jobs_want_a_yes() {
    let names = vec!["k3f9"; 21];
    let arguments: Vec<&str> = std::iter::once("hold").chain(names).collect();
    let fake = Fake::default();
    let outcome = World::new().run(&fake, &arguments);
    assert_eq!(outcome.exit, ExitCode::Usage);
    assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    assert_eq!(fake.asked(), []);
}

#[test]
fn an_unknown_job_ends_with_3() {
    let world = World::new();
    let outcome = world.run(&Fake::default(), &["show", "none"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::NotFound, ""));
    assert_eq!(outcome.stderr, "error: no job `none`; `fleet jobs` lists them\n");
    let outcome = world.run(&Fake::default(), &["show", "none", "--json"]);
    let error: Value = serde_json::from_str(&outcome.stderr).expect("one object");
    assert_eq!((&error["error"]["code"], &error["error"]["exit"]), (&json!("not_found"), &json!(3)));
}

#[test]
fn the_beginning_of_an_id_that_is_too_short_is_told_so() {
    let outcome = World::new().run(&Fake::default(), &["show", "k3f"]);
    assert_eq!(outcome.exit, ExitCode::NotFound);
    assert!(outcome.stderr.contains("the beginning of an id needs four characters"), "{}", outcome.stderr);
}

#[test]
fn a_refusal_that_says_what_is_possible_says_it_once() {
    let refusal = Problem::new(ErrorCode::InvalidTransition, "not while it is queued; possible now: cancel, hold");
    let fake = Fake::default()
        .job(&job(ID, "queued", json!({ "actions": ["cancel", "hold"] })))
        .refuse(&format!("POST /api/fleet/jobs/{ID}/actions/approve"), refusal);
    let outcome = World::new().run(&fake, &["approve", "k3f9"]);
    assert_eq!(outcome.stderr, "error: not while it is queued; possible now: cancel, hold\n");
}

#[test]
fn a_configuration_whose_engines_cannot_work_is_not_valid() {
    for (text, said) in [
        ("[engines.mine]\ncommand = [\"x\"]\nprompt = \"stdn\"\n", "unknown variant `stdn`"),
        ("[engines.mine]\ncomand = [\"x\"]\n", "has no key `comand`"),
        ("[defaults]\nengine = \"nosuch\"\n", "defaults.engine: unknown engine `nosuch`"),
        ("[projects.a]\nrepo = \".\"\nprofile = \"nosuch\"\n", "projects.a.profile: unknown profile `nosuch`"),
    ] {
        let world = World::new();
        world.write("fleet.toml", text);
        let outcome = world.run(&Fake::default(), &["config", "validate"]);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Usage, ""), "{text}");
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn a_folder_and_an_empty_file_are_no_tasks() {
    let world = World::new();
    world.write("empty.md", "\n");
    for (what, said) in [(".", "is a folder, not a task file"), ("empty.md", "is empty")] {
        let outcome = world.run(&Fake::default(), &["submit", what]);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Usage, ""));
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn show_prints_the_record_for_people_and_for_programs() {
    let change = json!({
        "actions": ["approve", "reject"], "diff": { "files": 2, "added": 10, "deleted": 3 },
        "title": "Add \u{1b}]0;evil\u{7}validation", "extra": { "color": "red" },
        "usage": { "inputTokens": 1200, "outputTokens": 300, "costUsd": 0.125, "basis": "measured" },
        "progress": { "percent": 40.0, "step": 2, "of": 5, "status": "writing \u{1b}[31mtests" },
        "manifest": {
            "acceptance": ["it builds", "it is tested"], "targetFiles": ["src/form.ts"], "testCommands": ["npm test"],
        },
    });
    let job = job(ID, "review", change);
    let body = "# Add validation\n\nUse \u{1b}]0;evil\u{7}the schema.\n";
    let fake = Fake::default().job(&job).body(&job, body);
    let world = World::new();
    insta::assert_snapshot!(world.run(&fake, &["show", "k3f9"]).stdout);
    let shown = world.run(&fake, &["show", "k3f9", "--json"]).json();
    assert_eq!((&shown["id"], &shown["extra"]["color"]), (&json!(ID), &json!("red")));
    assert_eq!((&shown["bodyMd"], &shown["manifestSnapshot"]), (&json!(body), &shown["manifest"]));
}

#[test]
fn the_list_of_jobs_is_the_one_of_the_api() {
    let list = json!({ "jobs": [job(ID, "review", json!({}))], "next": null });
    let fake = Fake::default().on("GET /api/fleet/jobs?stage=review", list.clone());
    let world = World::new();
    assert_eq!(world.run(&fake, &["jobs", "--stage", "review", "--json"]).json(), list);
    insta::assert_snapshot!(world.run(&fake, &["jobs", "--stage", "review"]).stdout);
    let empty = world.run(&fake, &["jobs", "--stage", "failed"]);
    assert_eq!((empty.exit, empty.stdout.as_str(), empty.stderr.as_str()), (ExitCode::Success, "", "no jobs\n"));
}

#[test]
fn the_status_shows_counts_what_runs_and_what_needs_a_look() {
    let status = json!({
        "counts": { "inbox": 3, "building": 1, "review": 0, "testing": 0, "shipped": 40, "failed": 2 },
        "stages": { "queued": 3 }, "delayed": 1,
        "running": [{
            "id": ID, "title": "Add validation", "stage": "building", "engine": "claude", "factory": "local", "run": 2,
            "elapsedMs": 65_000, "progress": { "status": "writing tests" }, "paused": false, "stalled": false,
        }],
        "alerts": [{ "code": "dead_letter", "message": "2 jobs are dead letters", "jobs": ["m2x7abcdef"] }],
        "now": "2026-11-20T12:00:00Z",
    });
    let fake = Fake::default().on("GET /api/fleet/status", status);
    let world = World::new();
    insta::assert_snapshot!(world.run(&fake, &["status"]).stdout);
    assert_eq!(world.run(&fake, &["status", "--json"]).json()["counts"]["inbox"], 3);
}

/// Answers pieces of at most `limit` bytes, as the coordinator does.
fn log_of(fake: Fake, stream: &str, text: &str) -> Fake {
    let chunk = |from: usize, to: usize| json!({ "run": 1, "stream": stream, "data": &text[from..to], "nextOffset": to, "size": text.len(), "lossy": false });
    let path = format!("GET /api/fleet/jobs/{ID}/logs?run=1&stream={stream}");
    fake.on(&format!("{path}&offset=0&limit=1"), chunk(0, text.len().min(1)))
        .on(&format!("{path}&offset=0"), chunk(0, text.len()))
        .on(&format!("{path}&offset={}", text.len()), chunk(text.len(), text.len()))
}

#[test]
fn logs_print_the_last_fifty_lines() {
    let text: String = (1..=200).map(|number| format!("line {number}\n")).collect();
    let fake = log_of(log_of(log_of(Fake::default(), "stdout", &text), "stderr", ""), "verify", "");
    let fake = fake.job(&job(ID, "review", json!({})));
    let world = World::new();
    let outcome = world.run(&fake, &["logs", "k3f9"]);
    let expected: String = (151..=200).map(|number| format!("line {number}\n")).collect();
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    assert_eq!(world.run(&fake, &["logs", "k3f9", "-n", "0"]).stdout, text);
    assert_eq!(world.run(&fake, &["logs", "k3f9", "-n", "1", "--json"]).json()["data"], "line 200\n");
}

#[test]
fn logs_mark_other_streams_and_neutralise_escapes() {
    let fake = log_of(Fake::default(), "stdout", "a\u{1b}]0;title\u{7}b\n");
    let fake = log_of(log_of(fake, "stderr", "careful\n"), "verify", "1 test passed");
    let fake = fake.job(&job(ID, "testing", json!({})));
    let world = World::new();
    assert_eq!(world.run(&fake, &["logs", "k3f9"]).stdout, "stderr | careful\nab\nverify | 1 test passed\n");
    assert_eq!(world.run(&fake, &["logs", "k3f9", "--stream", "verify"]).stdout, "1 test passed\n");
}

#[test]
fn a_run_that_printed_nothing_is_told_so() {
    let mut fake = Fake::default().job(&job(ID, "review", json!({ "runs": 1 })));
    for stream in ["stdout", "stderr", "verify"] {
        fake = log_of(fake, stream, "");
    }
    let outcome = World::new().run(&fake, &["logs", "k3f9"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Success, ""));
    assert!(outcome.stderr.starts_with("run 1 of k3f9abcdef printed nothing;"), "{}", outcome.stderr);
}

#[test]
fn logs_of_a_run_that_never_was_end_with_3() {
    let fake = Fake::default().job(&job(ID, "review", json!({ "runs": 2 })));
    let outcome = World::new().run(&fake, &["logs", "k3f9", "--run", "3"]);
    assert_eq!(outcome.exit, ExitCode::NotFound);
    assert!(outcome.stderr.contains("its runs are 1 to 2"), "{}", outcome.stderr);
}

#[test]
fn following_ends_with_the_run_and_misses_nothing() {
    let part = |data: &str, next: usize| json!({ "run": 1, "stream": "stdout", "data": data, "nextOffset": next, "size": next, "lossy": false });
    let run = |ended: Value| {
        json!({ "runs": [{
            "jobId": ID, "number": 1, "sessionId": null, "errorClass": null, "confinement": null, "engine": null,
            "factory": "local", "leaseEpoch": 1, "startedAt": null, "endedAt": ended, "result": null, "message": null,
            "exitCode": null, "usage": { "basis": "unknown" }, "diff": null, "evidence": null, "insights": null,
            "checkpoint": null,
        }], "next": null })
    };
    let path = format!("GET /api/fleet/jobs/{ID}/logs?run=1&stream=stdout");
    let fake = Fake::default()
        .job(&job(ID, "building", json!({})))
        .on(&format!("{path}&offset=0&limit=1"), part("", 0))
        .on(&format!("{path}&offset=0"), part("", 0))
        .on(&format!("{path}&offset=0"), part("one\ntw", 6))
        .on(&format!("{path}&offset=6"), part("o\nthree", 13))
        .on(&format!("{path}&offset=13"), part("", 13))
        .on(&format!("GET /api/fleet/jobs/{ID}/runs"), run(Value::Null))
        .on(&format!("GET /api/fleet/jobs/{ID}/runs"), run(json!("2026-11-20T11:59:00Z")));
    let outcome = World::new().run(&fake, &["logs", "-f", "--stream", "stdout", "k3f9"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Success, "one\ntwo\nthree\n"), "{}", outcome.stderr);
}

#[test]
fn submit_prints_ids_alone_and_sends_the_file_byte_for_byte() {
    let world = World::new();
    world.write("task.md", "# Do it\r\n---\nand more\n");
    let fake = Fake::default().on("POST /api/fleet/jobs", json!(job(ID, "queued", json!({}))));
    let outcome = world.run(&fake, &["submit", "task.md"]);
    assert_eq!((outcome.exit, outcome.stdout), (ExitCode::Success, format!("{ID}\n")));
    let asked = fake.asked();
    let (request, body) = asked.iter().find(|(request, _)| !request.contains("dryRun")).expect("a submission");
    assert!(request.contains("file=task.md") && request.contains("repo=%2F"), "{request}");
    assert_eq!(*body, "# Do it\r\n---\nand more\n");
    assert_eq!(world.run(&fake, &["submit", "task.md", "--json"]).json()["id"], ID);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let world = World::new();
    let outcome = world.run(&Fake::default(), &["submit", "none.md"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Usage, ""));
    assert!(outcome.stderr.starts_with("error: cannot read none.md\n  cause: No such file"), "{}", outcome.stderr);
    let outcome = world.run(&Fake::default(), &["submit", "fix the typo"]);
    assert!(outcome.stderr.contains("fleet submit --repo . \"fix the typo\""), "{}", outcome.stderr);
}

#[test]
fn mistakes_that_the_coordinator_finds_are_shown_in_the_file() {
    let world = World::new();
    world.write("task.md", "---\ndeps: [a]\n---\nDo it.\n");
    let problem = Problem::new(ErrorCode::InvalidRequest, "the task file has mistakes").with(json!({ "errors": [
        { "line": 2, "column": 7, "message": "a job cannot wait for itself", "help": "leave it out" },
        { "line": 4, "column": 1, "message": "too short", "help": null },
    ]}));
    let outcome = world.run(&Fake::default().refuse("POST /api/fleet/jobs", problem), &["submit", "task.md"]);
    assert_eq!(outcome.exit, ExitCode::Usage);
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn waiting_ends_with_the_job_s_outcome() {
    let world = World::new();
    world.write("task.md", "Do it.\n");
    let status =
        json!({ "counts": {}, "stages": {}, "delayed": 0, "running": [], "alerts": [], "now": "2026-11-20T12:00:00Z" });
    let path = format!("GET /api/fleet/jobs/{ID}");
    let base = || {
        Fake::default()
            .on("POST /api/fleet/jobs", json!(job(ID, "queued", json!({}))))
            .on("GET /api/fleet/status", status.clone())
            .on("GET /api/fleet/queue-state", json!({ "version": 1 }))
            .on(&path, json!(job(ID, "queued", json!({}))))
    };
    for (stage, result, expected) in [
        ("testing", "ok", ExitCode::Success),
        ("failed", "verify_failed", ExitCode::Failed),
        ("failed", "budget_exceeded", ExitCode::Refused),
    ] {
        let fake = base().on(&path, json!(job(ID, stage, json!({ "result": result }))));
        let outcome = world.run(&fake, &["submit", "--wait", "task.md"]);
        assert_eq!(outcome.exit, expected, "{}", outcome.stderr);
        assert_eq!(outcome.stdout, format!("{ID}\n"));
    }
    let outcome = world.run(&base(), &["submit", "--wait", "--timeout", "50ms", "task.md"]);
    assert_eq!(outcome.exit, ExitCode::TimedOut);
    assert!(outcome.stderr.contains("fleet logs -f k3f9abcdef"), "{}", outcome.stderr);
}

#[test]
fn a_dry_run_prints_each_field_with_its_origin() {
    let world = World::new();
    world.write("task.md", "Do it.\n");
    let preview = json!({
        "title": "Do it", "manifest": { "engine": "claude", "verify": "make check" },
        "origins": { "engine": "default", "verify": "profile" }, "warnings": [],
    });
    let fake = Fake::default().previews(preview);
    insta::assert_snapshot!(world.run(&fake, &["submit", "--dry-run", "task.md"]).stdout, @r"
    FIELD   FROM     VALUE
    title            Do it
    engine  default  claude
    verify  profile  make check
    ");
    assert!(fake.asked().iter().all(|(request, _)| request.contains("dryRun=true")));
}

#[test]
fn a_mistake_does_not_hide_what_is_odd() {
    let world = World::new();
    world.write("task.md", "---\nverfiy: x\npriority: soon\n---\nDo it.\n");
    let outcome = world.run(&Fake::default(), &["submit", "task.md"]);
    assert!(outcome.stderr.starts_with("warning: task.md:2:1: unknown key `verfiy`"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error: `priority`: unknown priority `soon`"), "{}", outcome.stderr);
    let outcome = world.run(&Fake::default(), &["submit", "--json", "task.md"]);
    let error: Value = serde_json::from_str(&outcome.stderr).expect("one object");
    let details = &error["error"]["details"];
    assert_eq!(
        (details["errors"].as_array().map(Vec::len), details["warnings"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
}

#[test]
fn a_program_that_is_not_here_is_warned_about_and_the_job_is_queued() {
    let world = World::new();
    world.write("fleet.toml", "[engines.ghost]\ncommand = [\"/nowhere/ghost\"]\n");
    world.write("task.md", "Do it.\n");
    for (manifest, said) in [
        (
            json!({ "engine": "ghost" }),
            "task.md: engine `ghost` is not available; `ghost`: no program `/nowhere/ghost`",
        ),
        (json!({ "engine": "scripted", "verify": "./check.sh now" }), "`./check.sh`, which is not in the repository"),
        (json!({ "engine": "scripted", "verify": ["no-such-check"] }), "`no-such-check`, which is neither a program"),
    ] {
        let preview = json!({ "title": "Do it", "manifest": manifest, "origins": {}, "warnings": [] });
        let fake = Fake::default().previews(preview).on("POST /api/fleet/jobs", json!(job(ID, "queued", json!({}))));
        let outcome = world.run(&fake, &["submit", "task.md"]);
        assert_eq!((outcome.exit, outcome.stdout), (ExitCode::Success, format!("{ID}\n")));
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
}

#[test]
fn a_job_that_waits_for_an_unknown_one_is_told_so() {
    let world = World::new();
    world.write("task.md", "Do it.\n");
    let blocked = json!({ "blockedBy": [{ "dep": "schmea", "reason": "unknown" }], "deps": ["schmea"] });
    let fake = Fake::default().creates("POST /api/fleet/jobs", json!(job(ID, "blocked", blocked)));
    let outcome = world.run(&fake, &["submit", "task.md"]);
    assert_eq!((outcome.exit, outcome.stdout), (ExitCode::Success, format!("{ID}\n")));
    assert!(outcome.stderr.contains("waits for `schmea`, which no job is called yet"), "{}", outcome.stderr);
}

#[test]
fn what_a_task_names_and_is_not_there_is_refused_with_what_would_help() {
    let world = World::new();
    world.write("task.md", "Do it.\n");
    for (key, help) in [("project", "fleet project list"), ("engine", "[engines.NAME]")] {
        let problem =
            Problem::new(ErrorCode::InvalidRequest, format!("unknown {key} `x`; known: y")).with(json!({ "errors": [{
                "line": 0, "column": 0, "key": key, "message": format!("unknown {key} `x`; known: y"), "help": help,
            }] }));
        let outcome = world.run(&Fake::default().refuse_previews(problem), &["submit", "task.md"]);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Usage, ""));
        assert!(outcome.stderr.contains("known: y") && outcome.stderr.contains(help), "{}", outcome.stderr);
    }
}

#[test]
fn projects_are_listed_and_shown() {
    let shop = json!({
        "name": "shop", "description": "The shop", "repo": "/srv/shop", "base": "trunk", "profile": null,
        "verify": ["npm", "test"], "reviewPolicy": "manual", "secrets": [], "budget": { "usd": 2.5 }, "commits": null,
    });
    let list = json!({ "projects": [shop], "next": null });
    let fake = Fake::default().on("GET /api/fleet/projects", list.clone());
    let world = World::new();
    assert_eq!(world.run(&fake, &["project", "list", "--json"]).json(), list);
    insta::assert_snapshot!(world.run(&fake, &["project", "list"]).stdout, @r"
    NAME  REPOSITORY  BASE   DESCRIPTION
    shop  /srv/shop   trunk  The shop
    ");
    assert_eq!(world.run(&fake, &["project", "show", "shop", "--json"]).json(), shop);
    insta::assert_snapshot!(world.run(&fake, &["project", "show", "shop"]).stdout, @r#"
    KEY            VALUE
    name           shop
    base           trunk
    budget         {"usd":2.5}
    description    The shop
    repo           /srv/shop
    review-policy  manual
    verify         ["npm","test"]
    "#);
    let outcome = world.run(&fake, &["project", "show", "shpo"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::NotFound, ""));
    assert!(outcome.stderr.contains("did you mean `shop`?"), "{}", outcome.stderr);
    let none = Fake::default().on("GET /api/fleet/projects", json!({ "projects": [], "next": null }));
    let outcome = world.run(&none, &["project", "list"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Success, ""));
    assert!(outcome.stderr.starts_with("no projects; [projects.NAME]"), "{}", outcome.stderr);
}

#[test]
fn profiles_that_are_right_are_named_for_programs_too() {
    let world = World::new();
    world.write("right.md", "You work with care.\n");
    world.write("wrong.md", "---\nengine-class: odd\nretry: x\n---\nYou.\n");
    let outcome = world.run(&Fake::default(), &["profile", "validate", "--json", "right.md"]);
    assert_eq!((outcome.exit, outcome.json()), (ExitCode::Success, json!({ "valid": ["right.md"] })));
    let outcome = world.run(&Fake::default(), &["profile", "validate", "--json", "right.md", "wrong.md"]);
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (ExitCode::Usage, ""));
    let told = outcome.stderr.lines().last().expect("an object");
    let error: Value = serde_json::from_str(told).expect("one object");
    let errors = error["error"]["details"]["errors"].as_array().expect("a list").clone();
    let places: Vec<_> = errors.iter().map(|error| (error["file"].as_str(), error["line"].as_u64())).collect();
    assert_eq!(places, [(Some("wrong.md"), Some(2)), (Some("wrong.md"), Some(3))]);
}

#[test]
fn events_tell_what_moved() {
    let event = |seq: u32, kind: &str, from: Value, to: &str, data: Value| {
        json!({
            "jobId": ID, "seq": seq, "type": kind, "at": "2026-11-20T11:00:00Z", "actor": "operator:ann",
            "stageFrom": from, "stageTo": to, "leaseEpoch": 0, "data": data,
        })
    };
    let list = json!({ "events": [
        event(1, "submitted", Value::Null, "queued", json!({})),
        event(2, "held", json!("queued"), "queued", json!({ "reason": "not\nyet" })),
    ], "next": null });
    let fake = Fake::default()
        .job(&job(ID, "queued", json!({})))
        .on(&format!("GET /api/fleet/jobs/{ID}/events"), list.clone());
    let world = World::new();
    insta::assert_snapshot!(world.run(&fake, &["events", "k3f9"]).stdout);
    assert_eq!(world.run(&fake, &["events", "k3f9", "--json"]).json(), list);
}

#[test]
fn explain_says_what_would_change_the_answer() {
    let explanation = json!({
        "blockers": [{ "code": "blocked", "message": "waits for `schema`" }],
        "factories": [
            { "factoryId": "local", "eligible": false, "blockers": [{ "code": "no_seat", "message": "all 5 seats are taken" }], "terms": {}, "score": 0.0 },
            { "factoryId": "attic", "eligible": true, "blockers": [], "terms": { "load": 0.5 }, "score": 1.5 },
        ],
        "next": "ship `schema`",
    });
    let fake = Fake::default()
        .job(&job(ID, "blocked", json!({})))
        .on(&format!("GET /api/fleet/jobs/{ID}/explain"), explanation);
    insta::assert_snapshot!(World::new().run(&fake, &["explain", "k3f9"]).stdout);
}

#[test]
fn init_makes_a_fleet_once() {
    let world = World::new();
    let first = world.run(&Fake::default(), &["init", "new"]);
    assert_eq!((first.exit, first.stdout.as_str()), (ExitCode::Success, ""));
    let made = std::fs::read_to_string(world.folder.path().join("new/fleet.toml")).expect("a configuration");
    assert!(made.contains("queue = \"tasks\""));
    assert!(world.folder.path().join("new/tasks/inbox").is_dir());
    let second = world.run(&Fake::default(), &["init", "./new/"]);
    assert_eq!(second.stderr, "nothing to do: the fleet is already here\n");
}

#[test]
fn the_configuration_is_shown_with_origins() {
    let world = World::new();
    let outcome = world.run(&Fake::default(), &["config", "show", "--origin"]);
    assert!(outcome.stdout.contains("worker.max") && outcome.stdout.contains("fleet.toml:1"), "{}", outcome.stdout);
    let shown = world.run(&Fake::default(), &["config", "show", "--json"]).json();
    let max = shown["settings"].as_array().expect("settings").iter().find(|it| it["key"] == "worker.max");
    let max = max.expect("the setting");
    assert_eq!((&max["value"], &max["origin"]), (&json!(5), &json!("default")));
}
