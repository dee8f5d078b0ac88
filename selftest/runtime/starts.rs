//! What an agent is started with, and runs that cannot start.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::json;

use super::bench::{Bench, PATH, until};

#[test]
fn the_environment_is_exactly_the_given_one() {
    let mut bench = Bench::new(&["env"]);
    bench.spec["env"] = json!({"PATH": PATH, "ODD": "a=b c\nd", "EMPTY": ""});
    let token = bench.token.clone();
    bench.write_spec();
    let process = bench.command().env("LEAK", "1").spawn().expect("the shim starts");
    let mut shim = bench.started(process);
    assert_eq!(shim.record()["exit_code"], 0);
    let mut lines: Vec<String> = shim.output().lines().map(str::to_owned).collect();
    lines.sort();
    let mut expected =
        ["EMPTY=", &format!("FLEET_LAUNCH={token}"), "ODD=a=b c", &format!("PATH={PATH}"), "d"].map(str::to_owned);
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn the_input_is_nothing_or_a_file_never_the_shims_own() {
    let mut shim = Bench::script("readlink /proc/self/fd/0; cat; echo end").start();
    shim.record();
    assert_eq!(shim.output(), "/dev/null\nend\n");

    let bench = Bench::new(&["cat"]).with("stdin", json!({"file": "prompt.md"}));
    fs::write(bench.dir.join("prompt.md"), "do it\n").expect("a prompt");
    let mut shim = bench.start();
    shim.record();
    assert_eq!(shim.output(), "do it\n");
}

#[test]
fn the_streams_are_kept_apart_and_the_working_directory_is_the_given_one() {
    let mut shim = Bench::script("pwd; echo bad >&2").with("cwd", "/usr".into()).start();
    shim.record();
    assert_eq!(shim.output(), "/usr\n");
    assert_eq!(fs::read_to_string(shim.dir.join("stderr.log")).expect("the other stream"), "bad\n");
}

#[test]
fn an_agent_can_be_asked_to_end_although_the_shim_catches_signals() {
    // Neither blocked nor ignored signals may be passed on.
    let mut shim = Bench::script("grep -E 'Sig(Blk|Ign)' /proc/self/status").start();
    shim.record();
    // The numbers after 31 are the C library's own.
    let standard = (1 << 31) - 1;
    let mask = |text: &str| u64::from_str_radix(text, 16).expect("hex") & standard;
    let masks: Vec<u64> =
        shim.output().lines().map(|line| mask(line.split_whitespace().nth(1).expect("a mask"))).collect();
    assert_eq!(masks, [0, 0]);
}

#[test]
fn the_shim_has_a_session_of_its_own_and_the_agent_a_group_of_its_own() {
    let mut shim = Bench::script("echo up $$; exec sleep 1000").start();
    shim.prints("up");
    let number = |pid: i32, field: usize| -> i32 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        stat.rsplit_once(") ").expect("a form").1.split(' ').nth(field).expect("a field").parse().expect("a number")
    };
    let (group, session) = (2, 3);
    let agent: i32 = shim.output().split_whitespace().nth(1).expect("a pid").parse().expect("a number");
    assert_eq!(number(shim.pid(), session), shim.pid());
    assert_eq!(number(agent, session), shim.pid());
    assert_eq!(number(agent, group), agent);
    until("the agent is written down", || shim.json("agent.json").is_some_and(|agent_file| agent_file["pid"] == agent));
    shim.tell(json!({"do": "kill"}));
    assert_eq!(shim.record()["reason"], "stopped");
}

#[test]
fn secrets_leave_the_disk_before_the_agent_starts() {
    const CANARY: &str = "canary-7f3a";
    // The run's folder must hold it nowhere by the time the agent looks.
    let script = "grep -rl \"$SECRET\" . ; echo looked";
    let mut bench = Bench::script(script);
    bench.spec["env"]["SECRET"] = CANARY.into();
    bench.spec["cwd"] = bench.dir.display().to_string().into();
    let mut shim = bench.start();
    shim.record();
    assert_eq!(shim.output(), "looked\n");
    assert!(!shim.dir.join("spec.json").exists());
    for name in ["shim.json", "agent.json", "taken.json", "exit.json", "stdout.log"] {
        let mode = fs::metadata(shim.dir.join(name)).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_run_that_cannot_start_says_why() {
    let failure = |bench: Bench| {
        let mut shim = bench.start();
        let record = shim.record();
        assert_eq!(record["reason"], "failed_to_start", "{record}");
        (record["failure"]["kind"].clone(), record["failure"]["path"].clone())
    };
    let kind = |bench| failure(bench).0;

    assert_eq!(failure(Bench::new(&["no-such-agent", "x"])), ("not_found".into(), "no-such-agent".into()));
    assert_eq!(failure(Bench::new(&["/no/such/agent"])), ("not_found".into(), "/no/such/agent".into()));
    assert_eq!(failure(Bench::new(&["./agent"])), ("not_found".into(), "/./agent".into()));
    assert_eq!(failure(Bench::new(&["cat"]).with("cwd", "/no/folder".into())).0, "working_directory");
    assert_eq!(kind(Bench::new(&["cat"]).with("stdin", json!({"file": "no-prompt"}))), "other");
    assert_eq!(kind(Bench::new(&[])), "other");

    let with_file = |text: &str, mode: u32| {
        let bench = Bench::new(&["./agent"]);
        let path = bench.dir.join("agent");
        write(&path, text, mode);
        let cwd = bench.dir.display().to_string();
        bench.with("cwd", cwd.into())
    };
    assert_eq!(kind(with_file("#!/bin/sh\n", 0o600)), "permission");
    assert_eq!(kind(with_file("#!/no/interpreter\n", 0o700)), "not_found");
}

#[test]
fn a_program_is_looked_up_in_the_agents_path() {
    let mut bench = Bench::new(&["agent"]);
    fs::create_dir(bench.dir.join("bin")).expect("a folder");
    let path = bench.dir.join("bin/agent");
    std::os::unix::fs::symlink("/bin/echo", &path).expect("a link");
    bench.spec["env"]["PATH"] = format!("/nowhere:{}", path.parent().expect("a folder").display()).into();
    assert_eq!(bench.record()["exit_code"], 0);
}

#[test]
fn without_a_readable_spec_nothing_is_started() {
    let bench = Bench::new(&["true"]);
    for text in [None, Some("{}"), Some("not json")] {
        if let Some(text) = text {
            fs::write(bench.dir.join("spec.json"), text).expect("a spec");
        }
        let output = bench.command().output().expect("the shim starts");
        assert_eq!(output.status.code(), Some(1), "{text:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("spec.json"), "{output:?}");
        assert!(!bench.dir.join("shim.json").exists());
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}
