//! The real `claude` and `codex` programs work on tasks, against model servers of our own on loopback.
//!
//! `selftest/programs/install target/programs` puts them there, at pinned versions. CI does so, and these tests fail
//! there when they are missing; elsewhere they say that they did not run.

use std::{fs, io::Write, path::PathBuf, process::Command};

use serde_json::json;

use crate::{
    model::{Fault, ModelServer, Reply, Script},
    world::{Output, World},
};

/// The folder with the programs, or nothing, said aloud, where they are not installed.
fn programs() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/programs/node_modules/.bin");
    if folder.join("claude").exists() && folder.join("codex").exists() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the agent programs are not installed; CI must run selftest/programs/install target/programs first"
    );
    // Not through the test's captured output: a test that did not run must be seen.
    let _ = writeln!(
        std::io::stderr(),
        "NOT RUN: real agent programs; `selftest/programs/install target/programs` installs them"
    );
    None
}

/// A world in which `claude` and `codex` are on the PATH and talk to `server`, each playing its own script.
struct Programs<'a> {
    world: World,
    folder: PathBuf,
    server: &'a ModelServer,
}

impl<'a> Programs<'a> {
    fn new(folder: PathBuf, server: &'a ModelServer) -> Self {
        let world = World::new();
        world.write("fleet.toml", "[engines.codex]\nenv = [\"FAKE_KEY\"]\n");
        let codex = world.folder().join("home/.codex");
        fs::create_dir_all(&codex).expect("a folder for codex");
        let config = include_str!("codex.toml").replace("BASE", &format!("{}/v1", server.base("codex")));
        fs::write(codex.join("config.toml"), config).expect("codex's configuration");
        Self { world, folder, server }
    }

    fn fleet(&self, args: &[&str], script: &str) -> Output {
        let path = std::env::var("PATH").expect("a PATH");
        let mut command: Command = self.world.fleet();
        command
            .args(args)
            .env("PATH", format!("{}:{path}", self.folder.display()))
            .env("ANTHROPIC_BASE_URL", self.server.base(script))
            .env("ANTHROPIC_API_KEY", "not-a-real-key")
            .env("FAKE_KEY", "not-a-real-key");
        Output::of(&mut command)
    }

    fn submit(&self, text: &str, script: &str) -> String {
        let path = self.world.folder().join("task.md");
        fs::write(&path, text).expect("the task can be written");
        self.fleet(&["submit", path.to_str().expect("a UTF-8 path")], script).exits(0).line()
    }
}

fn writes_done(text: &str) -> Vec<Reply> {
    vec![
        Reply::calls("I will write the file.", "Write", json!({"file_path": "{cwd}/done.txt", "content": text}))
            .costs(1200, 0, 60),
        Reply::says("done.txt is written.").costs(25, 4300, 15),
    ]
}

#[test]
fn claude_takes_a_task_to_testing() {
    let Some(folder) = programs() else { return };
    let server = ModelServer::start([("good", Script::turn(writes_done("yes\n")))]);
    let at = Programs::new(folder, &server);
    let id = at
        .submit("---\nengine: claude\nverify: ./check.sh\nyolo: true\n---\n# Write done.txt\n\nIt says yes.\n", "good");
    at.fleet(&["run", "--once"], "good").exits(0);
    let job = at.world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}");
    assert_eq!(job["usage"]["basis"], "measured");
    assert_eq!(job["usage"]["inputTokens"], 1225 + 4300);
    assert_eq!(job["usage"]["cachedInputTokens"], 4300);
    assert_eq!(job["usage"]["outputTokens"], 75);
    assert!(job["usage"]["costUsd"].as_f64().is_some_and(|usd| usd > 0.0), "{}", job["usage"]);
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(at.world.git(&["show", &format!("{branch}:done.txt")]), "yes");
    assert!(!at.world.exists("done.txt"), "the checkout is never touched");
    let log = at.world.run(&["logs", &id]).exits(0).stdout;
    assert!(log.contains("done.txt"), "the log tells what the agent did:\n{log}");
    assert!(
        server.asked("good").iter().any(|asked| asked.prompt.contains("It says yes.")),
        "the body reached the model"
    );
}

#[test]
fn without_yolo_claude_may_edit_and_still_gets_there() {
    let Some(folder) = programs() else { return };
    let server = ModelServer::start([("good", Script::turn(writes_done("yes\n")))]);
    let at = Programs::new(folder, &server);
    let id = at.submit("---\nengine: claude\nverify: ./check.sh\nyolo: false\n---\n# Write done.txt\n", "good");
    at.fleet(&["run", "--once"], "good").exits(0);
    assert_eq!(at.world.stage(&id), "testing");
}

#[test]
fn a_claude_retry_resumes_its_session_and_is_told_what_failed() {
    let Some(folder) = programs() else { return };
    let server = ModelServer::start([("retry", Script { turns: vec![writes_done("no\n"), writes_done("yes\n")] })]);
    let at = Programs::new(folder, &server);
    let front = "engine: claude\nverify: ./check.sh\nyolo: true\nretry: {max: 1, backoff: 0s}\n";
    let id = at.submit(&format!("---\n{front}---\n# Write done.txt\n"), "retry");
    at.fleet(&["run", "--once"], "retry").exits(0);
    let job = at.world.job(&id);
    assert_eq!((&job["stage"], &job["runs"]), (&json!("testing"), &json!(2)), "{job:#}");
    let runs = at.world.run(&["runs", &id, "--json"]).exits(0).json();
    assert_eq!(runs["runs"][0]["result"], "verify_failed");
    assert_eq!(runs["runs"][0]["sessionId"], runs["runs"][1]["sessionId"], "the session goes on");
    let told = server.asked("retry").iter().any(|asked| asked.prompt.contains("done.txt does not say yes"));
    assert!(told, "the failure reached the model");
    // The second run's cost is its own, although the program reports the whole session's.
    let usd: Vec<f64> = (0..2).map(|i| runs["runs"][i]["usage"]["costUsd"].as_f64().expect("a price")).collect();
    assert!((usd[0] - usd[1]).abs() < usd[0] * 0.5, "{usd:?}");
}

#[test]
fn a_refused_key_is_an_auth_error_and_is_not_tried_again() {
    let Some(folder) = programs() else { return };
    let refused = Reply::fails(Fault::Status(401, "authentication_error", "invalid x-api-key"));
    let server = ModelServer::start([("refused", Script::turn(vec![refused]))]);
    let at = Programs::new(folder, &server);
    let id = at.submit(
        "---\nengine: claude\nverify: 'true'\nyolo: true\nretry: {max: 3, backoff: 0s}\n---\n# Anything\n",
        "refused",
    );
    at.fleet(&["run", "--once"], "refused").exits(0);
    let job = at.world.job(&id);
    assert_eq!(
        (&job["stage"], &job["result"], &job["runs"]),
        (&json!("failed"), &json!("auth_error"), &json!(1)),
        "{job:#}"
    );
}

#[test]
fn codex_takes_a_task_to_testing() {
    let Some(folder) = programs() else { return };
    let script = Script::turn(vec![
        Reply::calls("I will write the file.", "exec_command", json!({"cmd": "echo yes > done.txt"}))
            .costs(1200, 0, 60),
        Reply::says("done.txt is written.").costs(25, 1200, 15),
    ]);
    let server = ModelServer::start([("codex", script)]);
    let at = Programs::new(folder, &server);
    let id = at.submit("---\nengine: codex\nverify: ./check.sh\nyolo: true\n---\n# Write done.txt\n", "codex");
    at.fleet(&["run", "--once"], "codex").exits(0);
    let job = at.world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}");
    assert_eq!(job["usage"]["inputTokens"], 1200 + 25 + 1200);
    assert_eq!(job["usage"]["cachedInputTokens"], 1200);
    assert_eq!(job["usage"]["costUsd"], json!(null), "codex names no price");
}

#[test]
fn both_work_confined_with_the_user_s_own_folders_and_no_word_about_yolo() {
    let Some(folder) = programs() else { return };
    let shell = |cmd: &str| {
        vec![
            Reply::calls("I will do it.", "Bash", json!({"command": cmd, "description": "a shell line"})),
            Reply::says("It is done."),
        ]
    };
    let codex = |cmd: &str| {
        vec![Reply::calls("I will do it.", "exec_command", json!({"cmd": cmd})), Reply::says("It is done.")]
    };
    // Both may do everything unasked, and still do not reach the key.
    let line = "cat ~/.ssh/id_ed25519; echo mine > ~/new; echo yes > done.txt; git add done.txt; git commit -qm work";
    let server = ModelServer::start([("claude", Script::turn(shell(line))), ("codex", Script::turn(codex(line)))]);
    let at = Programs::new(folder, &server);
    let home = at.world.folder().join("home");
    fs::create_dir_all(home.join(".ssh")).expect("a folder");
    fs::write(home.join(".ssh/id_ed25519"), "KEY-CANARY").expect("a key");
    // As it lies in a home where the program was used before.
    fs::write(home.join(".claude.json"), "{\"numStartups\": 3, \"hasCompletedOnboarding\": true}").expect("a file");
    for engine in ["claude", "codex"] {
        let id = at.submit(&format!("---\nengine: {engine}\nverify: ./check.sh\n---\n# Write done.txt\n"), engine);
        at.fleet(&["run", "--once"], engine).exits(0);
        let log = at.world.run(&["logs", &id]).exits(0).stdout;
        let job = at.world.job(&id);
        assert_eq!(job["stage"], "testing", "{engine}: {job:#}\n{log}");
        assert!(log.contains("Permission denied"), "{engine} was refused what is not its own:\n{log}");
        assert!(!log.contains("KEY-CANARY") && !home.join("new").exists(), "{engine}:\n{log}");
        let runs = at.world.run(&["runs", &id, "--json"]).exits(0).json();
        assert!(runs["runs"][0]["confinement"].as_str().is_some_and(|it| it.starts_with("landlock-")), "{runs:#}");
    }
    // Its settings lie beside its folder, and are written although nothing can be made there.
    let settings = fs::read_to_string(home.join(".claude.json")).expect("its settings");
    assert!(settings.contains("\"userID\""), "{settings}");
}

#[test]
fn without_yolo_codex_works_in_our_confinement_instead_of_its_own() {
    let Some(folder) = programs() else { return };
    let codex = |cmd: &str| {
        vec![Reply::calls("I will do it.", "exec_command", json!({"cmd": cmd})), Reply::says("It is done.")]
    };
    let line = "echo yes > done.txt; git add done.txt; git commit -qm work";
    let server = ModelServer::start([("codex", Script::turn(codex(line)))]);
    let at = Programs::new(folder, &server);
    let id = at.submit("---\nengine: codex\nverify: ./check.sh\nyolo: false\n---\n# Write done.txt\n", "codex");
    at.fleet(&["run", "--once"], "codex").exits(0);
    assert_eq!(at.world.stage(&id), "testing", "{}", at.world.run(&["logs", &id]).exits(0).stdout);
}

#[test]
fn a_model_that_falls_silent_is_ended_by_the_job_s_timeout() {
    let Some(folder) = programs() else { return };
    let server = ModelServer::start([("silent", Script::turn(vec![Reply::fails(Fault::Silence)]))]);
    let at = Programs::new(folder, &server);
    let id = at.submit("---\nengine: claude\nverify: 'true'\nyolo: true\ntimeout: 5s\n---\n# Anything\n", "silent");
    at.fleet(&["run", "--once"], "silent").exits(0);
    let job = at.world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("timeout")), "{job:#}");
}
