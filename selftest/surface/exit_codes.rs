//! Each exit code, brought about from the shell.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use fleet_protocol::ExitCode;
use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::world::{Output, World, until};

/// One way to an exit code.
struct Way {
    code: ExitCode,
    what: &'static str,
    go: fn(&World) -> Output,
}

const WAYS: &[Way] = &[
    Way { code: ExitCode::Success, what: "a status", go: |world| world.run(&["status"]) },
    Way { code: ExitCode::Success, what: "a task that is proven", go: |world| foreground(world, "verify: 'true'") },
    Way {
        code: ExitCode::Failed,
        what: "a task that fails its check",
        go: |world| foreground(world, "verify: 'false'"),
    },
    Way { code: ExitCode::Usage, what: "an unknown flag", go: |world| world.run(&["jobs", "--stag", "review"]) },
    Way { code: ExitCode::Usage, what: "a task file with mistakes", go: |world| submit(world, "priority: urgent") },
    Way { code: ExitCode::Usage, what: "a file that is not there", go: |world| world.run(&["submit", "nowhere.md"]) },
    Way { code: ExitCode::NotFound, what: "an unknown job", go: |world| world.run(&["show", "nosuchjob"]) },
    Way { code: ExitCode::Conflict, what: "an act in the wrong stage", go: ship_too_early },
    Way { code: ExitCode::Conflict, what: "a key that another task has", go: same_key },
    Way { code: ExitCode::Unreachable, what: "a database that somebody else locks", go: locked_database },
    Way { code: ExitCode::AlreadyRunning, what: "a second runner", go: second_runner },
    Way {
        code: ExitCode::Refused,
        what: "a spent budget",
        go: |world| foreground_script(world, "budget: {wall: 1s}", "hang"),
    },
    Way { code: ExitCode::TimedOut, what: "a wait that is too short", go: wait_for_nobody },
];

/// Codes that nothing can bring about yet, and why.
const NOT_YET: &[(ExitCode, &str)] = &[(ExitCode::Unauthorised, "one machine needs no token")];

#[test]
fn each_way_ends_with_its_code() {
    for way in WAYS {
        let output = (way.go)(&World::new());
        assert_eq!(output.code, i32::from(way.code.code()), "{}\n{}\n{}", way.what, output.stdout, output.stderr);
        let is_told = !output.stderr.is_empty();
        assert!(is_told || way.code == ExitCode::Success, "{}: nothing says why", way.what);
    }
}

#[test]
fn every_code_has_a_way_or_a_reason() {
    for code in ExitCode::ALL {
        let has_way = WAYS.iter().any(|way| way.code == *code);
        let has_reason = NOT_YET.iter().any(|(later, _)| later == code);
        assert!(has_way != has_reason, "{code:?}");
    }
}

fn foreground(world: &World, front: &str) -> Output {
    foreground_script(world, front, "write done.txt yes")
}

fn foreground_script(world: &World, front: &str, script: &str) -> Output {
    world.write("task.md", &format!("---\nengine: scripted\n{front}\n---\n# A task\n\n```script\n{script}\n```\n"));
    world.run(&["run", "task.md"])
}

fn submit(world: &World, front: &str) -> Output {
    world.write("task.md", &format!("---\n{front}\n---\n# A task\n"));
    world.run(&["submit", "task.md"])
}

fn queued(world: &World) -> String {
    world.submit_script("a-task", "", "write done.txt yes")
}

fn ship_too_early(world: &World) -> Output {
    let id = queued(world);
    world.run(&["ship", &id])
}

fn same_key(world: &World) -> Output {
    world.submit_script("one", "idempotency-key: nightly\n", "write one.txt one");
    world.run_once();
    world.write("two.md", "---\nidempotency-key: nightly\n---\n# Another task\n");
    world.run(&["submit", "two.md"])
}

fn wait_for_nobody(world: &World) -> Output {
    world.write("task.md", "# A task\n");
    world.run(&["submit", "--wait", "--timeout", "1s", "task.md"])
}

fn start(world: &World, args: &[&str]) -> Child {
    world
        .fleet()
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn stop(mut child: Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid fits")), Signal::SIGTERM).expect("it lives");
    child.wait().expect("it ends");
}

fn second_runner(world: &World) -> Output {
    let first = start(world, &["run"]);
    let pid = first.id().to_string();
    until("the first runner to hold the queue", || {
        let holder = fs::read_to_string(world.repo().join(".fleet/run.lock")).ok()?;
        holder.contains(&pid).then_some(())
    });
    let output = world.run(&["run", "--once"]);
    stop(first);
    output
}

/// SQLite's writers lock this byte of the `-shm` file, which is there while anybody has the database open.
const WRITE_LOCK: i64 = 120;

fn locked_database(world: &World) -> Output {
    let id = queued(world);
    let mut watcher = world.fleet().arg("watch").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut frame = String::new();
    let shown = watcher.stdout.as_mut().map(|stdout| BufReader::new(stdout).read_line(&mut frame));
    assert!(matches!(shown, Some(Ok(1..))), "the database is open");
    let path = world.repo().join(".fleet/fleet.db-shm");
    let shared = File::options().read(true).write(true).open(&path).expect("it is shared");
    until("the write lock", || {
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: WRITE_LOCK,
            l_len: 1,
            l_pid: 0,
        };
        fcntl(&shared, FcntlArg::F_OFD_SETLK(&lock)).ok()
    });
    let output = world.run(&["hold", &id]);
    stop(watcher);
    output
}
