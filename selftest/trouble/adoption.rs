//! A runner dies or leaves, and the next one goes on with its agents.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::world::{Output, World, until};

fn start(world: &World, args: &[&str]) -> Child {
    quietly(world.fleet().args(args))
}

fn quietly(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the runner starts")
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).expect("a pid fits")), signal).expect("the process lives");
}

/// Ends a runner as a power cut would, and waits until it is gone.
fn end_at_once(mut runner: Child) {
    signal(runner.id(), Signal::SIGKILL);
    runner.wait().expect("the runner is gone");
}

fn launch(world: &World, id: &str, name: &str) -> PathBuf {
    run_folder(world, id).join(name)
}

fn run_folder(world: &World, id: &str) -> PathBuf {
    world.repo().join(".fleet/runs").join(id).join("1")
}

fn identity(world: &World, id: &str, file: &str) -> Option<Value> {
    serde_json::from_slice(&fs::read(launch(world, id, "agent").join(file)).ok()?).ok()
}

fn pid(world: &World, id: &str, file: &str) -> u32 {
    until(&format!("{file} of {id}"), || {
        let pid = identity(world, id, file)?["pid"].as_u64()?;
        u32::try_from(pid).ok()
    })
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z') && !rest.starts_with('X'))
}

fn go(world: &World) {
    fs::write(world.shared().join("go"), "").expect("the way is free");
}

/// Submits an agent that counts until it may go on, and says who it is in a file of its own.
fn submit_counting(world: &World, name: &str) -> String {
    let folder = world.shared().display().to_string();
    let script = format!(
        "say héllo from {name}\n\
         run echo $PPID >> {folder}/{name}.pids\n\
         FLEET_USAGE {{\"inputTokens\": 7, \"outputTokens\": 3}}\n\
         run i=0; while ! test -f {folder}/go; do i=$((i+1)); echo counting $i; echo beside $i >&2; sleep 0.05; done\n\
         say the end of {name}\n\
         write done.txt yes"
    );
    world.submit_script(name, "verify: ./check.sh\n", &script)
}

/// Waits until its agent counts; a second name for what it prints, which stays when the run's folder is tidied.
fn until_counting(world: &World, id: &str) -> [PathBuf; 2] {
    let of = |stream: &str| run_folder(world, id).join(stream);
    until(&format!("{id} to count"), || {
        let printed = fs::read_to_string(of("stdout")).unwrap_or_default();
        let heard = world.run(&["logs", id]);
        (printed.contains("counting 3") && heard.stdout.contains("counting")).then_some(())
    });
    ["stdout", "stderr"].map(|stream| {
        let kept = world.shared().join(format!("{id}.{stream}"));
        fs::hard_link(of(stream), &kept).expect("a second name for the output");
        kept
    })
}

fn stored(world: &World, id: &str, stream: &str) -> Vec<u8> {
    fs::read(world.repo().join(".fleet/logs").join(id).join(format!("1.{stream}"))).expect("the log")
}

/// The job is done, by its one run and the one agent that it had, and its log is what the agent printed.
#[track_caller]
fn assert_as_if_nothing_had_happened(world: &World, id: &str, agent: u32, printed: &[PathBuf; 2]) {
    let job = world.job(id);
    let said = json!([job["stage"], job["attempts"], job["runs"], job["leaseEpoch"], job["usage"]["inputTokens"]]);
    assert_eq!(said, json!(["testing", 1, 1, 1, 7]), "{job:#}");
    let name = job["title"].as_str().expect("a title");
    let agents = fs::read_to_string(world.shared().join(format!("{name}.pids"))).expect("the agent said who it is");
    assert_eq!(agents.trim(), agent.to_string(), "one agent from the beginning to the end");
    for (stream, printed) in ["stdout", "stderr"].into_iter().zip(printed) {
        let (stored, printed) = (stored(world, id, stream), fs::read(printed).expect("what it printed"));
        assert!(
            stored == printed,
            "{stream} of {id}:\n{}\nand not\n{}",
            String::from_utf8_lossy(&stored),
            String::from_utf8_lossy(&printed)
        );
    }
    let text = String::from_utf8(stored(world, id, "stdout")).expect("text");
    assert_eq!(text.matches("héllo from").count(), 1, "{text}");
    assert!(text.contains(&format!("the end of {name}\n")), "{text}");
    let history = world.run(&["events", id, "--json"]).exits(0).json();
    let types: Vec<_> = history["events"].as_array().expect("events").iter().map(|event| &event["type"]).collect();
    assert_eq!(types.iter().filter(|kind| **kind == "started").count(), 1, "{types:?}");
    let left = fs::read_dir(run_folder(world, id)).expect("the run's folder").flatten();
    let left: Vec<String> = left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(left.iter().all(|name| ["agent", "verify"].contains(&name.as_str())), "{left:?}");
}

fn ten_agents(world: &World) -> Vec<(String, u32, [PathBuf; 2])> {
    let ids: Vec<String> = (0..10).map(|nth| submit_counting(world, &format!("job-{nth}"))).collect();
    ids.into_iter().map(|id| (id, 0, [PathBuf::new(), PathBuf::new()])).collect()
}

fn until_all_count(world: &World, agents: &mut [(String, u32, [PathBuf; 2])]) {
    for (id, agent, printed) in agents {
        *printed = until_counting(world, id);
        *agent = pid(world, id, "agent.json");
    }
}

#[test]
fn ten_agents_of_a_killed_runner_go_on_under_the_next_one_and_finish() {
    let world = World::new();
    let mut agents = ten_agents(&world);
    let runner = start(&world, &["run", "--max", "10"]);
    until_all_count(&world, &mut agents);
    end_at_once(runner);
    let status = world.run(&["status"]).exits(0).stdout;
    assert!(status.contains("10 agents work on without a runner"), "{status}");
    let next = start(&world, &["run", "--max", "10"]);
    until("the next runner to hear of what was printed meanwhile", || {
        let size = fs::metadata(&agents[0].2[0]).expect("the output").len();
        (u64::try_from(stored(&world, &agents[0].0, "stdout").len()).expect("a size") >= size).then_some(())
    });
    assert!(agents.iter().all(|(_, agent, _)| is_alive(*agent)));
    go(&world);
    for (id, agent, printed) in &agents {
        world.until_stage(id, "testing");
        assert_as_if_nothing_had_happened(&world, id, *agent, printed);
    }
    signal(next.id(), Signal::SIGTERM);
    Output::finish(next).exits(0);
}

#[test]
fn ten_agents_go_on_when_another_program_file_replaces_the_runner() {
    let world = World::new();
    let mut agents = ten_agents(&world);
    let runner = start(&world, &["run", "--max", "10"]);
    until_all_count(&world, &mut agents);
    let upgraded = world.folder().join("upgraded");
    fs::copy(env!("CARGO_BIN_EXE_fleet"), &upgraded).expect("another program file");
    let next = quietly(world.command(&upgraded).args(["run", "--max", "10", "--replace"]));
    Output::finish(runner).exits(0);
    assert!(agents.iter().all(|(_, agent, _)| is_alive(*agent)));
    go(&world);
    for (id, agent, printed) in &agents {
        world.until_stage(id, "testing");
        assert_as_if_nothing_had_happened(&world, id, *agent, printed);
    }
    signal(next.id(), Signal::SIGTERM);
    Output::finish(next).exits(0);
}

#[test]
fn an_agent_that_ended_while_nobody_watched_is_not_done_again() {
    let world = World::new();
    let id = submit_counting(&world, "alone");
    let runner = start(&world, &["run"]);
    let printed = until_counting(&world, &id);
    let agent = pid(&world, &id, "agent.json");
    end_at_once(runner);
    go(&world);
    until("its shim to write the record", || launch(&world, &id, "agent").join("exit.json").exists().then_some(()));
    let told = world.run(&["recover"]).exits(0);
    assert!(told.stdout.is_empty() && told.stderr.contains("finds out what came of it"), "{}", told.stderr);
    let status = world.run(&["status"]).exits(0).stdout;
    assert!(status.contains("ended without a runner"), "{status}");
    world.run_once();
    assert_as_if_nothing_had_happened(&world, &id, agent, &printed);
}

#[test]
fn an_agent_that_was_killed_while_nobody_watched_costs_its_job_an_attempt() {
    for shim_too in [false, true] {
        let world = World::new();
        let id = submit_counting(&world, "killed");
        let runner = start(&world, &["run"]);
        let [printed, _] = until_counting(&world, &id);
        let (agent, shim) = (pid(&world, &id, "agent.json"), pid(&world, &id, "shim.json"));
        end_at_once(runner);
        if shim_too {
            signal(shim, Signal::SIGKILL);
        }
        signal(agent, Signal::SIGKILL);
        // `recover` alone, and the next runner by itself, come to the same.
        if shim_too {
            assert_eq!(world.run(&["recover"]).exits(0).line(), id);
            let job = world.job(&id);
            assert_eq!(json!([job["stage"], job["attempts"]]), json!(["queued", 1]), "{job:#}");
            assert_eq!(world.run(&["recover"]).exits(0).stdout, "");
        }
        go(&world);
        world.run_once();
        let job = world.job(&id);
        assert_eq!(json!([job["stage"], job["attempts"], job["runs"]]), json!(["testing", 2, 2]), "{job:#}");
        assert_eq!(
            stored(&world, &id, "stdout"),
            fs::read(printed).expect("the output"),
            "what it printed is not lost"
        );
    }
}

#[test]
fn a_verify_command_goes_on_under_the_next_runner_and_one_that_was_killed_is_done_again() {
    for (killed, farewell) in [(false, Signal::SIGKILL), (true, Signal::SIGKILL), (false, Signal::SIGUSR1)] {
        let world = World::new();
        let folder = world.shared().display().to_string();
        let wait =
            format!("echo $$ >> {folder}/verifying; while ! test -f {folder}/go; do sleep 0.05; done; ./check.sh");
        let id = world.submit_script("verify", &format!("verify: {wait:?}\n"), "write done.txt yes");
        let mut runner = start(&world, &["run"]);
        let said = || fs::read_to_string(world.shared().join("verifying")).unwrap_or_default();
        let verifying: u32 = until("the verify command", || said().trim().parse().ok());
        signal(runner.id(), farewell);
        runner.wait().expect("the runner is gone");
        if killed {
            signal(verifying, Signal::SIGKILL);
        }
        let next = start(&world, &["run"]);
        if killed {
            until("the verify command to be run again", || (said().lines().count() == 2).then_some(()));
        }
        go(&world);
        let job = world.until_stage(&id, "testing");
        assert_eq!(json!([job["attempts"], job["runs"]]), json!([1, 1]), "{job:#}");
        assert_eq!(said().lines().count(), if killed { 2 } else { 1 }, "{}", said());
        signal(next.id(), Signal::SIGTERM);
        Output::finish(next).exits(0);
    }
}

#[test]
fn a_run_whose_job_was_taken_away_meanwhile_is_ended_and_its_work_kept() {
    let world = World::new();
    let id = submit_counting(&world, "taken");
    let runner = start(&world, &["run"]);
    until_counting(&world, &id);
    let agent = pid(&world, &id, "agent.json");
    end_at_once(runner);
    // A person is faster than the reaper, and raises the epoch likewise.
    world.run(&["requeue", &id]).exits(0);
    let next = start(&world, &["run"]);
    until("the agent of the lost run to be ended", || (!is_alive(agent)).then_some(()));
    go(&world);
    let job = world.until_stage(&id, "testing");
    assert_eq!(json!([job["stage"], job["runs"]]), json!(["testing", 2]), "{job:#}");
    assert!(
        !run_folder(&world, &id).join("run.json").exists() && !run_folder(&world, &id).join("values.json").exists()
    );
    signal(next.id(), Signal::SIGTERM);
    Output::finish(next).exits(0);
}

#[test]
fn a_shim_that_stands_still_is_not_dead() {
    let world = World::new();
    let id = submit_counting(&world, "still");
    let runner = start(&world, &["run"]);
    let printed = until_counting(&world, &id);
    let (agent, shim) = (pid(&world, &id, "agent.json"), pid(&world, &id, "shim.json"));
    signal(shim, Signal::SIGSTOP);
    end_at_once(runner);
    let told = world.run(&["recover"]).exits(0);
    assert!(told.stdout.is_empty(), "{}", told.stdout);
    let next = start(&world, &["run"]);
    let reached = fs::metadata(&printed[0]).expect("the output").len();
    until("the next runner to go on with it", || {
        (u64::try_from(stored(&world, &id, "stdout").len()).expect("a size") > reached).then_some(())
    });
    go(&world);
    until("the agent to end", || (!is_alive(agent)).then_some(()));
    assert_eq!(world.stage(&id), "building", "nobody knows how it ended, and nobody guesses");
    signal(shim, Signal::SIGCONT);
    world.until_stage(&id, "testing");
    assert_as_if_nothing_had_happened(&world, &id, agent, &printed);
    signal(next.id(), Signal::SIGTERM);
    Output::finish(next).exits(0);
}

#[test]
fn a_run_of_which_nothing_can_be_told_is_waited_for() {
    let world = World::new();
    let id = submit_counting(&world, "unknown");
    let runner = start(&world, &["run"]);
    let printed = until_counting(&world, &id);
    let agent = pid(&world, &id, "agent.json");
    end_at_once(runner);
    let shim = launch(&world, &id, "agent").join("shim.json");
    let known = fs::read(&shim).expect("the shim's identity");
    fs::write(&shim, "{").expect("it can be spoiled");
    let next = start(&world, &["run"]);
    until("the next runner to say that it cannot tell", || {
        world.run(&["logs", &id, "--stream", "worker"]).stdout.contains("cannot be told").then_some(())
    });
    assert!(is_alive(agent) && world.stage(&id) == "building");
    fs::write(&shim, known).expect("it can be mended");
    go(&world);
    world.until_stage(&id, "testing");
    assert_as_if_nothing_had_happened(&world, &id, agent, &printed);
    signal(next.id(), Signal::SIGTERM);
    Output::finish(next).exits(0);
}

#[test]
fn the_files_of_a_process_that_is_another_one_by_now_count_as_dead() {
    let world = World::new();
    let id = submit_counting(&world, "recycled");
    let runner = start(&world, &["run"]);
    until_counting(&world, &id);
    let (agent, shim) = (pid(&world, &id, "agent.json"), pid(&world, &id, "shim.json"));
    end_at_once(runner);
    // Both are killed, and their pids given to another process: this test.
    signal(shim, Signal::SIGKILL);
    signal(agent, Signal::SIGKILL);
    for file in ["shim.json", "agent.json"] {
        let mut known = identity(&world, &id, file).expect("an identity");
        known["pid"] = json!(std::process::id());
        fs::write(launch(&world, &id, "agent").join(file), known.to_string()).expect("it can be changed");
    }
    go(&world);
    let next = start(&world, &["run"]);
    let job = world.until_stage(&id, "testing");
    assert_eq!(json!([job["stage"], job["attempts"], job["runs"]]), json!(["testing", 2, 2]), "{job:#}");
    signal(next.id(), Signal::SIGTERM);
    Output::finish(next).exits(0);
}

#[test]
fn a_lease_that_ran_out_and_that_nobody_took_is_gone_on_with() {
    let world = World::new();
    let clock = world.folder().join("clock");
    let at = |time: &str| fs::write(&clock, time).expect("the clock can be set");
    let runner = |world: &World| {
        quietly(world.fleet().args(["--test-mode", "run"]).env("FLEET_TEST_CLOCK", world.folder().join("clock")))
    };
    at("2026-11-20T10:00:00Z");
    let id = submit_counting(&world, "late");
    let first = runner(&world);
    let printed = until_counting(&world, &id);
    let agent = pid(&world, &id, "agent.json");
    end_at_once(first);
    // Two more runners, each an hour later.
    for time in ["2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z"] {
        at(time);
        let next = runner(&world);
        let reached = fs::metadata(&printed[0]).expect("the output").len();
        until("the next runner to go on with it", || {
            (u64::try_from(stored(&world, &id, "stdout").len()).expect("a size") > reached).then_some(())
        });
        end_at_once(next);
    }
    go(&world);
    world.run(&["run", "--once", "--replace"]).exits(0);
    assert_as_if_nothing_had_happened(&world, &id, agent, &printed);
}

#[test]
fn an_agent_that_no_runner_comes_for_is_ended_and_its_work_goes_on_in_another_run() {
    let world = World::new();
    world.write("fleet.toml", "[coordinator]\nlease-ttl = \"3s\"\nreap-every = \"1s\"\n");
    let id = submit_counting(&world, "unowned");
    let runner = start(&world, &["run"]);
    let [printed, _] = until_counting(&world, &id);
    end_at_once(runner);
    until("its shim to end it", || {
        identity(&world, &id, "exit.json").filter(|record| record["reason"] == "owner_gone")
    });
    go(&world);
    world.run_once();
    let job = world.job(&id);
    assert_eq!(json!([job["stage"], job["attempts"], job["runs"]]), json!(["testing", 2, 2]), "{job:#}");
    assert_eq!(stored(&world, &id, "stdout"), fs::read(printed).expect("the output"));
}

#[test]
fn what_was_asked_of_a_run_while_it_had_no_runner_is_done_by_the_next() {
    let world = World::new();
    let id = submit_counting(&world, "asked");
    let runner = start(&world, &["run"]);
    let printed = until_counting(&world, &id);
    let agent = pid(&world, &id, "agent.json");
    let state = || fs::read_to_string(format!("/proc/{agent}/stat")).unwrap_or_default();
    end_at_once(runner);
    world.run(&["pause", &id]).exits(0);
    let next = start(&world, &["run"]);
    until("the agent to stand still", || state().contains(") T ").then_some(()));
    end_at_once(next);
    world.run(&["resume", &id]).exits(0);
    let last = start(&world, &["run"]);
    until("the agent to go on", || (!state().contains(") T ")).then_some(()));
    go(&world);
    world.until_stage(&id, "testing");
    assert_as_if_nothing_had_happened(&world, &id, agent, &printed);
    signal(last.id(), Signal::SIGTERM);
    Output::finish(last).exits(0);
}

const SECRET: &str = "correct-horse-battery-staple";

#[test]
fn secrets_stay_masked_whichever_runner_carries_the_log_and_wherever_it_was_cut_off() {
    for farewell in [Signal::SIGKILL, Signal::SIGUSR1] {
        see_secrets_masked_after(farewell);
    }
}

fn see_secrets_masked_after(farewell: Signal) {
    let world = World::new();
    world.write("fleet.toml", "[secrets]\nTOKEN = { env = \"MY_TOKEN\" }\n");
    let go_file = world.shared().join("go").display().to_string();
    let script = format!(
        "run echo \"whole $TOKEN\"\n\
         run printf \"half %.9s\" \"$TOKEN\"; while ! test -f {go_file}; do sleep 0.05; done; echo \"${{TOKEN#?????????}}\"\n\
         write done.txt yes"
    );
    let verify = "verify: test -z \"$TOKEN\" && ./check.sh\nsecrets: [TOKEN]\n";
    let id = world.submit_script("secretive", verify, &script);
    let mut runner = quietly(world.fleet().arg("run").env("MY_TOKEN", SECRET));
    let spool = run_folder(&world, &id).join("stdout");
    until("the half of it", || fs::read_to_string(&spool).ok()?.ends_with("correct-h").then_some(()));
    let log = world.repo().join(".fleet/logs").join(&id).join("1.stdout");
    let masked = until("the masked line", || fs::read_to_string(&log).ok()?.find("whole ****"));
    let kept = world.shared().join("kept");
    fs::hard_link(&spool, &kept).expect("a second name for the output");
    signal(runner.id(), farewell);
    runner.wait().expect("the runner is gone");

    let values = run_folder(&world, &id).join("values.json");
    assert!(fs::read_to_string(&values).expect("the values").contains(SECRET));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&values).expect("the values").permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read_to_string(run_folder(&world, &id).join("run.json")).expect("the record").contains(SECRET));
    if farewell == Signal::SIGKILL {
        // The disk lost the end of the log, in the middle of the secret.
        let cut = u64::try_from(masked + "whole ".len() + 10).expect("a size");
        fs::File::options().write(true).open(&log).and_then(|log| log.set_len(cut)).expect("it can be cut");
    }

    // The next runner could not get the secret from where the first one had it.
    go(&world);
    world.run_once();
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    let printed = fs::read_to_string(kept).expect("what was printed");
    assert!(printed.contains(&format!("half {SECRET}\n")), "{printed}");
    let expected = printed.replace(SECRET, &"*".repeat(SECRET.len()));
    assert_eq!(fs::read_to_string(log).expect("the log"), expected);
    assert!(!values.exists());
}

/// The runner is killed ever later, from before the claim to after the report: each time the next one brings the job to
/// its one end, and what was done is done once.
#[test]
fn a_runner_that_is_killed_at_any_moment_leaves_a_job_that_ends_exactly_once() {
    let world = World::new();
    let mut taken_up = 0;
    for step in 0..24 {
        let name = format!("step-{step}");
        let started = world.shared().join(format!("{name}.started"));
        let script = format!("run echo x >> {}\nsay done by {name}\nwrite {name}.txt yes", started.display());
        let id = world.submit_script(&name, &format!("verify: test -f {name}.txt\n"), &script);
        let mut runner = start(&world, &["run", "--once"]);
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(40 * step);
        while std::time::Instant::now() < deadline && runner.try_wait().expect("a runner").is_none() {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        drop(runner.kill());
        runner.wait().expect("the runner is gone");
        world.run_once();

        let job = world.job(&id);
        assert_eq!(job["stage"], "testing", "killed after {} ms: {job:#}", 40 * step);
        assert_eq!(job["attempts"], job["runs"], "each run counts once: {job:#}");
        let history = world.run(&["events", &id, "--json"]).exits(0).json();
        let ends =
            history["events"].as_array().expect("events").iter().filter(|event| event["type"] == "verify_passed");
        assert_eq!(ends.count(), 1, "killed after {} ms: {history:#}", 40 * step);
        let starts = fs::read_to_string(started).unwrap_or_default().lines().count();
        let runs = usize::try_from(job["runs"].as_u64().expect("a number")).expect("a small number");
        assert!(starts >= 1 && starts <= runs, "{starts} agents in {runs} runs");
        let log = world.run(&["logs", &id]).exits(0).stdout;
        assert_eq!(log.matches(&format!("done by {name}\n")).count(), 1, "{log}");
        taken_up +=
            u32::from(world.run(&["logs", &id, "--stream", "worker"]).stdout.contains("another runner goes on"));
        let left = fs::read_dir(world.repo().join(".fleet/work")).expect("the workspaces").count();
        assert_eq!(left, 0, "killed after {} ms", 40 * step);
    }
    assert!(taken_up > 0, "none of the kills met a run under way");
}

#[test]
fn a_last_word_that_was_not_heard_is_said_by_the_next_runner() {
    let world = World::new();
    let id = submit_counting(&world, "unheard");
    let runner = start(&world, &["run"]);
    let printed = until_counting(&world, &id);
    let agent = pid(&world, &id, "agent.json");
    // As long as somebody else writes into the store no report is taken.
    let store = rusqlite::Connection::open(world.repo().join(".fleet/fleet.db")).expect("the store");
    until("the store to be ours", || store.execute_batch("BEGIN IMMEDIATE").ok());
    go(&world);
    until("the workspace to be cleared away", || (!world.exists(&format!(".fleet/work/{id}"))).then_some(()));
    end_at_once(runner);
    drop(store);
    assert_eq!(world.stage(&id), "building");
    world.run_once();
    assert_as_if_nothing_had_happened(&world, &id, agent, &printed);
    assert_eq!(
        world.git(&["show", &format!("{}:done.txt", world.job(&id)["branch"].as_str().expect("a branch"))]),
        "yes"
    );
}

#[test]
fn a_log_goes_on_where_it_was_although_the_agent_cut_its_file() {
    let world = World::new();
    let folder = world.shared().display().to_string();
    let wait = |file: &str| format!("while ! test -f {folder}/{file}; do sleep 0.05; done");
    let script = format!(
        "run echo long before it was cut >&2; {}; : > /dev/stderr; echo between >&2; {}; echo after >&2\nwrite done.txt yes",
        wait("cut"),
        wait("go")
    );
    let id = world.submit_script("cutting", "verify: ./check.sh\n", &script);
    let runner = start(&world, &["run"]);
    let until_stored = |text: &str| {
        let log = world.repo().join(".fleet/logs").join(&id).join("1.stderr");
        until(text, || fs::read_to_string(&log).ok()?.contains(text).then_some(()));
    };
    until_stored("long before it was cut\n");
    fs::write(world.shared().join("cut"), "").expect("the way is free");
    until_stored("between\n");
    end_at_once(runner);
    go(&world);
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
    assert_eq!(String::from_utf8_lossy(&stored(&world, &id, "stderr")), "long before it was cut\nbetween\nafter\n");
}

#[test]
fn what_an_agent_told_its_first_runner_counts_with_the_next_one() {
    let world = World::new();
    world.write("done.txt", "yes\n");
    world.commit("done before");
    let wait = format!("run echo counting; while ! test -f {}/go; do sleep 0.05; done", world.shared().display());
    let script = format!("FLEET_NO_CHANGES {{\"reason\": \"it says yes already\"}}\n{wait}");
    let id = world.submit_script("told", "verify: ./check.sh\n", &script);
    let runner = start(&world, &["run"]);
    until("the agent to wait", || world.run(&["logs", &id]).stdout.contains("counting").then_some(()));
    end_at_once(runner);
    go(&world);
    world.run_once();
    let job = world.job(&id);
    assert_eq!(json!([job["stage"], job["runs"]]), json!(["testing", 1]), "{job:#}");
}
