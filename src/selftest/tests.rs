//! The harness itself: what it tells of a world where something is wrong.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Finding, Plan, SelftestError, Standing, diagnosis,
    expect::{Miss, in_order, is, says, says_not},
    play, scenarios,
    story::Stop,
    world::World,
};
use crate::shutdown::Shutdown;

fn names() -> Vec<String> {
    scenarios::all().iter().flat_map(|story| story.names()).collect()
}

/// A stand-in for this program.
fn program(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("program");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script can be made executable");
    path
}

async fn played(exe: PathBuf, folder: &Path, only: &str) -> (Result<(), SelftestError>, Vec<Finding>) {
    let plan = Plan { exe, only: Some(only.to_owned()), folder: folder.join("worlds") };
    let (_trigger, shutdown) = Shutdown::new();
    let mut findings = Vec::new();
    let ended = play(plan, &shutdown, &mut |finding| findings.push(finding)).await;
    assert!(!folder.join("worlds").exists(), "nothing is left behind");
    (ended, findings)
}

#[test]
fn each_check_has_a_name_of_its_own() {
    let mut seen = HashSet::new();
    for name in names() {
        assert!(name.contains(": "), "{name}");
        assert!(seen.insert(name.clone()), "`{name}` is there twice");
    }
    assert!(seen.len() >= 100, "{}", seen.len());
}

#[test]
fn the_names_speak_of_what_a_runner_must_prove() {
    let names = names();
    for word in [
        "manifest",
        "profiles",
        "capabilities",
        "priority",
        "deps",
        "idempotency",
        "retry",
        "recover",
        "insights",
        "claim",
        "fence",
        "reap",
        "quarantine",
        "demo",
        "budget wall",
    ] {
        assert!(names.iter().any(|name| name.contains(word)), "no check speaks of {word}");
    }
}

#[test]
fn a_wait_in_vain_brings_what_was_seen_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let answers = "echo complaining >&2; case $1 in status) echo all is quiet;; *) echo '{\"jobs\": []}';; esac";
    let exe = program(folder.path(), answers);
    let world = World::bare(folder.path().join("w"), exe, Duration::from_millis(50), Arc::default());
    let world = world.expect("a world can be made");
    world.write(".fleet/runs/j0b/1/worker.log", "first line\nlast line\n").expect("a log can be written");
    let waited = world.until("a miracle", || world.run(&["watch"]).map(|_| None::<()>));
    assert!(matches!(waited, Err(Stop::Broken(why)) if why.contains("for a miracle")));
    let told = diagnosis::of(&world).join("\n");
    for part in ["`program watch` ended with 0: complaining", "status: all is quiet", "j0b/1/worker.log: last line"] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}

#[test]
fn a_process_that_outlives_its_world_is_found_and_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::bare(folder.path().join("w"), "/bin/sh".into(), Duration::from_secs(30), Arc::default());
    let world = world.expect("a world can be made");
    world.run(&["-c", "sleep 1000 >/dev/null 2>&1 &"]).expect("the shell ends");
    let left = super::machine::settle(world.folder(), Duration::ZERO);
    // Right after the fork it still bears the shell's name.
    assert!(left.iter().any(|process| process.command.contains("sleep 1000")), "{left:?}");
    assert_eq!(super::machine::processes_of(world.folder()), []);
}

#[tokio::test]
async fn checks_of_a_program_that_does_nothing_fail_and_say_so_with_one_diagnosis() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let exe = program(folder.path(), "echo I do nothing >&2; exit 1");
    let (ended, findings) = played(exe, folder.path(), "hold: ").await;
    assert!(ended.is_ok());
    let broken = |finding: &Finding| match &finding.standing {
        Standing::Broken { seen, diagnosis } => Some((seen.clone(), diagnosis.join("\n"))),
        Standing::Held | Standing::Skipped(_) => None,
    };
    let told: Vec<_> = findings.iter().map(|finding| broken(finding).expect("every check fails")).collect();
    assert!(told.len() >= 3 && told.iter().all(|(seen, _)| seen.contains("I do nothing")), "{told:?}");
    assert!(told[0].1.contains("`program submit"), "{told:?}");
    assert!(told[1..].iter().all(|(_, diagnosis)| diagnosis.is_empty()), "{told:?}");
}

#[tokio::test]
async fn a_name_that_no_check_has_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ended, findings) = played("/bin/sh".into(), folder.path(), "no such check").await;
    assert!(matches!(ended, Err(SelftestError::NoSuchCheck(_))));
    assert_eq!(findings, []);
}

#[test]
fn an_expectation_that_does_not_hold_says_what_was_seen() {
    let seen = |miss: Result<(), Miss>| match miss {
        Err(Miss::Seen(seen)) => seen,
        other => panic!("{other:?}"),
    };
    assert_eq!(seen(is(&1, 2)), "expected 2, saw 1");
    assert_eq!(seen(says("abc", &["b", "x"])), "expected `x` in \"abc\"");
    assert_eq!(seen(says_not("abc", &["x", "b"])), "did not expect `b` in \"abc\"");
    let words = ["a", "b"].map(str::to_owned);
    assert_eq!(in_order(&words, &["a", "b"]), Ok(()));
    assert_eq!(seen(in_order(&words, &["b", "a"])), "expected [\"b\", \"a\"] in this order, saw [\"a\", \"b\"]");
}
