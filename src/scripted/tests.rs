//! Scripts done for real, in temporary folders.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::perform::Stage;

struct Played {
    code: i32,
    output: String,
    errors: String,
}

fn play(folder: &Path, prompt: &str, run: u32) -> Played {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let code = Stage { folder: folder.to_owned(), output: &mut output, errors: &mut errors }.play(prompt, run);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Played { code, output: text(output), errors: text(errors) }
}

fn script(steps: &str) -> String {
    format!("# A task\n\nWords.\n\n```script\n{steps}\n```\n\nMore words.\n")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn steps_are_done_in_order() {
    let folder = folder();
    let steps = "# a comment\nsay Hello\nwrite src/a.txt one\\ntwo\nappend src/a.txt three\nrun cp src/a.txt b.txt\n\
                 FLEET_STATUS {\"status\": \"x\"}\nusage {\"inputTokens\": 1}\nstderr Oh\nsleep 1ms\nexit 7\nsay never";
    let played = play(folder.path(), &script(steps), 1);

    assert_eq!(played.code, 7);
    assert_eq!(fs::read_to_string(folder.path().join("b.txt")).expect("written"), "one\ntwo\nthree\n");
    let lines: Vec<_> = played.output.lines().collect();
    let expected = [
        "Hello",
        "Write src/a.txt",
        "Append src/a.txt",
        "$ cp src/a.txt b.txt",
        "FLEET_STATUS {\"status\": \"x\"}",
        "FLEET_USAGE {\"inputTokens\": 1}",
    ];
    assert_eq!(lines, expected);
    assert_eq!(played.errors, "Oh\n");
}

#[test]
fn writing_again_replaces_the_file() {
    let folder = folder();
    assert_eq!(play(folder.path(), &script("write a.txt a longer text\nwrite a.txt short"), 1).code, 0);
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).expect("written"), "short\n");
}

#[test]
fn a_commit_takes_everything_along() {
    let folder = folder();
    git(folder.path(), &["init", "--quiet"]);
    let played = play(folder.path(), &script("write new.txt x\ncommit Add a file\nwrite other.txt y"), 1);
    assert_eq!((played.code, played.errors.as_str()), (0, ""));
    assert_eq!(git(folder.path(), &["log", "--format=%s"]), "Add a file\n");
    assert_eq!(git(folder.path(), &["show", "--format=", "--name-only", "HEAD"]), "new.txt\n");
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "?? other.txt\n");
}

#[test]
fn a_run_has_its_own_script_or_the_one_for_all() {
    let folder = folder();
    let prompt = "```script run=2\nsay second\n```\n```script\nsay any\n```\n````script run=3\nsay third\n````\n";
    for (run, said) in [(1, "any\n"), (2, "second\n"), (3, "third\n"), (4, "any\n")] {
        assert_eq!(play(folder.path(), prompt, run).output, said);
    }
}

#[test]
fn without_a_script_nothing_is_done_and_said_so() {
    let folder = folder();
    for prompt in
        ["# Just words\n", "```sh\nrm -r x\n```\n", "```script run=2\nsay x\n```\n", "```scripted\nsay x\n```\n"]
    {
        let played = play(folder.path(), prompt, 1);
        assert_eq!((played.code, played.output.as_str()), (0, "The task has no script for run 1: nothing to do.\n"));
    }
}

#[test]
fn an_expectation_looks_at_the_words_not_at_the_script() {
    let folder = folder();
    assert_eq!(play(folder.path(), &script("expect More words"), 1).code, 0);
    let played = play(folder.path(), &script("expect the check failed\nsay never"), 1);
    assert_eq!((played.code, played.output.as_str()), (1, ""));
    assert!(played.errors.contains("does not say `the check failed`"), "{}", played.errors);
}

#[test]
fn a_failing_line_ends_the_script_and_is_named() {
    let folder = folder();
    let played = play(folder.path(), &script("run exit 3\nsay never"), 1);
    assert_eq!((played.code, played.output.as_str()), (1, "$ exit 3\n"));
    assert!(played.errors.starts_with("scripted: line 6 of the prompt: `exit 3` ended with"), "{}", played.errors);
}

#[test]
fn a_script_that_makes_no_sense_does_nothing() {
    let folder = folder();
    for (steps, part) in [
        ("write a.txt x\nfrobnicate", "line 7 of the prompt: `frobnicate` is no step"),
        ("sleep soon", "`soon` is not a duration"),
        ("exit now", "`now` is no exit code"),
        ("run", "`run` needs something"),
    ] {
        let played = play(folder.path(), &script(steps), 1);
        assert_eq!(played.code, 2, "{steps}");
        assert!(played.errors.contains(part), "{}", played.errors);
    }
    assert!(!folder.path().join("a.txt").exists());
    assert_eq!(play(folder.path(), "```script run=x\n```\n", 1).code, 2);
}

#[test]
fn a_spawned_process_outlives_the_script() {
    let folder = folder();
    // It waits for a file that appears only after the script has ended.
    let steps = "spawn while [ ! -e go ]; do sleep 0.02; done; echo done > came.txt";
    let started = Instant::now();
    assert_eq!(play(folder.path(), &script(steps), 1).code, 0);
    assert!(started.elapsed() < Duration::from_secs(5), "it was not waited for");

    fs::write(folder.path().join("go"), "").expect("written");
    while fs::read_to_string(folder.path().join("came.txt")).unwrap_or_default() != "done\n" {
        assert!(started.elapsed() < Duration::from_secs(20), "the spawned process did not live on");
        std::thread::yield_now();
    }
}

#[test]
fn the_verb_reads_its_prompt_from_a_file() {
    let folder = folder();
    let file = folder.path().join("prompt.md");
    fs::write(&file, script("exit 5")).expect("written");
    assert_eq!(super::main(["--prompt-file".into(), file.clone().into_os_string()]), 5);
    assert_eq!(super::main(["--prompt-file".into(), folder.path().join("none").into_os_string()]), 2);
    assert_eq!(super::main([file.into_os_string()]), 2);
}
