//! What people, pipes and cron see of commands.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::world::{Output, World, until};

/// A job in `testing`, whose agent printed `lines` numbered lines first.
fn finished(world: &World, lines: usize) -> String {
    let script = format!("run seq 1 {lines}\nwrite done.txt yes");
    let id = world.submit_script("say-yes", "verify: ./check.sh\nidempotency-key: the-key\n", &script);
    world.run_once();
    id
}

const HUMAN: &[&[&str]] = &[
    &["status"],
    &["jobs"],
    &["show", "JOB"],
    &["runs", "JOB"],
    &["logs", "JOB"],
    &["events", "JOB"],
    &["diff", "JOB"],
    &["explain", "JOB"],
    &["approve", "JOB"],
    &["show", "nosuchjob"],
    &["help", "submit"],
    &["profile", "list"],
    &["run", "--once"],
    &["config", "show", "--origin"],
];

#[test]
fn off_a_terminal_nothing_prints_an_escape_sequence() {
    let world = World::new();
    let id = finished(&world, 3);
    for arguments in HUMAN {
        let output =
            Output::of(world.fleet().args(arguments.iter().map(|word| if *word == "JOB" { &id } else { *word })));
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains('\x1b') && !text.contains("\\u001b"), "{arguments:?}: {text:?}");
        }
    }
}

#[test]
fn colours_are_shown_where_they_are_wanted_and_no_color_is_heeded() {
    let world = World::new();
    finished(&world, 1);
    let jobs = |variables: &[(&str, &str)], arguments: &[&str]| {
        Output::of(world.fleet().args(arguments).envs(variables.iter().copied())).exits(0).stdout
    };
    let force = ("CLICOLOR_FORCE", "1");
    assert!(jobs(&[force], &["jobs"]).contains('\x1b'));
    assert!(!jobs(&[force, ("NO_COLOR", "1")], &["jobs"]).contains('\x1b'));
    assert!(!jobs(&[force], &["jobs", "--color", "never"]).contains('\x1b'));
    assert!(jobs(&[("NO_COLOR", "1")], &["jobs", "--color", "always"]).contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let world = World::new();
    let id = finished(&world, 20_000);
    let fleet = env!("CARGO_BIN_EXE_fleet");
    for verb in ["logs -n 0", "logs -n 0 --json", "events", "show"] {
        let pipe = format!("{{ '{fleet}' {verb} {id}; echo \"code $?\" >&2; }} | head -n 1");
        let output = Output::of(world.command("/bin/sh").args(["-c", &pipe])).exits(0);
        assert_eq!(output.stderr, "code 0\n", "{verb}");
        assert_eq!(output.stdout.lines().count(), 1, "{verb}");
    }
}

#[test]
fn quiet_says_only_what_was_asked_for() {
    let world = World::new();
    let quiet = |arguments: &[&str]| {
        let output = Output::of(world.fleet().args(arguments).arg("--quiet")).exits(0);
        assert_eq!(output.stderr, "", "{arguments:?}");
        output.stdout
    };
    assert_eq!(quiet(&["init"]), "");
    world.write(
        "task.md",
        "---\nengine: scripted\nverify: ./check.sh\n---\n# Yes\n\n```script\nwrite done.txt yes\n```\n",
    );
    let id = quiet(&["submit", "task.md"]);
    assert_eq!((id.lines().count(), id.trim().len()), (1, 10), "{id:?}");
    assert_eq!(quiet(&["run", "--once"]), "");
    assert_eq!(quiet(&["ship", id.trim()]), "");
}

#[test]
fn an_unknown_job_and_a_misspelt_word_are_told_with_the_way_on() {
    let world = World::new();
    let output = world.run(&["show", "nosuchjob"]).exits(3);
    assert!(output.stderr.contains("`nosuchjob`") && output.stderr.contains("fleet jobs"), "{}", output.stderr);
    for (arguments, suggestion) in [
        (&["shwo"][..], "show"),
        (&["jobs", "--stag", "review"], "--stage"),
        (&["jobs", "--stage", "revew"], "review"),
        (&["--set", "worker.mx=1", "status"], "worker.max"),
        (&["help", "cro"], "cron"),
    ] {
        let output = world.run(arguments).exits(2);
        assert!(output.stderr.contains(suggestion), "{arguments:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn a_job_is_named_by_its_id_a_beginning_of_it_or_its_key() {
    let world = World::new();
    let id = finished(&world, 1);
    for name in [&id, &id[..4], "the-key"] {
        assert_eq!(world.run(&["show", name, "--json"]).exits(0).json()["id"], id, "{name}");
    }
    world.run(&["show", &id[..3]]).exits(3);
}

#[test]
fn logs_show_the_last_fifty_lines_and_all_when_asked() {
    let world = World::new();
    let id = finished(&world, 200);
    let all = world.run(&["logs", &id, "-n", "0", "--stream", "stdout"]).exits(0).stdout;
    let last = world.run(&["logs", &id, "--stream", "stdout"]).exits(0).stdout;
    let lines: Vec<&str> = all.lines().collect();
    assert!((1..=200).all(|number| lines.contains(&number.to_string().as_str())), "{all}");
    assert_eq!(last.lines().collect::<Vec<_>>(), lines[lines.len() - 50..]);
}

#[test]
fn what_an_agent_prints_cannot_steer_the_terminal() {
    let world = World::new();
    let script =
        "run printf 'a\\033]0;evil\\007b\\033[2Jc\\rd\\n'\nrun printf '\\033[31mred\\033[0m\\n'\nwrite done.txt yes";
    let id = world.submit_script("evil", "verify: ./check.sh\n", script);
    world.run_once();
    for arguments in [&["logs", &id][..], &["logs", &id, "--color", "always"]] {
        let text = world.run(arguments).exits(0).stdout;
        assert!(text.contains("abcd\n"), "{text:?}");
        assert!(!text.contains("\x1b]") && !text.contains("\x1b[2J") && !text.contains('\r'), "{text:?}");
        assert_eq!(text.contains("\x1b[31mred"), arguments.len() > 2, "colours pass where colours are shown: {text:?}");
    }
    assert!(world.run(&["logs", &id, "--raw"]).exits(0).stdout.contains("\x1b]0;evil\x07"));
}

#[test]
fn following_a_log_shows_lines_as_they_come_and_ends_with_the_run() {
    let world = World::new();
    let go = world.folder().join("go");
    let script =
        format!("say before\nrun while ! test -f '{}'; do sleep 0.05; done\nsay after\nwrite a.txt a", go.display());
    let id = world.submit_script("slow", "", &script);
    let mut runner =
        world.fleet().args(["run", "--once", "-q"]).stdin(Stdio::null()).spawn().expect("the runner starts");
    let mut follower = world
        .fleet()
        .args(["logs", "-f", &id, "-q"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "before"), "lines come while the agent works");
    fs::write(&go, "").expect("the agent can be let go");
    assert!(lines.any(|line| line == "after"));
    assert!(follower.wait().expect("it ends with the run").success());
    assert!(runner.wait().expect("the runner ends").success());
}

#[test]
fn watch_shows_frame_after_frame() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    for (arguments, mark) in [(&["watch", "1"][..], "inbox 0"), (&["watch", "1", "--json"], "\"counts\"")] {
        let mut watch = world.fleet().args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let frames: Vec<String> = lines.filter(|line| line.contains(mark)).take(2).collect();
        assert_eq!(frames.len(), 2);
        assert!(!frames.concat().contains('\x1b'));
        // Its reader is gone: that ends it, and is no failure.
        assert!(until("it to end", || watch.try_wait().expect("it can be waited for")).success(), "{arguments:?}");
    }
}
