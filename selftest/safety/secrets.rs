//! Which secrets an agent sees, and what happens to those that cannot be had.

use crate::world::{Output, World};

/// A task whose agent writes its environment to a file, with these front matter lines.
fn env_task(front: &str) -> String {
    format!("---\nengine: shell\nverify: env > /dev/null; env > verify-env.txt; ./check.sh\n{front}---\n# Env\n")
}

fn world(config: &str) -> World {
    let world = World::new();
    world.write("agent.sh", "#!/bin/sh\nenv > env.txt\nenv\necho yes > done.txt\n");
    world.make_executable("agent.sh");
    world.write("fleet.toml", &format!("[engines.shell]\ncommand = [\"./agent.sh\"]\nprompt = \"stdin\"\n{config}"));
    world
}

#[test]
fn what_is_not_allowed_is_absent_in_agent_and_verify() {
    let world = world("env = [\"ALLOWED\", \"GH_*\"]\n[secrets]\nNPM_TOKEN = { env = \"MY_NPM\" }\n");
    let task = env_task("secrets: [NPM_TOKEN]\n").replace("env > verify-env.txt; ", "env >&2; ");
    let id = world.submit("env.md", &task);
    let output = Output::of(
        world
            .fleet()
            .args(["run", "--once"])
            .env("MY_NPM", "npm-value-1")
            .env("ALLOWED", "allowed-1")
            .env("UNRELATED", "unrelated-1")
            .env("GH_TOKEN", "forge-value-1")
            .env("GITHUB_TOKEN", "forge-value-2")
            .env("AWS_SECRET_ACCESS_KEY", "cloud-value-1")
            .env("SSH_AUTH_SOCK", "/tmp/agent-socket-1"),
    );
    output.exits(0);
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    let branch = world.job(&id)["branch"].as_str().expect("a branch").to_owned();
    let agent = world.git(&["show", &format!("{branch}:env.txt")]);
    let verify = world.run(&["logs", &id, "--stream", "verify", "--raw"]).exits(0).stdout;
    for absent in
        ["UNRELATED", "MY_NPM", "GH_TOKEN", "GITHUB_TOKEN", "AWS_SECRET", "SSH_AUTH_SOCK", "forge-value", "cloud-value"]
    {
        assert!(!agent.contains(absent), "{absent} in the agent's\n{agent}");
        assert!(!verify.contains(absent), "{absent} in the verify command's\n{verify}");
    }
    assert!(agent.contains("ALLOWED=allowed-1") && agent.contains("NPM_TOKEN=npm-value-1"), "{agent}");
    assert!(verify.contains("ALLOWED=") && !verify.contains("NPM_TOKEN"), "{verify}");
}

#[test]
fn a_task_that_names_a_secret_for_helpers_fails_with_the_reason() {
    let world = world("[secrets]\nPUSH = { env = \"MY_PUSH\", for = \"helper\" }\nGH_TOKEN = { env = \"MY_GH\" }\n");
    for name in ["PUSH", "GH_TOKEN"] {
        let id = world.submit(&format!("{name}.md"), &env_task(&format!("secrets: [{name}]\n")));
        let run =
            Output::of(world.fleet().args(["run", "--once"]).env("MY_PUSH", "push-value").env("MY_GH", "gh-value"));
        run.exits(0);
        let job = world.job(&id);
        assert_eq!(
            (job["stage"].as_str(), job["result"].as_str()),
            (Some("failed"), Some("invalid_manifest")),
            "{job:#}"
        );
        let message = job["message"].as_str().expect("a reason");
        assert!(message.contains(&format!("the secret {name} is for what fleet itself does")), "{message}");
    }
    let shown = world.run(&["config", "show"]).exits(0).stdout;
    assert!(shown.contains("no agent is given it"), "{shown}");
}

#[test]
fn an_engine_that_lists_the_variable_of_a_helpers_secret_is_not_given_it() {
    let world = world("env = [\"MY_PUSH\", \"PUSH\"]\n[secrets]\nPUSH = { env = \"MY_PUSH\", for = \"helper\" }\n");
    let id = world.submit("env.md", &env_task(""));
    Output::of(world.fleet().args(["run", "--once"]).env("MY_PUSH", "push-value").env("PUSH", "push-value")).exits(0);
    let branch = world.job(&id)["branch"].as_str().expect("a branch").to_owned();
    let agent = world.git(&["show", &format!("{branch}:env.txt")]);
    assert!(!agent.contains("push-value"), "{agent}");
}
