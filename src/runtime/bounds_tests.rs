//! What bounds a run, with real shims: each promise with whatever control groups there are, with those of version 1, and
//! without any.

use std::{fs, time::Duration};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{
    cgroup::Group,
    find::ShimFile,
    launch::start_with,
    process::{Process, ProcessState},
    run_dir::{AGENT, RunDir, SHIM},
    tests::{Bench, soon, until},
    usage::Used,
    *,
};

const EACH: [Grouping; 3] = [Grouping::Auto, Grouping::V1, Grouping::Off];
const MIB: u64 = 1 << 20;
/// Holds the megabytes that its argument says, and waits.
const HOLD: &str = "hold() { head -c $1m /dev/zero | tail -c $1m | sleep 1000; }; ";

/// Starts a script under these bounds.
async fn start(bench: &Bench, script: &str, bound: impl FnOnce(&mut Spec)) -> Running {
    let mut launch = bench.launch(&["sh", "-c", script]);
    launch.spec.limits.health_ms = 100;
    launch.spec.limits.grace_ms = 500;
    bound(&mut launch.spec);
    start_with(bench.command(), launch).await.unwrap()
}

fn group(bench: &Bench) -> Option<Group> {
    RunDir::at(&bench.dir()).read::<ShimFile>(SHIM, "").unwrap().unwrap().group
}

fn lives(pid: i32) -> bool {
    Process::read(pid).unwrap().is_some_and(|process| process.state != ProcessState::Ended)
}

fn last_number(text: &str) -> i32 {
    text.split_whitespace().last().and_then(|word| word.parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_daemon_that_dropped_everything_leaves_no_survivor() {
    for grouping in EACH {
        let bench = Bench::new();
        let daemon =
            "env -i PATH=/usr/bin:/bin setsid sh -c 'trap \"\" TERM HUP; echo $$; while :; do sleep 0.05; done'";
        let mut running =
            start(&bench, &format!("({daemon} &); exec sleep 1000"), |spec| spec.grouping = grouping).await;
        until("the daemon is up", || !bench.output().is_empty()).await;
        let daemon = last_number(&bench.output());
        running.stop(StopReason::Cancelled, None).await.unwrap();
        let record = soon(running.wait()).await.unwrap();
        assert_eq!((record.reason, record.survivors), (Reason::Cancelled, 0), "{grouping:?}");
        assert!(record.forced >= 1 && !lives(daemon), "{grouping:?}: {record:?}");
        let expected = group(&bench).map_or(OwnedBy::ProcessTable, |group| group.owned_by());
        assert_eq!(record.owned_by, expected);
        assert!(group(&bench).is_none_or(|group| group.remove().is_ok() && group.pids().is_empty()));
    }
}

#[tokio::test]
async fn with_a_group_such_a_daemon_is_found_even_when_its_shim_was_killed() {
    for grouping in [Grouping::Auto, Grouping::V1] {
        let bench = Bench::new();
        // Twice forked, its parents gone, its environment empty: nothing but the group tells whose it is.
        let daemon = "env -i PATH=/usr/bin:/bin setsid sh -c 'echo $$; exec sleep 1000'";
        let mut running =
            start(&bench, &format!("({daemon} &); exec sleep 1000"), |spec| spec.grouping = grouping).await;
        until("the daemon is up", || !bench.output().is_empty() && bench.dir().join(AGENT).exists()).await;
        let daemon = last_number(&bench.output());
        let group = group(&bench);
        bench.kill_shim();
        assert!(matches!(soon(running.wait()).await, Err(RuntimeError::NoRecord { .. })));
        let Some(group) = group else {
            eprintln!("NOT RUN with {grouping:?}: no control group can be made here");
            Process::read(daemon).unwrap().unwrap().signal(rustix::process::Signal::KILL).unwrap();
            soon(end_orphan(&bench.dir(), Duration::ZERO)).await.unwrap();
            continue;
        };
        assert!(lives(daemon));
        let ended = soon(end_orphan(&bench.dir(), Duration::from_millis(200))).await.unwrap();
        assert_eq!((ended.survivors, lives(daemon)), (0, false), "{grouping:?}");
        assert!(group.folders().all(|folder| !folder.exists()), "the group is removed with its run");
    }
}

#[tokio::test]
async fn a_memory_hog_is_ended_and_the_record_says_by_how_much() {
    const CEILING: u64 = 64 * MIB;
    for grouping in EACH {
        let bench = Bench::new();
        let script = format!("{HOLD} hold 300; sleep 1000");
        let mut running = start(&bench, &script, |spec| {
            spec.grouping = grouping;
            spec.ceilings.memory = Some(CEILING);
        })
        .await;
        let record = soon(running.wait()).await.unwrap();
        assert_eq!(record.reason, Reason::ResourceExceeded, "{grouping:?}: {record:?}");
        let exceeded = record.exceeded.unwrap();
        assert_eq!((exceeded.resource, exceeded.ceiling), (Resource::Memory, CEILING));
        assert!(exceeded.used >= CEILING, "{grouping:?}: {exceeded:?}");
        assert!(bench.carriers().is_empty());
    }
}

#[tokio::test]
async fn a_tree_of_too_many_processes_is_ended() {
    for grouping in EACH {
        let bench = Bench::new();
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; wait";
        let mut running = start(&bench, script, |spec| {
            spec.grouping = grouping;
            spec.ceilings.processes = Some(6);
        })
        .await;
        let record = soon(running.wait()).await.unwrap();
        assert_eq!(record.reason, Reason::ResourceExceeded, "{grouping:?}: {record:?}");
        assert_eq!(record.exceeded.map(|over| (over.resource, over.ceiling)), Some((Resource::Processes, 6)));
    }
}

#[tokio::test]
async fn samples_tell_a_known_load() {
    for grouping in EACH {
        let bench = Bench::new();
        // Two processes with 80 MiB each at the same time, and one second of processor time in a grandchild.
        let burn = "(ulimit -t 1; while :; do :; done)";
        let script = format!("{HOLD} hold 80 & hold 80 & sh -c '{burn}; :'; echo burnt; wait");
        let running = start(&bench, &script, |spec| spec.grouping = grouping).await;
        let peak = || RunDir::at(&bench.dir()).read::<Used>("usage.json", "").unwrap().map(|used| used.peak_memory);
        until("both hold it", || bench.output().contains("burnt") && peak() > Some(160 * MIB)).await;
        running.stop(StopReason::Stopped, None).await.unwrap();
        let mut running = running;
        let record = soon(running.wait()).await.unwrap();
        let near = |value: u64, known: u64| value.abs_diff(known) * 5 <= known;
        let (peak, cpu) = (record.peak_memory.unwrap(), record.cpu_ms.unwrap());
        assert!(near(peak, 168 * MIB), "{grouping:?}: {peak} bytes");
        assert!(near(cpu, 1_150), "{grouping:?}: {cpu} ms");
    }
}

#[tokio::test]
async fn a_pause_holds_all_of_the_tree_also_what_daemonised() {
    for grouping in EACH {
        let bench = Bench::new();
        let count = "while :; do echo x; sleep 0.01; done";
        let script = format!("(env -i PATH=/usr/bin:/bin setsid sh -c '{count}' &); exec sh -c '{count}'");
        let mut running = start(&bench, &script, |spec| spec.grouping = grouping).await;
        until("both count", || bench.output().len() > 100).await;
        running.pause().await.unwrap();
        let still = bench.output().len();
        // Time that is long beside the pause between two lines.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(bench.output().len(), still, "{grouping:?}: something goes on");
        running.resume().await.unwrap();
        until("they go on", || bench.output().len() > still + 100).await;
        running.pause().await.unwrap();
        running.stop(StopReason::Cancelled, None).await.unwrap();
        let record = soon(running.wait()).await.unwrap();
        assert_eq!((record.reason, record.survivors), (Reason::Cancelled, 0));
    }
}

#[tokio::test]
async fn an_agent_that_says_nothing_for_too_long_is_ended_as_stalled() {
    let bench = Bench::new();
    let mut running = start(&bench, "echo up; exec sleep 1000", |spec| spec.limits.silence_ms = Some(500)).await;
    let record = soon(running.wait()).await.unwrap();
    assert_eq!(record.reason, Reason::Stalled);
    assert!(record.duration_ms >= 500, "{record:?}");
}

#[tokio::test]
async fn one_that_speaks_now_and_then_is_not_and_a_pause_does_not_count() {
    let bench = Bench::new();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >&2; sleep 0.2; done";
    let mut running = start(&bench, script, |spec| spec.limits.silence_ms = Some(1_500)).await;
    running.pause().await.unwrap();
    // Longer than the silence that it may keep.
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    running.resume().await.unwrap();
    let record = soon(running.wait()).await.unwrap();
    assert_eq!((record.reason, record.exit_code), (Reason::Exited, Some(0)));
    assert!(record.duration_ms > 3_000, "{record:?}");
}

#[tokio::test]
async fn a_run_that_does_not_start_in_time_says_what_was_seen_last() {
    let bench = Bench::new();
    // To open a pipe that nobody writes to takes for ever.
    let pipe = bench.home.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut launch = bench.launch(&["true"]);
    launch.limit = Duration::from_millis(1_500);
    launch.spec.stdin = Stdin::File(pipe);
    let late = start_with(bench.command(), launch).await.expect_err("it hangs");
    let told = late.to_string();
    assert!(told.contains("1.5s: its shim was up, and had not got the agent to run"), "{told}");
    assert!(!lives(bench.shim().pid), "its shim is ended");

    let silent = Bench::new();
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "echo thinking >&2; exec sleep 1000"]);
    let launch = Launch { limit: Duration::from_millis(300), ..silent.launch(&["true"]) };
    let late = start_with(command, launch).await.expect_err("it is no shim");
    assert!(late.to_string().ends_with("had not said who it is; its last lines: thinking"), "{late}");
    assert_eq!(fs::read_dir(silent.dir()).unwrap().count(), 1, "only the log: no secret stays");
}
