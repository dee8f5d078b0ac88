//! The worker's side with real shims. The shim is this test program itself, which acts as one when it is asked to.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use super::{
    identity::Identity,
    launch::start_with,
    process::{Process, ProcessState},
    run_dir::{AGENT, LOG, RunDir, SHIM, SPEC, TAKEN},
    *,
};

pub(super) const DEADLINE: Duration = Duration::from_secs(90);
const ACT_AS_SHIM: &str = "FLEET_TEST_ACT_AS_SHIM";

/// Not a test unless the variable is set: then it is the shim that a test below has started.
#[test]
fn act_as_shim() {
    if let Some(run_dir) = env::var_os(ACT_AS_SHIM) {
        assert_eq!(shim::main(Path::new(&run_dir)), ExitCode::SUCCESS);
    }
}

/// A folder for one run; whatever is left of the run ends with this value.
pub(super) struct Bench {
    pub(super) home: TempDir,
    token: Token,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), token: Token::random().unwrap() }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.home.path().join("run")
    }

    pub(super) fn launch(&self, argv: &[&str]) -> Launch {
        let path = ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned());
        let spec = Spec {
            label: "bench".to_owned(),
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            env: Environment(BTreeMap::from([path])),
            cwd: PathBuf::from("/"),
            stdin: Stdin::Null,
            stdout: "stdout.log".to_owned(),
            stderr: "stderr.log".to_owned(),
            limits: Limits::default(),
            confinement: None,
            ceilings: Ceilings::default(),
            grouping: Grouping::Auto,
            token: self.token.clone(),
            key: Token::random().unwrap(),
        };
        Launch { run_dir: self.dir(), spec, limit: DEADLINE }
    }

    pub(super) async fn start(&self, script: &str) -> Running {
        start_with(self.command(), self.launch(&["sh", "-c", script])).await.unwrap()
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "runtime::tests::act_as_shim", "--nocapture"]).env(ACT_AS_SHIM, self.dir());
        command
    }

    pub(super) fn output(&self) -> String {
        fs::read_to_string(self.dir().join("stdout.log")).unwrap_or_default()
    }

    /// The processes that carry the token.
    pub(super) fn carriers(&self) -> Vec<Process> {
        let mut all = Process::all().unwrap();
        all.retain(|process| process.state != ProcessState::Ended && process.carries(&self.token));
        all
    }

    pub(super) fn shim(&self) -> Identity {
        RunDir::at(&self.dir()).read(SHIM, "").unwrap().unwrap()
    }

    /// As a machine out of memory might.
    pub(super) fn kill_shim(&self) {
        let shim = self.shim();
        let process = Process::read(shim.pid).unwrap().unwrap();
        assert_eq!(process.started, shim.started);
        assert!(process.signal(Signal::KILL).unwrap());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Only does something when a test failed.
        for process in self.carriers() {
            drop(process.signal(Signal::KILL));
        }
    }
}

pub(super) async fn until(what: &str, mut level: impl FnMut() -> bool) {
    let reached = async {
        while !level() {
            sleep(Duration::from_millis(3)).await;
        }
    };
    timeout(DEADLINE, reached).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it takes too long")
}

#[tokio::test]
async fn a_started_run_is_waited_for_and_found_afterwards() {
    let bench = Bench::new();
    let mut running = bench.start("echo hello; exit 4").await;
    let record = soon(running.wait()).await.unwrap();
    assert_eq!((record.reason, record.exit_code), (Reason::Exited, Some(4)));
    assert_eq!(record.token, bench.token);
    assert_eq!(bench.output(), "hello\n");
    assert_eq!(soon(running.wait()).await.unwrap(), record, "it can be asked for again");
    assert!(matches!(find(&bench.dir()).unwrap(), Found::Finished(found) if found == record));
    assert!(matches!(running.hello().await, Err(RuntimeError::NotListening { .. })));
    let mode = fs::metadata(bench.dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn an_agent_that_cannot_start_is_told_by_the_record() {
    let bench = Bench::new();
    let mut running = start_with(bench.command(), bench.launch(&["no-such-agent"])).await.unwrap();
    let record = soon(running.wait()).await.unwrap();
    assert_eq!(record.reason, Reason::FailedToStart);
    let failure = record.failure.unwrap();
    assert_eq!((failure.kind, failure.path.as_str()), (StartFailureKind::NotFound, "no-such-agent"));
}

#[tokio::test]
async fn a_folder_serves_one_launch() {
    let bench = Bench::new();
    let mut running = bench.start(":").await;
    let second = start_with(bench.command(), bench.launch(&["true"])).await;
    assert!(matches!(second, Err(RuntimeError::Used { .. })), "{second:?}");
    soon(running.wait()).await.unwrap();
}

#[tokio::test]
async fn a_shim_that_does_not_come_up_leaves_no_secret_behind() {
    let bench = Bench::new();
    let missing = start(Path::new("/no/such/fleet"), bench.launch(&["true"])).await;
    assert!(
        matches!(&missing, Err(RuntimeError::Io { path, .. }) if path == Path::new("/no/such/fleet")),
        "{missing:?}"
    );
    assert!(!bench.dir().join(SPEC).exists());

    let mut command = Command::new("sh");
    command.args(["-c", "echo no luck >&2; exit 1"]);
    let died = start_with(command, bench.launch(&["true"])).await;
    assert!(matches!(&died, Err(RuntimeError::ShimDied { said, .. }) if said == "no luck"), "{died:?}");
    assert!(!bench.dir().join(SPEC).exists());
}

#[tokio::test]
async fn another_worker_finds_a_living_run_and_waits_for_it() {
    let bench = Bench::new();
    // Its first worker forgets it.
    drop(bench.start("echo up; exec sleep 1000").await);
    until("the agent is up", || bench.output().contains("up")).await;
    let Found::Alive(mut running) = find(&bench.dir()).unwrap() else { panic!("it lives") };
    assert_eq!(running.hello().await.unwrap().state, State::Working);
    assert_eq!(running.pause().await.unwrap().state, State::Paused);
    assert_eq!(running.resume().await.unwrap().state, State::Working);
    // Waiting can be given up and taken up again.
    assert!(timeout(Duration::from_millis(50), running.wait()).await.is_err());
    running.stop(StopReason::Drained, Some(Duration::from_secs(5))).await.unwrap();
    assert_eq!(soon(running.wait()).await.unwrap().reason, Reason::Drained);
    assert!(bench.carriers().is_empty());
}

#[tokio::test]
async fn orphans_of_a_killed_shim_are_found_and_ended() {
    let bench = Bench::new();
    // The agent ends when asked, and with it the only link to a child that has dropped the token and does not.
    let script = "(setsid sleep 1000 &); env -u FLEET_LAUNCH \
                  sh -c 'trap \"\" TERM; echo bare $$; while [ -e DIR ]; do sleep 0.05; done'; :";
    let mut running = bench.start(&script.replace("DIR", &bench.dir().display().to_string())).await;
    until("the agent is up", || bench.output().contains("bare") && bench.dir().join(AGENT).exists()).await;
    until("its daemon is up", || bench.carriers().len() == 2).await;
    bench.kill_shim();
    assert!(matches!(soon(running.wait()).await, Err(RuntimeError::NoRecord { .. })));
    assert!(matches!(find(&bench.dir()).unwrap(), Found::Gone));
    assert_eq!(bench.carriers().len(), 2, "the agent works on, unowned");
    let bare: i32 = bench.output().split_whitespace().last().unwrap().parse().unwrap();
    let lives = || Process::read(bare).unwrap().is_some_and(|process| process.state != ProcessState::Ended);
    assert!(lives());
    let ended = soon(end_orphan(&bench.dir(), Duration::from_millis(200))).await.unwrap();
    assert_eq!((ended.record, ended.survivors), (None, 0));
    assert!(bench.carriers().is_empty() && !lives());
}

#[tokio::test]
async fn a_living_run_that_nobody_wants_is_ended_by_its_shim() {
    let bench = Bench::new();
    drop(bench.start("echo up; exec sleep 1000").await);
    until("the agent is up", || bench.output().contains("up")).await;
    let ended = soon(end_orphan(&bench.dir(), Duration::from_secs(5))).await.unwrap();
    assert_eq!(ended.record.map(|record| record.reason), Some(Reason::Stopped));
    assert!(bench.carriers().is_empty());
    // Once more changes nothing.
    let again = soon(end_orphan(&bench.dir(), Duration::from_secs(5))).await.unwrap();
    assert_eq!(again.record.map(|record| record.reason), Some(Reason::Stopped));
}

#[tokio::test]
async fn the_processes_of_another_run_and_a_recycled_pid_are_left_alone() {
    let (bench, other) = (Bench::new(), Bench::new());
    let mut theirs = other.start("echo up; exec sleep 1000").await;
    until("the other agent is up", || other.output().contains("up") && other.dir().join(AGENT).exists()).await;
    // A folder from before, whose pids now belong to the other run.
    let forged = |mut identity: Identity| {
        identity.started -= 1;
        identity.token = bench.token.clone();
        serde_json::to_value(identity).unwrap()
    };
    let dir = RunDir::create(&bench.dir()).unwrap();
    let mut shim = forged(other.shim());
    shim["key"] = "k".into();
    shim["label"] = "forged".into();
    dir.write(SHIM, &shim).unwrap();
    dir.write(AGENT, &forged(RunDir::at(&other.dir()).read(AGENT, "").unwrap().unwrap())).unwrap();
    assert!(matches!(find(&bench.dir()).unwrap(), Found::Gone));
    let ended = soon(end_orphan(&bench.dir(), Duration::ZERO)).await.unwrap();
    assert_eq!(ended.survivors, 0);
    assert_eq!(theirs.status().await.unwrap().state, State::Working);
    theirs.kill().await.unwrap();
    assert_eq!(soon(theirs.wait()).await.unwrap().reason, Reason::Stopped);
}

#[tokio::test]
async fn a_launch_that_no_shim_has_taken_up_is_withdrawn() {
    let bench = Bench::new();
    let dir = RunDir::create(&bench.dir()).unwrap();
    dir.write(SPEC, &bench.launch(&["touch", "/proc/never"]).spec).unwrap();
    assert!(matches!(find(&bench.dir()).unwrap(), Found::Gone));
    // The shim comes too late, and finds nothing to start.
    let late = bench.command().stderr(dir.append(LOG).unwrap()).stdout(std::process::Stdio::null()).status();
    assert!(!soon(late).await.unwrap().success());
    assert!(fs::read_to_string(dir.file(LOG)).unwrap().contains(SPEC));
    assert_eq!(fs::read_dir(bench.dir()).unwrap().count(), 1, "only the log");
}

#[tokio::test]
async fn what_a_kill_between_two_files_left_of_the_environment_goes_with_the_orphan() {
    let bench = Bench::new();
    let dir = RunDir::create(&bench.dir()).unwrap();
    let mut spec = bench.launch(&["sh"]).spec;
    spec.env.0.insert("KEY".to_owned(), "s3cret-value".to_owned());
    for (file, kept) in [(".spec.json.tmp", "taken.json"), ("taken.json", "spec.json")] {
        dir.write(file, &spec).unwrap();
        fs::write(dir.file(kept), "{}").unwrap();
        soon(end_orphan(dir.path(), Duration::ZERO)).await.unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    spec.env.0.clear();
    dir.write(TAKEN, &spec).unwrap();
    soon(end_orphan(dir.path(), Duration::ZERO)).await.unwrap();
    assert!(dir.file(TAKEN).exists(), "without an environment it stays for people");
}

#[tokio::test]
async fn a_big_log_arrives_whole_and_in_order_while_it_is_written() {
    const LINES: u64 = 500_000;
    let bench = Bench::new();
    let mut running = bench.start(&format!("seq -f '%0100.0f' {LINES}")).await;
    let path = bench.dir().join("stdout.log");
    let mut tail = Tail::new(&path, &Watch::on(&bench.dir()), 0);
    let mut lines = Lines::new(0, Lines::USUAL_LIMIT);
    let mut expected = 1;
    let mut record = None;
    loop {
        let chunk = tokio::select! {
            chunk = tail.next() => chunk.unwrap(),
            ended = running.wait(), if record.is_none() => {
                record = Some(ended.unwrap());
                tail.finish();
                continue;
            }
        };
        let Some(chunk) = chunk else { break };
        for line in lines.push(&chunk.bytes) {
            assert_eq!(line.text.parse(), Ok(expected));
            assert_eq!(line.end, expected * 101);
            expected += 1;
        }
    }
    assert_eq!(lines.finish(), None);
    assert_eq!(expected, LINES + 1);
    assert_eq!(tail.offset(), LINES * 101);
    assert_eq!(tail.offset(), fs::metadata(path).unwrap().len());
    assert_eq!(record.unwrap().exit_code, Some(0));
}

#[test]
fn what_is_shown_of_a_spec_holds_neither_arguments_nor_values() {
    let bench = Bench::new();
    let mut spec = bench.launch(&["agent", "a prompt"]).spec;
    spec.env.0.insert("API_KEY".to_owned(), "canary".to_owned());
    let shown = format!("{spec:?}");
    assert!(shown.contains("API_KEY") && shown.contains("agent"));
    let token = serde_json::to_value(&spec.token).unwrap();
    for secret in ["canary", "a prompt", token.as_str().unwrap()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
