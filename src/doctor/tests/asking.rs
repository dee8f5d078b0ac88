//! Programs that are asked for their version.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::program::{Silence, first_words},
    fixture::program,
};
use crate::runtime::NoAnswer;

fn answer(script: &str, limit: Duration) -> Result<String, Silence> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    program(&path, script);
    first_words(&path, &[], &environment(), limit)
}

fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())])
}

const AMPLE: Duration = Duration::from_secs(60);

#[test]
fn the_first_line_is_the_answer_wherever_it_is_printed() {
    assert_eq!(answer("echo; echo '  one  '; echo two", AMPLE).unwrap(), "one");
    assert_eq!(answer("echo on stderr >&2", AMPLE).unwrap(), "on stderr");
    assert_eq!(answer("cat; echo it reads nothing", AMPLE).unwrap(), "it reads nothing");
}

#[test]
fn each_kind_of_silence_is_told_apart() {
    assert!(matches!(answer("true", AMPLE), Err(Silence::Silent)));
    let failed = answer("echo no such thing >&2; exit 4", AMPLE).unwrap_err();
    assert_eq!(failed.to_string(), "it ended with exit status: 4: no such thing");
    let missing = first_words(Path::new("/nonexistent"), &[], &environment(), AMPLE).unwrap_err();
    assert!(matches!(missing, Silence::NoAnswer(NoAnswer::Start(_))), "{missing}");
}

#[test]
fn a_program_that_prints_without_end_is_cut_off() {
    let said = answer("yes", Duration::from_secs(60));
    assert!(matches!(said, Err(Silence::Failed { .. })), "the pipe closes: {said:?}");
}

/// Waits for a process to be gone.
fn until_gone(pid: &str) {
    let start = Instant::now();
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while lives() {
        assert!(start.elapsed() < Duration::from_secs(30), "process {pid} lives on");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_slow_program_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    // A child, a daemon in a session of its own whose parent has ended, and the program itself.
    let script = format!(
        "cd {}\nsleep 300 & echo $! > child\n(setsid sh -c 'echo $$ > daemon; exec sleep 300' &)\n\
         while ! test -s daemon; do :; done\necho $$ > own\nexec sleep 300",
        folder.path().display()
    );
    program(&path, &script);
    let slow = first_words(&path, &[], &environment(), Duration::from_secs(3)).unwrap_err();
    assert!(matches!(slow, Silence::NoAnswer(NoAnswer::Slow(_))), "{slow}");
    for name in ["child", "daemon", "own"] {
        until_gone(fs::read_to_string(folder.path().join(name)).unwrap().trim());
    }
}

#[test]
fn a_daemon_that_keeps_the_output_open_does_not_keep_us() {
    let slow = answer("echo 1.0; sleep 300 &", Duration::from_millis(500)).unwrap_err();
    assert!(matches!(slow, Silence::NoAnswer(NoAnswer::Slow(_))), "{slow}");
}
