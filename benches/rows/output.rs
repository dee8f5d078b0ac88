//! An agent that prints a lot: how fast it is kept, and what the runner needs for it.

use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    desk::task,
    lab::{Lab, settle},
    report::{Goal, Row},
    rounds::{Samples, against},
    start::{agents_clock, clock_engine},
    world::{World, done},
};

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn rows(lab: &Lab) -> Vec<Row> {
    let folder = lab.folder("output");
    let (source, started) = (folder.join("shared/source"), folder.join("shared/started"));
    fs::create_dir_all(folder.join("shared")).expect("a folder can be made");
    let size = lines(&source, lab.of(50, 8));
    let flood = format!("exec cat '{}'", source.display());
    let loud = World::new(lab, "loud", 1, &clock_engine(&started.to_string_lossy(), &flood));
    let quiet = World::new(lab, "quiet", 1, &clock_engine(&started.to_string_lossy(), "echo done"));
    let (mut number, mut most) = (0, Vec::new());
    let throughput = against(
        lab.rounds(),
        &mut || {
            number += 1;
            let job = loud.submit(&task(number, ""));
            settle();
            most.push(run_watched(&mut loud.fleet(&["run", "--once"])));
            size as f64 / MIB / (kept_at(&loud.log(&job), size) - agents_clock(&started))
        },
        &mut || {
            settle();
            size as f64 / MIB / followed(&source, &folder.join("copy"), size)
        },
    );
    let calm = (0..most.len())
        .map(|_| {
            number += 1;
            quiet.submit(&task(number, ""));
            run_watched(&mut quiet.fleet(&["run", "--once"]))
        })
        .collect::<Vec<_>>();
    vec![
        Row {
            name: "log-throughput",
            measured: "50 MiB of lines from the agent's first instruction until the coordinator has the last (smoke: 8)",
            against: "`tail -F FILE | wc -c` while the same is written to FILE",
            unit: "MiB/s",
            goal: Goal::Least(0.5),
            samples: throughput,
        },
        Row {
            name: "log-memory",
            measured: "most memory of the runner meanwhile",
            against: "the same with one line",
            unit: "MiB",
            goal: Goal::Above(40.0),
            samples: Samples::of(&most[1..], &calm[1..]),
        },
    ]
}

/// A file of so many mebibytes of lines; its length.
fn lines(path: &Path, mebibytes: usize) -> u64 {
    let mut file = BufWriter::new(File::create(path).expect("a file can be made"));
    let mut written = 0;
    while written < mebibytes * 1024 * 1024 {
        let line = format!("{written:>10} the agent says what it does, at some length, as they all do it\n");
        file.write_all(line.as_bytes()).expect("the disk takes it");
        written += line.len();
    }
    file.flush().expect("the disk takes it");
    written as u64
}

/// When the log got its last bytes, by the coordinator's clock, in seconds.
fn kept_at(log: &Path, size: u64) -> f64 {
    let file = log.metadata().expect("there is a log");
    assert_eq!(file.len(), size, "the log is whole");
    let modified = file.modified().expect("the system tells it");
    modified.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Runs a command to its end; the most memory that it held, in mebibytes.
fn run_watched(command: &mut Command) -> f64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0.0;
    loop {
        if let Some(peak) = fs::read_to_string(&status).ok().as_deref().and_then(peak) {
            most = peak;
        }
        if let Some(ended) = child.try_wait().expect("the program can be waited for") {
            assert!(ended.success(), "{command:?}: {ended}");
            return most;
        }
        std::thread::park_timeout(Duration::from_millis(4));
    }
}

fn peak(status: &str) -> Option<f64> {
    memory(status, "VmHWM:")
}

/// A line of `/proc/PID/status` in mebibytes.
pub(crate) fn memory(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// Seconds from the first write until `tail -F` has given out all of it.
fn followed(source: &Path, copy: &Path, size: u64) -> f64 {
    File::create(copy).expect("a file can be made");
    let mut tail = Command::new("tail")
        .args(["-c", "+1", "-F"])
        .arg(copy)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tail starts");
    let mut output = tail.stdout.take().expect("its output is a pipe");
    let start = Instant::now();
    let script = "exec cat \"$0\" >> \"$1\"";
    let mut writer = Command::new("sh").args(["-c", script]).args([source, copy]).spawn().expect("the writer starts");
    let mut buffer = vec![0; 128 * 1024];
    let mut seen = 0;
    while seen < size {
        seen += output.read(&mut buffer).expect("tail gives it out") as u64;
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(tail.kill());
    drop((tail.wait(), writer.wait()));
    done(Command::new("rm").arg(copy));
    seconds
}
