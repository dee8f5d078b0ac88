//! Dependencies and idempotency keys: what waits for what, and what is the same job.

use serde_json::{Value, json};

use crate::selftest::{
    call::Output,
    expect::{holds, in_order, is, is_not, says},
    story::{Scenario, Stop, story},
    task::{Task, task},
    world::{World, list_of, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![waiting(), failing(), keys()]
}

fn keyed(name: &str, more: &str) -> Task {
    task(name).checked().with(&format!("idempotency-key: {name}\n{more}")).does("write done.txt yes")
}

struct Waiting {
    hard_before: Value,
    soft_before: Value,
    hard_between: Value,
    soft_after: Value,
    explained: Value,
    hard_shipped: Value,
    hard_after: Value,
    history: Vec<String>,
    file_before: bool,
}

fn see_waiting(world: &World) -> Result<Waiting, Stop> {
    let first = world.submit(&keyed("first", ""))?;
    let hard = world.submit(&keyed("hard", "deps: [first]").in_run(1, "write hard.txt hard"))?;
    let soft = world.submit(&keyed("soft", "deps: [first]\ndeps-mode: soft"))?;
    let (hard_before, soft_before) = (world.job(&hard)?, world.job(&soft)?);
    let file_before = world.list("tasks/inbox").contains(&"hard.md".to_owned());
    world.run_once()?;
    let (hard_between, soft_after) = (world.job(&hard)?, world.job(&soft)?);
    let explained = world.json(&["explain", &hard])?;
    world.run(&["ship", &first])?.done()?;
    let hard_shipped = world.job(&hard)?;
    world.run_once()?;
    Ok(Waiting {
        hard_before,
        soft_before,
        hard_between,
        soft_after,
        explained,
        hard_shipped,
        hard_after: world.job(&hard)?,
        history: world.history(&hard)?,
        file_before,
    })
}

fn waiting() -> Box<dyn Scenario> {
    story("deps", see_waiting)
        .check("a job with an unfinished dependency is blocked, its file in inbox", |seen| {
            is(&seen.hard_before["stage"], "blocked")?;
            is(&seen.soft_before["stage"], "blocked")?;
            is(&seen.hard_before["blockedBy"][0]["dep"], "first")?;
            is(&seen.file_before, true)
        })
        .check("a soft dependency is done from testing on", |seen| is(&seen.soft_after["stage"], "testing"))
        .check("a hard dependency is not done before it is shipped", |seen| {
            is(&seen.hard_between["stage"], "blocked")?;
            is(&seen.hard_between["runs"], 0)
        })
        .check("explain names the dependency that is waited for", |seen| says(&seen.explained.to_string(), &["first"]))
        .check("shipping the dependency unblocks at once", |seen| is(&seen.hard_shipped["stage"], "queued"))
        .check("the unblocked job runs", |seen| {
            is(&seen.hard_after["stage"], "testing")?;
            in_order(&seen.history, &["submitted", "unblocked", "claimed", "started", "verify_passed"])
        })
        .told()
}

struct Failing {
    cycle: Output,
    left: usize,
    own: Output,
    blocked: Value,
    alerts: Vec<Value>,
}

fn see_failing(world: &World) -> Result<Failing, Stop> {
    world.submit(&keyed("left", "deps: [right]"))?;
    let right = world.task_file("right", keyed("right", "deps: [left]").text())?;
    let own = world.task_file("own", keyed("own", "deps: [own]").text())?;
    let (cycle, own) = (world.run(&["submit", &right])?, world.run(&["submit", &own])?);
    let left = world.jobs()?.len();
    world.submit(&task("fails").checked().with("idempotency-key: fails").does("write done.txt no"))?;
    let after = world.submit(&keyed("after", "deps: [fails]"))?;
    world.run_once()?;
    Ok(Failing { cycle, left, own, blocked: world.job(&after)?, alerts: list_of(&world.json(&["status"])?, "alerts") })
}

fn failing() -> Box<dyn Scenario> {
    story("deps", see_failing)
        .check("a cycle is refused with its members", |seen| {
            is(&seen.cycle.code, 2)?;
            is(&seen.left, 1)?;
            says(&seen.cycle.stderr, &["left", "right"])
        })
        .check("a job that depends on itself is refused", |seen| is(&seen.own.code, 2))
        .check("a failed dependency keeps the job blocked and says so", |seen| {
            is(&seen.blocked["stage"], "blocked")?;
            is(&seen.blocked["blockedBy"][0]["reason"], "dependency_failed")
        })
        .check("a failed dependency is an alert", |seen| {
            holds(seen.alerts.iter().any(|alert| alert["code"] == "dependency_failed"), || format!("{:?}", seen.alerts))
        })
        .told()
}

struct Keys {
    ids: Vec<String>,
    codes: Vec<i32>,
    said: String,
    jobs: usize,
    found: String,
    other: String,
    same_content: [String; 2],
    prefix: String,
}

fn see_keys(world: &World) -> Result<Keys, Stop> {
    let path = world.task_file("nightly", keyed("nightly", "").text())?;
    let mut outputs = Vec::new();
    for _ in 0..3 {
        outputs.push(world.run(&["submit", &path])?);
    }
    let ids: Vec<String> = outputs.iter().map(Output::line).collect::<Result<_, _>>()?;
    let jobs = world.jobs()?.len();
    let other = world.submit(&keyed("other", ""))?;
    let plain = world.task_file("plain", task("plain").text())?;
    let dedupe = || world.run(&["submit", "--dedupe", &plain])?.done()?.line();
    Ok(Keys {
        codes: outputs.iter().map(|output| output.code).collect(),
        said: outputs[2].stderr.clone(),
        jobs,
        found: word(&world.job("nightly")?["id"]),
        prefix: word(&world.job(&ids[0][..6])?["id"]),
        other,
        same_content: [dedupe()?, dedupe()?],
        ids,
    })
}

fn keys() -> Box<dyn Scenario> {
    story("idempotency", see_keys)
        .check("three submits with one key make one job", |seen| {
            is(&seen.codes, vec![0; 3])?;
            is(&seen.jobs, 1)?;
            is(&seen.ids, vec![seen.ids[0].clone(); 3])
        })
        .check("the repeat says that the job was there already", |seen| says(&seen.said, &["already"]))
        .check("another key makes another job", |seen| is_not(&seen.other, seen.ids[0].as_str()))
        .check("submit --dedupe makes one job of equal contents", |seen| {
            is(&seen.same_content[0], seen.same_content[1].as_str())
        })
        .check("a job is found by its key and by the beginning of its id", |seen| {
            is(&json!([seen.found, seen.prefix]), json!([seen.ids[0], seen.ids[0]]))
        })
        .told()
}
