//! Runs of one job that follow each other closely: requeued, cancelled, handed over, stopped at an odd moment.

use std::{
    fs,
    io::BufRead,
    process::{Child, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::world::{Output, World, processes_of, until};

fn start(world: &World, args: &[&str]) -> Child {
    let mut fleet = world.fleet();
    fleet.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    fleet.spawn().expect("the runner starts")
}

fn signal(runner: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(runner.id()).expect("a pid fits")), signal).expect("the runner lives");
}

/// A task whose first run writes `half.txt` and then hangs; the second one finds that file and ends well.
fn hanging_task(world: &World, front: &str) -> String {
    let text = format!(
        "---\nengine: scripted\nverify: ./check.sh\n{front}---\n# Hanging\n\n```script run=1\nwrite half.txt half\nrun : first-run; sleep 300\n```\n```script run=2\nrun test -f half.txt\nwrite done.txt yes\n```\n"
    );
    world.submit("hanging.md", &text)
}

fn lives(world: &World, mark: &str) -> bool {
    processes_of(&world.repo().join(".fleet")).iter().any(|line| line.contains(mark))
}

fn until_it_hangs(world: &World) {
    until("the first run to hang", || lives(world, "first-run").then_some(()));
}

#[test]
fn a_job_that_is_requeued_after_its_runner_died_has_one_agent_at_a_time_and_goes_on_from_its_work() {
    let world = World::new();
    let id = hanging_task(&world, "");
    let mut runner = start(&world, &["run"]);
    until_it_hangs(&world);
    assert!(!world.run(&["status"]).exits(0).stdout.contains("is gone"), "the runner works");
    signal(&runner, Signal::SIGKILL);
    runner.wait().expect("the runner is gone");
    let status = world.run(&["status"]).exits(0).stdout;
    assert!(status.contains("an agent works on without a runner"), "{status}");
    let show = world.run(&["show", &id]).exits(0).stdout;
    assert!(show.contains("gone; its agent works on"), "{show}");
    world.run(&["requeue", &id]).exits(0);
    world.run_once();
    assert!(!lives(&world, "first-run"), "the agent of the dead runner is ended before the next one starts");
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
}

#[test]
fn a_job_that_is_cancelled_after_its_runner_died_leaves_no_agent_and_no_workspace() {
    let world = World::new();
    let id = hanging_task(&world, "");
    let mut runner = start(&world, &["run"]);
    until_it_hangs(&world);
    signal(&runner, Signal::SIGKILL);
    runner.wait().expect("the runner is gone");
    world.run(&["cancel", &id]).exits(0);
    world.run_once();
    assert!(!lives(&world, "first-run"));
    assert!(!world.exists(&format!(".fleet/work/{id}")));
    assert_eq!(world.git(&["show", &format!("refs/fleet/wip/{id}:half.txt")]), "half");
}

#[test]
fn a_running_job_that_is_requeued_goes_on_from_its_work_on_the_same_branch() {
    let world = World::new();
    let id = hanging_task(&world, "");
    let runner = start(&world, &["run"]);
    until_it_hangs(&world);
    let branch = world.job(&id)["branch"].clone();
    world.run(&["requeue", &id]).exits(0);
    let job = world.until_stage(&id, "testing");
    assert_eq!((&job["branch"], &job["runs"]), (&branch, &json!(2)), "{job:#}");
    signal(&runner, Signal::SIGTERM);
    Output::finish(runner).exits(0);
}

#[test]
fn handing_over_leaves_the_agent_to_the_next_runner() {
    let world = World::new();
    let id = hanging_task(&world, "");
    let runner = start(&world, &["run"]);
    until_it_hangs(&world);
    signal(&runner, Signal::SIGUSR1);
    Output::finish(runner).exits(0);
    assert!(lives(&world, "first-run"), "the agent works on");
    assert_eq!(world.stage(&id), "building");
    let next = start(&world, &["run"]);
    until("the next runner to go on with it", || {
        world.run(&["logs", &id, "--stream", "worker"]).stdout.contains("another runner goes on").then_some(())
    });
    assert!(lives(&world, "first-run"), "and still works");
    // What a person asks for reaches it as before.
    world.run(&["requeue", &id]).exits(0);
    world.until_stage(&id, "testing");
    assert!(!lives(&world, "first-run"));
    signal(&next, Signal::SIGTERM);
    Output::finish(next).exits(0);
}

/// A task that needs a secret which is told only once `told` is there.
fn task_with_a_slow_secret(world: &World) -> String {
    let told = world.folder().join("told");
    let asked = world.folder().join("asked");
    world.write(
        "fleet.toml",
        &format!(
            "[secrets]\nSLOW = {{ command = [\"sh\", \"-c\", \"touch {}; while ! test -f {}; do sleep 0.05; done; echo told\"] }}\n",
            asked.display(),
            told.display()
        ),
    );
    let id = world.submit_script("secret", "verify: ./check.sh\nsecrets: [SLOW]\n", "write done.txt yes");
    fs::remove_file(&asked).ok();
    id
}

#[test]
fn a_signal_while_a_run_is_prepared_starts_no_agent() {
    let world = World::new();
    let id = task_with_a_slow_secret(&world);
    let mut runner = start(&world, &["run"]);
    until("the secret to be asked for", || world.folder().join("asked").exists().then_some(()));
    signal(&runner, Signal::SIGTERM);
    let heard = std::io::BufReader::new(runner.stderr.as_mut().expect("a pipe")).lines();
    assert!(heard.map_while(Result::ok).any(|line| line.contains("asked to end")), "the runner says that it heard");
    fs::write(world.folder().join("told"), "").expect("the secret can be told");
    Output::finish(runner).exits(0);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["attempts"]), (&json!("queued"), &json!(0)), "{job:#}");
    let events = world.run(&["events", &id, "--json"]).exits(0).stdout;
    assert!(!events.contains("\"type\":\"started\""), "{events}");
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn a_second_signal_ends_the_runner_at_once_whatever_it_waits_for() {
    let world = World::new();
    let id = task_with_a_slow_secret(&world);
    let runner = start(&world, &["run"]);
    until("the secret to be asked for", || world.folder().join("asked").exists().then_some(()));
    signal(&runner, Signal::SIGTERM);
    let pid = runner.id();
    // The second one counts only once the first has been heard.
    until("the runner to be gone", || {
        // None of that name once it is gone.
        let _ = kill(Pid::from_raw(i32::try_from(pid).expect("a pid fits")), Signal::SIGTERM);
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z') || rest.is_empty()).then_some(())
    });
    drop(Output::finish(runner));
    fs::write(world.folder().join("told"), "").expect("the secret can be told");
    world.run_once();
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
}

/// A folder with a `git` that waits, once, before it checks anything out.
fn git_that_waits(world: &World) -> std::path::PathBuf {
    let folder = world.folder().join("bin");
    fs::create_dir_all(&folder).expect("a folder");
    let git = Output::of(world.command("sh").args(["-c", "command -v git"])).exits(0).line();
    let (mark, go) = (world.folder().join("begun"), world.folder().join("go"));
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *\" read-tree \"*) touch {}; while ! test -f {}; do sleep 0.05; done;; esac\nexec {git} \"$@\"\n",
        mark.display(),
        go.display()
    );
    fs::write(folder.join("git"), script).expect("a script");
    fs::set_permissions(folder.join("git"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("permissions");
    folder
}

#[test]
fn a_runner_that_is_killed_while_it_prepares_leaves_nothing_in_the_way() {
    let world = World::new();
    let id = world.submit_script("killed", "verify: ./check.sh\n", "write done.txt yes");
    let path = std::env::var("PATH").expect("a PATH");
    let slow = git_that_waits(&world);
    let mut fleet = world.fleet();
    fleet.env("PATH", format!("{}:{path}", slow.display())).arg("run");
    let mut runner = fleet.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a runner");
    until("the checkout to have begun", || world.folder().join("begun").exists().then_some(()));
    signal(&runner, Signal::SIGKILL);
    runner.wait().expect("the runner is gone");
    world.run_once();
    let job = world.job(&id);
    fs::write(world.folder().join("go"), "").expect("the other git may end");
    assert_eq!(job["stage"], "testing", "{job:#}");
}
