//! What a command costs that is over at once: its start, and one submission.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{
    bare::{self, Write},
    claims::prepared,
    desk::task,
    lab::Lab,
    report::{Goal, Row},
    rounds::{Samples, against, in_turns},
    world::{World, done, timed},
};

/// `fleet --version` against the least that a program can be.
pub(crate) fn version(lab: &Lab) -> Vec<Row> {
    let world = World::new(lab, "version", 1, "");
    let hello = hello(lab);
    let count = lab.of(100, 20);
    let samples = against(lab.rounds(), &mut || mean(count, || world.fleet(&["--version"])), &mut || {
        mean(count, || world.command(hello.to_str().expect("a UTF-8 path")))
    });
    vec![Row {
        name: "version",
        measured: "`fleet --version`, start to end",
        against: "a Rust program that prints one line",
        unit: "ms",
        goal: Goal::Most(2.0),
        samples,
    }]
}

/// `fleet submit` against its two unavoidable parts.
pub(crate) fn submit(lab: &Lab) -> Vec<Row> {
    let world = World::new(lab, "submit", 1, "");
    let count = lab.of(20, 5);
    let conn = prepared(lab, &lab.folder("submit-commit"), count * (lab.rounds() + 1));
    let mut number = 0;
    let path = world.beside("task.md");
    let seen = in_turns(
        lab.rounds(),
        &mut [
            &mut || {
                mean(count, || {
                    number += 1;
                    fs::write(&path, task(number, "")).expect("a task can be written");
                    world.fleet(&["submit", path.to_str().expect("a UTF-8 path")])
                })
            },
            &mut || {
                let commits = timed(|| {
                    for _ in 0..count {
                        let key = format!("{}", getrandom::u64().expect("the system gives randomness"));
                        bare::one(&conn, &Write::Claim { factory: "factory".to_owned(), key });
                    }
                });
                mean(count, || world.fleet(&["--version"])) + commits * 1_000.0 / count as f64
            },
        ],
    );
    vec![Row {
        name: "submit-command",
        measured: "`fleet submit FILE`, start to end, warm",
        against: "`fleet --version` and one durable commit",
        unit: "ms",
        goal: Goal::Most(3.0),
        samples: Samples::of(&seen[0], &seen[1]),
    }]
}

/// Milliseconds of one command, the mean of `count`; making it is not counted.
fn mean(count: usize, mut make: impl FnMut() -> Command) -> f64 {
    let mut seconds = 0.0;
    for _ in 0..count {
        let mut command = make();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        seconds += timed(|| {
            let status = command.status().expect("the program starts");
            assert!(status.success(), "{command:?}: {status}");
        });
    }
    seconds * 1_000.0 / count as f64
}

fn hello(lab: &Lab) -> PathBuf {
    let folder = lab.folder("hello");
    let source = folder.join("hello.rs");
    fs::write(&source, "fn main() {\n    println!(\"hello\");\n}\n").expect("a source can be written");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    done(Command::new(rustc).arg("-O").arg("-o").arg(folder.join("hello")).arg(&source));
    folder.join("hello")
}
