//! Any program is an engine: a few lines of configuration, whatever way it takes its prompt.

use std::fs;

use serde_json::json;

use crate::world::{Output, World};

/// A world whose engine `mine` is this shell script, taking its prompt in this way.
fn with_engine(prompt: &str, script: &str) -> World {
    let world = World::new();
    let config = match prompt {
        "file" => "[engines.mine]\ncommand = [\"./agent.sh\", \"{prompt-file}\"]\nprompt = \"file\"\n".to_owned(),
        prompt => format!("[engines.mine]\ncommand = [\"./agent.sh\"]\nprompt = \"{prompt}\"\n"),
    };
    world.write("fleet.toml", &config);
    world.write("agent.sh", &format!("#!/bin/sh\n{script}\n"));
    world.make_executable("agent.sh");
    world
}

const TASK: &str = "---\nengine: mine\nverify: cmp -s told.txt ../../../../task-body\n---\n";

#[test]
fn a_prompt_of_two_megabytes_that_begins_like_a_flag_arrives_byte_for_byte() {
    for (prompt, read) in [("stdin", "cat > told.txt"), ("file", "cat \"$1\" > told.txt")] {
        let world = with_engine(prompt, read);
        let body = format!("--help\r\n{}\n---\nüñ", "x".repeat(2 << 20));
        let expected = world.shared().join("task-body");
        fs::write(&expected, &body).expect("the body can be written");
        let front = format!("---\nengine: mine\nverify: cmp told.txt '{}'\n---\n", expected.display());
        let id = world.submit("big.md", &format!("{front}{body}"));
        world.run_once();
        assert_eq!(world.stage(&id), "testing", "{prompt}: {:#}", world.job(&id));
    }
}

#[test]
fn a_prompt_that_cannot_be_an_argument_is_named_as_a_file() {
    let world = with_engine("argument", "printf '%s' \"$1\" > told.txt");
    let plain = world.submit(
        "plain.md",
        &format!("{TASK}Do this.")
            .replace("verify: cmp -s told.txt ../../../../task-body", "verify: grep -qx 'Do this.' told.txt"),
    );
    let flag = world.submit(
        "flag.md",
        &format!("{TASK}--help")
            .replace("verify: cmp -s told.txt ../../../../task-body", "verify: grep -q 'is in the file' told.txt"),
    );
    world.run_once();
    assert_eq!((world.stage(&plain), world.stage(&flag)), ("testing".to_owned(), "testing".to_owned()));
}

#[test]
fn an_agent_sees_its_own_secret_and_nothing_else_of_the_runner_s_environment() {
    let world = with_engine("stdin", "env > told.txt");
    world.write("fleet.toml", "[engines.mine]\ncommand = [\"./agent.sh\"]\nenv = [\"ALLOWED\"]\n\n[secrets]\nNPM_TOKEN = { env = \"MY_NPM_TOKEN\" }\n");
    let verify =
        "grep -qx 'NPM_TOKEN=tok-canary' told.txt && grep -qx 'ALLOWED=yes' told.txt && ! grep -q FORBIDDEN told.txt";
    let path = world.folder().join("env.md");
    fs::write(
        &path,
        format!("---\nengine: mine\nverify: {}\nsecrets: [NPM_TOKEN]\n---\n# Look around\n", json!(verify)),
    )
    .expect("the task");
    let mut submit = world.fleet();
    let id = Output::of(submit.args(["submit", path.to_str().expect("UTF-8")])).exits(0).line();
    let mut run = world.fleet();
    run.args(["run", "--once"]).env("MY_NPM_TOKEN", "tok-canary").env("ALLOWED", "yes").env("FORBIDDEN", "no");
    Output::of(&mut run).exits(0);
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    let database = fs::read(world.repo().join(".fleet/fleet.db")).expect("the database");
    assert!(!database.windows(10).any(|bytes| bytes == b"tok-canary"), "no value in the database");
    assert!(!world.repo().join(format!(".fleet/runs/{id}/1/agent/spec.json")).exists(), "no value left on disk");
}

#[test]
fn a_class_is_served_by_the_first_preference_that_is_installed_and_a_named_engine_beats_it() {
    let world = with_engine("stdin", "echo mine > who.txt");
    world.write("other.sh", "#!/bin/sh\necho other > who.txt\n");
    world.make_executable("other.sh");
    world.write(
        "fleet.toml",
        "[engines.absent]\ncommand = [\"./absent.sh\"]\nclass = \"chat-coder\"\n\
         [engines.mine]\ncommand = [\"./agent.sh\"]\nclass = \"chat-coder\"\n\
         [engines.other]\ncommand = [\"./other.sh\"]\nclass = \"agentic-coder\"\n",
    );
    let by_class =
        "---\nengine-class: chat-coder\nprefers-engine: [absent, mine]\nverify: grep -qx mine who.txt\n---\n# Who\n";
    let named = "---\nengine: other\nengine-class: chat-coder\nverify: grep -qx other who.txt\n---\n# Who\n";
    let none = "---\nengine-class: chat-coder\nprefers-engine: [absent]\nengine: absent\n---\n# Who\n";
    let ids = [world.submit("class.md", by_class), world.submit("named.md", named), world.submit("none.md", none)];
    world.run_once();
    assert_eq!((world.stage(&ids[0]), world.stage(&ids[1])), ("testing".to_owned(), "testing".to_owned()));
    let job = world.job(&ids[2]);
    assert_eq!((&job["result"], &job["engine"]), (&json!("no_engine"), &json!("absent")), "{job:#}");
}

#[test]
fn yolo_decides_about_the_approve_flag_and_model_and_turns_are_passed_on() {
    let world = with_engine("stdin", "echo \"$@\" > args.txt");
    world.write(
        "fleet.toml",
        "[engines.mine]\ncommand = [\"./agent.sh\"]\napprove = [\"--yes\"]\ncareful = [\"--ask\"]\nmodel = [\"--model\", \"{model}\"]\nmax-turns = [\"--turns\", \"{max-turns}\"]\n",
    );
    let front = |rest: &str| format!("---\nengine: mine\n{rest}\n---\n# A task\n");
    let ask = world.submit("ask.md", &front("yolo: false\nverify: grep -qx -- '--ask' args.txt"));
    let confined = world.submit("confined.md", &front("verify: grep -qx -- '--yes' args.txt"));
    let yes = world.submit(
        "yes.md",
        "---\nengine: mine\nyolo: true\nmodel: big\nmax-turns: 7\nverify: grep -qx -- '--model big --turns 7 --yes' args.txt\n---\n# Yes\n",
    );
    world.run_once();
    // Where nothing confines an agent it is careful, unless somebody said otherwise.
    let careful = world.submit("careful.md", &front("verify: grep -qx -- '--ask' args.txt"));
    let asked = world.submit("asked.md", &front("yolo: true\nverify: grep -qx -- '--yes' args.txt"));
    let run = Output::of(world.fleet().args(["run", "--once"]).env("FLEET_CONFINEMENT", "off")).exits(0);
    assert_eq!(run.stderr.matches("not confined").count(), 1, "said once:\n{}", run.stderr);
    for id in [ask, confined, yes, careful, asked] {
        assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    }
}
