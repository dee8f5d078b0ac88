//! A confined agent under its shim: failures to start keep their names, and the shim itself stays free.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use super::bench::Bench;

/// Held to the system's programs and these.
fn confined(bench: Bench, write: &[&str]) -> Bench {
    let read = ["/usr", "/bin", "/lib", "/lib64", "/etc", "/proc"];
    let write: Vec<&str> = write.iter().copied().chain(["/dev/null"]).collect();
    bench.with("confinement", json!({ "read": read, "write": write }))
}

fn failure(bench: Bench) -> (Value, String) {
    let record = bench.start().record();
    assert_eq!(record["reason"], "failed_to_start", "{record}");
    (record["failure"]["kind"].clone(), record["failure"]["message"].as_str().expect("a sentence").to_owned())
}

#[test]
fn a_confined_run_that_cannot_start_says_why_as_precisely_as_any_other() {
    let kind = |bench: Bench| failure(confined(bench, &[])).0;
    assert_eq!(kind(Bench::new(&["no-such-agent"])), "not_found");
    assert_eq!(kind(Bench::new(&["cat"]).with("cwd", "/no/folder".into())), "working_directory");
    let with_file = |text: &str, mode: u32| {
        let bench = Bench::new(&["./agent"]);
        let path = bench.dir.join("agent");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        let cwd = bench.dir.display().to_string();
        bench.with("cwd", cwd.into())
    };
    assert_eq!(kind(with_file("#!/bin/sh\n", 0o600)), "permission");
    let (kind, message) = failure(confined(with_file("#!/bin/sh\n", 0o700), &[]));
    assert_eq!(kind, "permission");
    assert!(message.contains("confined"), "{message}");
    let missing = with_file("#!/no/interpreter\n", 0o700);
    let folder = missing.dir.display().to_string();
    let (kind, message) = failure(confined(missing, &[&folder]));
    assert_eq!((kind, message.contains("interpreter")), ("not_found".into(), true), "{message}");
}

#[test]
fn a_confined_agent_opens_its_streams_by_name_and_nothing_beside_them() {
    let script = "cat /dev/stdin; echo named > /dev/stderr; echo again >> /dev/stdout; \
                  cat $RUN/shim.json || echo closed; echo x > $RUN/x || echo closed; ls $RUN || echo closed";
    let mut bench = confined(Bench::script(script), &[]).with("stdin", json!({"file": "prompt"}));
    fs::write(bench.dir.join("prompt"), "do it\n").expect("a prompt");
    bench.spec["env"]["RUN"] = bench.dir.display().to_string().into();
    let mut shim = bench.start();
    assert_eq!(shim.record()["exit_code"], 0);
    let output = shim.output();
    assert!(output.contains("do it\n") && output.contains("again\n"), "{output}");
    assert_eq!(output.matches("closed").count(), 3, "{output}");
    assert!(fs::read_to_string(shim.dir.join("stderr.log")).expect("the other stream").contains("named\n"));
}

#[test]
fn what_a_confined_agent_starts_is_confined_too_and_is_ended_with_it() {
    let script = "setsid sh -c 'echo x > /tmp/$TOKEN; kill -0 $SHIM; sleep 1000' & sleep 1000";
    let mut bench = confined(Bench::script(script), &[]).limit("timeout_ms", 500).limit("grace_ms", 100);
    bench.spec["env"]["TOKEN"] = bench.token.clone().into();
    let left = std::path::PathBuf::from("/tmp").join(&bench.token);
    assert_eq!(bench.record()["reason"], "timeout");
    assert!(!left.exists());
}

#[test]
fn a_confined_agent_gains_no_privilege_and_root_has_lost_what_leads_around() {
    let script = "grep -E 'NoNewPrivs|CapBnd|CapInh' /proc/self/status";
    let mut shim = confined(Bench::script(script), &[]).start();
    shim.record();
    let output = shim.output();
    let field = |name: &str| {
        let line = output.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in\n{output}"));
        u64::from_str_radix(line.split_whitespace().nth(1).expect("a value"), 16).expect("hex")
    };
    assert_eq!((field("NoNewPrivs"), field("CapInh")), (1, 0));
    if nix::unistd::geteuid().is_root() {
        // DAC_READ_SEARCH, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, MKNOD, PERFMON and BPF.
        for power in [2, 16, 17, 19, 21, 27, 38, 39] {
            assert_eq!(field("CapBnd") & (1 << power), 0, "{power}: {output}");
        }
    }
}
