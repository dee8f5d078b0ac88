//! A world with jobs that write line by line, and a runner that is started again whenever it was killed.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    INTERVAL,
    victims::{launches, living},
};
use crate::world::{Output, World, processes_of, slay, slay_all, until};

/// Lines that a job's agent writes; it takes some seconds.
pub(super) const LINES: u32 = 120;
/// Jobs that are unfinished at any time.
const BUSY: usize = 3;
/// Beyond the interval: what a save itself may take.
const SAVE: Duration = Duration::from_secs(2);

/// Appends lines to a file of the repository, each synced before it is told of. It goes on where the file ends, and leaves
/// a process behind that has neither its session nor its parent.
const WRITER: &str = r#"#!/bin/sh
cat > /dev/null
(setsid sh -c 'while :; do sleep 5; done' > /dev/null 2>&1 &)
touch lines.txt
i=$(wc -l < lines.txt)
while [ "$i" -lt LINES ]; do
  i=$((i + 1))
  echo "line $i" >> lines.txt
  sync lines.txt
  echo "synced $i $(date +%s%3N)"
  sleep 0.05
done
"#;

const CHECK: &str = r#"#!/bin/sh
i=0
while read -r word number; do
  i=$((i + 1))
  [ "$word $number" = "line $i" ] || { echo "line $i is '$word $number'"; exit 1; }
done < lines.txt
[ "$i" -eq LINES ] || { echo "$i lines"; exit 1; }
"#;

const CONFIG: &str = r#"[worker]
max = 3
checkpoint = "1s"

[engines.writer]
command = ["sh", "writer.sh"]

[defaults]
engine = "writer"
verify = "sh check.sh"
"#;

/// A line that an agent had synced and told of before a kill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Synced {
    pub(super) line: u32,
    /// Milliseconds since the epoch.
    at_ms: u64,
}

pub(super) struct Arena {
    pub(super) world: World,
    runner: Option<Child>,
    pub(super) jobs: Vec<String>,
    /// What each run had printed when something was killed: the log must begin with it.
    pub(super) printed: BTreeMap<(String, String), String>,
    lateness: Lateness,
}

impl Arena {
    pub(super) fn new() -> Self {
        let world = World::new();
        world.write("writer.sh", &WRITER.replace("LINES", &LINES.to_string()));
        world.write("check.sh", &CHECK.replace("LINES", &LINES.to_string()));
        world.commit("writer");
        world.write("fleet.toml", CONFIG);
        let mut arena =
            Self { world, runner: None, jobs: Vec::new(), printed: BTreeMap::new(), lateness: Lateness::watch() };
        arena.start();
        arena
    }

    pub(super) fn state(&self) -> PathBuf {
        self.world.repo().join(".fleet")
    }

    fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.world.folder().join("runner.log"))
            .expect("a log for the runner");
        let child = self.world.fleet().arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.runner = Some(child.expect("the runner starts"));
    }

    /// Submits until enough jobs are unfinished; sends back those that were killed too often.
    pub(super) fn keep_busy(&mut self) {
        self.encourage();
        let unfinished = self.jobs.iter().filter(|id| !is_over(&self.world.stage(id))).count();
        for _ in unfinished..BUSY {
            let name = format!("job-{}.md", self.jobs.len());
            let text = format!(
                "---\nretry: {{max: 100, backoff: 1s, on: [crash, agent_failed]}}\n---\n# Job {}\n",
                self.jobs.len()
            );
            self.jobs.push(self.world.submit(&name, &text));
        }
    }

    /// What an operator does in the morning: jobs that failed for having been killed get another try.
    fn encourage(&self) {
        for id in &self.jobs {
            let job = self.world.job(id);
            let act = match job["stage"].as_str() {
                Some("failed") => "requeue",
                Some("dead_letter") => "redrive",
                _ => continue,
            };
            let result = job["result"].as_str().unwrap_or_default();
            let by_a_kill = ["crash", "repeated_failure", "retries_exhausted"].contains(&result);
            // A verify command whose shim was killed proves nothing.
            let unproven = job["message"].as_str().is_some_and(|message| message.ends_with("`sh check.sh` was killed"));
            assert!(by_a_kill || unproven, "a kill is a crash: {job:#}");
            self.world.run(&[act, id]).exits(0);
        }
    }

    pub(super) fn let_run(&self, span: Duration) {
        thread::park_timeout(span);
    }

    pub(super) fn kill_runner(&mut self) {
        self.note_what_was_printed();
        let mut runner = self.runner.take().expect("a runner is there");
        runner.kill().expect("the runner can be killed");
        runner.wait().expect("the runner is gone");
        self.start();
    }

    /// Kills one process that a file of this name in some launch's folder names.
    pub(super) fn kill_one(&mut self, file: &str, chance: u64) {
        let pids = living(&self.state(), file);
        if let Some(index) = chance.checked_rem(pids.len() as u64) {
            self.note_what_was_printed();
            slay(pids[usize::try_from(index).expect("an index")]);
        }
    }

    /// Kills every process of the world; then, before anything can repair it, looks whether the refs hold the work.
    pub(super) fn kill_everything(&mut self, and_the_clones: bool) {
        let margin = INTERVAL + SAVE + self.lateness.worst() * 5;
        let killed = now_ms();
        slay_all(self.world.folder());
        self.runner.take().expect("a runner is there").wait().expect("the runner is gone");
        self.note_what_was_printed();
        for (job, synced) in self.synced_lines() {
            let old_enough = synced.iter().filter(|line| line.at_ms + millis(margin) < killed).map(|line| line.line);
            if let Some(line) = old_enough.max() {
                let saved = self.saved_lines(&job);
                assert!(saved >= line, "{job}: line {line} was synced {margin:?} before the kill, saved are {saved}");
            }
        }
        if and_the_clones {
            match fs::remove_dir_all(self.state().join("work")) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("the clones can be removed: {error}"),
            }
        }
        self.start();
    }

    /// The lines that agents told of, by job: those of its newest run, if its agent has not ended.
    fn synced_lines(&self) -> BTreeMap<String, Vec<Synced>> {
        let mut found = BTreeMap::new();
        for launch in launches(&self.state()) {
            let run = launch.parent().expect("a launch lies in a run's folder");
            if launch.ends_with("agent") && !launch.join("exit.json").exists() {
                let text = String::from_utf8_lossy(&fs::read(run.join("stdout")).unwrap_or_default()).into_owned();
                found.insert(names(run).0, text.lines().filter_map(Synced::read).collect());
            }
        }
        found
    }

    /// How many lines the job's saved work holds: its private ref, or the branch once it is published.
    pub(super) fn saved_lines(&self, job: &str) -> u32 {
        let refs = self.world.git(&["for-each-ref", "--format=%(refname)", "refs/fleet/wip", "refs/heads/fleet"]);
        let of_job = refs.lines().filter(|name| name.contains(job));
        let lines = of_job.map(|name| {
            let output = Output::of(self.world.command("git").args(["show", &format!("{name}:lines.txt")]));
            u32::try_from(output.stdout.lines().count()).expect("few lines")
        });
        lines.max().unwrap_or(0)
    }

    /// Remembers what every run has printed up to now.
    fn note_what_was_printed(&mut self) {
        for launch in launches(&self.state()) {
            let run = launch.parent().expect("a launch lies in a run's folder");
            if let Ok(bytes) = fs::read(run.join("stdout")) {
                self.printed.insert(names(run), String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }

    /// Lets everything come to its end, then ends the runner.
    pub(super) fn drain(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(240);
        while !self.jobs.iter().all(|id| ["testing", "review"].contains(&self.world.stage(id).as_str())) {
            self.encourage();
            assert!(Instant::now() < deadline, "the jobs end:\n{}", self.picture());
            thread::park_timeout(Duration::from_millis(200));
        }
        let runner = self.runner.take().expect("a runner is there");
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(runner.id()).expect("a pid fits")),
            nix::sys::signal::Signal::SIGTERM,
        )
        .expect("the runner lives");
        Output::finish(runner).exits(0);
        until("the world to be empty of processes", || processes_of(self.world.folder()).is_empty().then_some(()));
    }

    /// Jobs and the runner's last words, for a failed test.
    fn picture(&self) -> String {
        let log = fs::read_to_string(self.world.folder().join("runner.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(60).collect();
        let jobs: Vec<Value> = self.jobs.iter().map(|id| self.world.job(id)).collect();
        format!("{jobs:#?}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // A failed test: the world's own check does not run then, and nothing may be left.
        if let Some(mut runner) = self.runner.take() {
            slay_all(self.world.folder());
            runner.wait().expect("the runner is gone");
        }
    }
}

impl Synced {
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("synced ")?.split(' ');
        Some(Self { line: words.next()?.parse().ok()?, at_ms: words.next()?.parse().ok()? })
    }
}

/// Job and run of a run's folder.
fn names(run: &std::path::Path) -> (String, String) {
    let mut parts = run.iter().rev().map(|part| part.to_string_lossy().into_owned());
    let mut next = || parts.next().expect("a run lies two folders deep");
    let (run, job) = (next(), next());
    (job, run)
}

fn is_over(stage: &str) -> bool {
    ["testing", "review", "failed", "dead_letter"].contains(&stage)
}

fn now_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970"))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).expect("a short time")
}

/// How long this machine takes for a thing that takes no time when it is idle: a busy one saves late as well, and that is
/// not the program's fault.
struct Lateness {
    worst_ms: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Lateness {
    fn watch() -> Self {
        let (worst_ms, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watcher = thread::spawn({
            let (worst_ms, over) = (worst_ms.clone(), over.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    Output::of(std::process::Command::new("git").arg("--version")).exits(0);
                    worst_ms.fetch_max(millis(asked.elapsed()), Ordering::Relaxed);
                    thread::park_timeout(Duration::from_millis(200));
                }
            }
        });
        Self { worst_ms, over, watcher: Some(watcher) }
    }

    fn worst(&self) -> Duration {
        Duration::from_millis(self.worst_ms.load(Ordering::Relaxed))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            watcher.join().expect("the watcher ends");
        }
    }
}
