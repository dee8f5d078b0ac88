//! Second chances: how often, when, for what, and from where.

use serde_json::{Value, json};

use crate::selftest::{
    call::Output,
    expect::{in_order, is, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, list_of, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![context(), exhausted(), classes(), backoff()]
}

struct Context {
    job: Value,
    runs: Vec<Value>,
    first_check: String,
    history: Vec<String>,
}

fn see_context(world: &World) -> Result<Context, Stop> {
    let id = world.submit(
        &task("second-chance")
            .checked()
            .with("retry: {max: 1, backoff: 0s}")
            .in_run(1, "write kept.txt kept\nwrite done.txt no")
            .in_run(
                2,
                "expect done.txt does not say yes\nexpect verify_failed\nrun test -f kept.txt\nwrite done.txt yes",
            ),
    )?;
    world.run_once()?;
    let first_check = world.run(&["logs", &id, "--run", "1", "--stream", "verify"])?.stdout;
    Ok(Context { job: world.job(&id)?, runs: world.runs(&id)?, first_check, history: world.history(&id)? })
}

fn context() -> Box<dyn Scenario> {
    story("retry", see_context)
        .check("a failed run is tried again, with its failure told to the next one", |seen| {
            is(&seen.job["stage"], "testing")?;
            is(&seen.runs[0]["result"], "verify_failed")?;
            is(&seen.runs[1]["result"], "ok")
        })
        .check("each run counts one attempt", |seen| {
            is(&seen.job["runs"], 2)?;
            is(&seen.job["attempts"], 2)
        })
        .check("the failed check of the first run can be read afterwards", |seen| {
            says(&seen.first_check, &["done.txt does not say yes"])
        })
        .check("the history tells the retry between the two runs", |seen| {
            in_order(&seen.history, &["started", "retry_scheduled", "started", "verify_passed"])
        })
        .told()
}

struct Exhausted {
    job: Value,
    file: Vec<String>,
    alerts: Vec<Value>,
    requeue: Output,
    redriven: Value,
    alike: Value,
}

fn see_exhausted(world: &World) -> Result<Exhausted, Stop> {
    let id = world.submit(
        &task("crashes").checked().with("retry: {max: 2, backoff: 0s, on: [crash]}").does("run kill -9 $PPID"),
    )?;
    let alike = world
        .submit(&task("alike").checked().with("retry: {max: 9, backoff: 0s, on: [crash]}").does("run kill -9 $PPID"))?;
    world.run_once()?;
    let (job, file) = (world.job(&id)?, world.list("tasks/failed"));
    let alerts = list_of(&world.json(&["status"])?, "alerts");
    let requeue = world.run(&["requeue", &id])?;
    world.run(&["redrive", &id])?.done()?;
    Ok(Exhausted { job, file, alerts, requeue, redriven: world.job(&id)?, alike: world.job(&alike)? })
}

fn exhausted() -> Box<dyn Scenario> {
    story("retry", see_exhausted)
        .check("after the last retry a job is a dead letter, and an alert", |seen| {
            is(&seen.job["stage"], "dead_letter")?;
            is(&seen.job["result"], "retries_exhausted")?;
            is(&seen.job["runs"], 3)?;
            is(&seen.alerts[0]["code"], "dead_letter")
        })
        .check("a dead letter lies in failed", |seen| in_order(&seen.file, &["crashes.md"]))
        .check("a dead letter is not requeued but redriven", |seen| {
            is(&seen.requeue.code, 4)?;
            says(&seen.requeue.stderr, &["redrive"])
        })
        .check("redriving gives fresh attempts", |seen| {
            is(&seen.redriven["stage"], "queued")?;
            is(&seen.redriven["attempts"], 0)
        })
        .check("three equal failures in a row end the retries", |seen| {
            is(&seen.alike["result"], "repeated_failure")?;
            is(&seen.alike["runs"], 3)
        })
        .told()
}

struct Classes(Vec<Value>);

fn see_classes(world: &World) -> Result<Classes, Stop> {
    let cases = [
        ("other-class", "retry: {max: 1, backoff: 0s, on: [timeout]}", "exit 3"),
        ("own-class", "retry: {max: 1, backoff: 0s, on: [agent_failed]}", "exit 3"),
        ("no-policy", "tags: [plain]", "exit 3"),
    ];
    let mut ids = Vec::new();
    for (name, policy, steps) in cases {
        ids.push(world.submit(&task(name).checked().with(policy).does(steps))?);
    }
    world.run_once()?;
    ids.iter().map(|id| world.job(id)).collect::<Result<_, _>>().map(Classes)
}

fn classes() -> Box<dyn Scenario> {
    story("retry", see_classes)
        .check("a failure that the policy does not list is final", |Classes(jobs)| {
            is(&jobs[0]["runs"], 1)?;
            is(&json!([jobs[0]["stage"], jobs[0]["result"]]), json!(["failed", "agent_failed"]))
        })
        .check("a failure that it lists is tried again", |Classes(jobs)| is(&jobs[1]["runs"], 2))
        .check("without a policy nothing is tried again", |Classes(jobs)| {
            is(&jobs[2]["runs"], 1)?;
            is(&jobs[2]["stage"], "failed")
        })
        .told()
}

struct Backoff {
    waiting: Value,
    explained: Value,
    too_early: Value,
    after: Value,
}

fn see_backoff(world: &World) -> Result<Backoff, Stop> {
    let at = |time: &str| world.write("../clock", format!("2030-05-01T{time}Z\n"));
    let clock = at("10:00:00")?.to_string_lossy().into_owned();
    let still = |args: &[&str]| world.fleet(args).env("FLEET_TEST_CLOCK", &clock).run()?.done();
    let json = |verb: &str, id: &str| still(&["--test-mode", verb, id, "--json"])?.json();
    let retried = task("patient").checked().with("retry: {max: 1, backoff: 90m, on: [verify_failed]}");
    let path =
        world.task_file("patient", retried.in_run(1, "write done.txt no").in_run(2, "write done.txt yes").text())?;
    let id = still(&["--test-mode", "submit", &path])?.line()?;
    still(&["--test-mode", "run", "--once"])?;
    let (waiting, explained) = (json("show", &id)?, json("explain", &id)?);
    at("11:29:59")?;
    still(&["--test-mode", "run", "--once"])?;
    let too_early = json("show", &id)?;
    at("11:30:00")?;
    still(&["--test-mode", "run", "--once"])?;
    Ok(Backoff { waiting, explained, too_early, after: json("show", &id)? })
}

fn backoff() -> Box<dyn Scenario> {
    story("retry", see_backoff)
        .check("a retry waits as long as the policy says", |seen| {
            is(&seen.waiting["stage"], "queued")?;
            says(&word(&seen.waiting["retryNotBefore"]), &["2030-05-01T11:30:00"])?;
            is(&seen.too_early["runs"], 1)
        })
        .check("explain says until when it waits", |seen| says(&seen.explained.to_string(), &["backoff", "11:30"]))
        .check("when the time has come it runs", |seen| {
            is(&seen.after["runs"], 2)?;
            is(&seen.after["stage"], "testing")
        })
        .told()
}
