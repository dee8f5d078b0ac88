//! Time, money, and processes: a limit ends the whole tree and names itself.

use serde_json::{Value, json};

use crate::selftest::{
    expect::{Judgement, holds, is, says},
    machine::{is_alive, is_on_path},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![trees(), limits(), ends()]
}

struct Limits {
    jobs: Vec<Value>,
    kept: String,
    runs: Vec<Value>,
}

fn see_limits(world: &World) -> Result<Limits, Stop> {
    let spends =
        "write half.txt half\nusage {\"inputTokens\": 1000, \"outputTokens\": 500, \"costUsd\": 9.0}\nrun sleep 1000";
    let cases = [
        ("timeout", "timeout: 1s", "run sleep 1000"),
        ("wall", "timeout: 1h\nbudget: {wall: 1s}", "run sleep 1000"),
        ("earlier", "timeout: 1s\nbudget: {wall: 1h}", "run sleep 1000"),
        ("usd", "budget: {usd: 2.5}\nretry: {max: 1, backoff: 0s, on: [timeout]}", spends),
        ("tokens", "budget: {tokens: 1200}", spends),
        ("within", "budget: {usd: 100, tokens: 100000, wall: 10m}", "usage {\"costUsd\": 9.0}\nwrite done.txt yes"),
    ];
    let ids = cases.iter().map(|(name, front, steps)| world.submit(&task(name).checked().with(front).does(steps)));
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    world.run(&["run", "--once", "--max", "6"])?.done()?;
    let jobs: Vec<Value> = ids.iter().map(|id| world.job(id)).collect::<Result<_, _>>()?;
    let kept = world.file_at(&word(&jobs[3]["checkpoint"]["commit"]), "half.txt")?;
    Ok(Limits { kept, runs: world.runs(&ids[3])?, jobs })
}

fn outcome(job: &Value, stage: &str, result: &str) -> Judgement {
    is(&json!([job["stage"], job["result"]]), json!([stage, result]))
}

fn limits() -> Box<dyn Scenario> {
    story("budget", see_limits)
        .check("timeout: a run ends with its time", |seen| outcome(&seen.jobs[0], "failed", "timeout"))
        .check("budget wall: a run ends when its time is spent", |seen| {
            outcome(&seen.jobs[1], "failed", "budget_exceeded")
        })
        .check("of timeout and budget wall the earlier one names the result", |seen| {
            outcome(&seen.jobs[2], "failed", "timeout")
        })
        .check("budget usd: an agent that spends more is stopped", |seen| {
            outcome(&seen.jobs[3], "failed", "budget_exceeded")
        })
        .check("budget tokens: an agent that uses more is stopped", |seen| {
            outcome(&seen.jobs[4], "failed", "budget_exceeded")
        })
        .check("an agent within its budget is left alone", |seen| outcome(&seen.jobs[5], "testing", "ok"))
        .check("the work of a stopped run is kept, and what it spent", |seen| {
            is(&seen.kept, "half\n")?;
            is(&seen.runs[0]["usage"]["costUsd"], 9.0)
        })
        .check("a spent budget is not tried again", |seen| is(&seen.runs.len(), 1))
        .told()
}

struct Trees {
    jobs: Vec<Value>,
    alive: Vec<String>,
    pids: usize,
}

fn see_trees(world: &World) -> Result<Trees, Stop> {
    if !is_on_path("setsid") {
        return Err(Stop::Skip("needs `setsid`".to_owned()));
    }
    let pids = world.shared().join("pids");
    let place = pids.display();
    let child = |name: &str| format!("sh -c 'echo {name} $$ >> {place}; exec sleep 1000'");
    let cases = [
        ("grandchild", "timeout: 1s", format!("run {} & wait", child("grandchild"))),
        ("daemon", "timeout: 1s", format!("run (setsid {} >/dev/null 2>&1 &); sleep 1000", child("daemon"))),
        (
            "stubborn",
            "timeout: 1s",
            format!("run trap '' TERM INT HUP; echo stubborn $$ >> {place}; while :; do sleep 0.1; done"),
        ),
        (
            "leftover",
            "timeout: 1m",
            format!(
                "write done.txt yes\nspawn {}\nrun while ! grep -q leftover {place}; do sleep 0.02; done",
                child("leftover")
            ),
        ),
    ];
    let ids = cases.iter().map(|(name, front, steps)| world.submit(&task(name).checked().with(front).does(steps)));
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    world.run(&["run", "--once", "--max", "4"])?.done()?;
    let told = world.read("../shared/pids");
    let alive =
        told.lines().filter(|line| line.split(' ').nth(1).and_then(|pid| pid.parse().ok()).is_some_and(is_alive));
    Ok(Trees {
        jobs: ids.iter().map(|id| world.job(id)).collect::<Result<_, _>>()?,
        alive: alive.map(str::to_owned).collect(),
        pids: told.lines().count(),
    })
}

fn gone(seen: &Trees, name: &str) -> Judgement {
    is(&seen.pids, 4)?;
    holds(!seen.alive.iter().any(|line| line.starts_with(name)), || format!("still alive: {:?}", seen.alive))
}

fn trees() -> Box<dyn Scenario> {
    story("processes", see_trees)
        .check("a timeout ends the agent's grandchildren", |seen| {
            outcome(&seen.jobs[0], "failed", "timeout")?;
            gone(seen, "grandchild")
        })
        .check("a timeout ends daemons that left the agent's session", |seen| {
            outcome(&seen.jobs[1], "failed", "timeout")?;
            gone(seen, "daemon")
        })
        .check("an agent that ignores every request to end is ended by force", |seen| {
            outcome(&seen.jobs[2], "failed", "timeout")?;
            gone(seen, "stubborn")
        })
        .check("what an agent leaves running is ended before its run is over", |seen| {
            outcome(&seen.jobs[3], "testing", "ok")?;
            gone(seen, "leftover")
        })
        .told()
}

struct Ends(Vec<Value>);

fn see_ends(world: &World) -> Result<Ends, Stop> {
    world.write("fleet.toml", "[engines.ghost]\ncommand = [\"./no-such-agent\"]\n")?;
    let ids = [("exits", "exit 3"), ("killed", "run kill -9 $PPID"), ("says-nothing", "write done.txt yes\nexit 1")]
        .map(|(name, steps)| world.submit(&task(name).checked().does(steps)));
    let ids: Vec<String> = ids.into_iter().collect::<Result<_, _>>()?;
    let path = world.task_file("ghost", "---\nengine: ghost\nverify: 'true'\n---\n# Ghost\n")?;
    let ghost = world.run(&["submit", &path])?.done()?.line()?;
    world.run_once()?;
    ids.iter().chain([&ghost]).map(|id| world.job(id)).collect::<Result<_, _>>().map(Ends)
}

fn ends() -> Box<dyn Scenario> {
    story("agents", see_ends)
        .check("an agent that ends with a failure is told apart", |Ends(jobs)| {
            outcome(&jobs[0], "failed", "agent_failed")
        })
        .check("an agent that is killed is a crash", |Ends(jobs)| outcome(&jobs[1], "failed", "crash"))
        .check("an agent that fails does not pass, even where the check would", |Ends(jobs)| {
            outcome(&jobs[2], "failed", "agent_failed")
        })
        .check("an engine whose program is missing is named with what was looked for", |Ends(jobs)| {
            outcome(&jobs[3], "failed", "no_engine")?;
            says(&word(&jobs[3]["message"]), &["no-such-agent"])
        })
        .told()
}
