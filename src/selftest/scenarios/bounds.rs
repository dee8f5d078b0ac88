//! Memory and silence: what bounds a run beside its time and its budget, and what is told of it.

use serde_json::{Value, json};

use crate::selftest::{
    expect::{Judgement, holds, is, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

const MIB: u64 = 1 << 20;

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![bounds(), without_groups()]
}

struct Bounds {
    hog: Value,
    next: Value,
    silent: Value,
    run: Value,
    missing: Value,
}

/// Holds so many megabytes until it is ended.
fn hold(megabytes: u32, then: &str) -> String {
    format!("run head -c {megabytes}m /dev/zero | tail -c {megabytes}m | sleep {then}")
}

fn hog(world: &World) -> Result<String, Stop> {
    world.submit(&task("hog").with("limits: {memory: 64MiB}").does(&hold(300, "1000")))
}

fn see_bounds(world: &World) -> Result<Bounds, Stop> {
    world.write(
        "fleet.toml",
        "[worker]\nsilence = \"4s\"\n[engines.absent]\ncommand = [\"no-such-agent\"]\nprompt = \"stdin\"\noutput = \"text\"\n",
    )?;
    let hog = hog(world)?;
    let silent = world.submit(&task("silent").does("run sleep 1000"))?;
    let holds = task("holds").checked().does(&format!("{}\nwrite done.txt yes", hold(80, "3")));
    let holds = world.submit(&holds)?;
    let path = world.task_file("absent", "---\nengine: absent\n---\n# Absent\n")?;
    let absent = world.run(&["submit", &path])?.done()?.line()?;
    world.run(&["run", "--once", "--max", "4"])?.done()?;
    let next = world.submit(&task("next").checked().does("write done.txt yes"))?;
    world.run_once()?;
    Ok(Bounds {
        hog: world.job(&hog)?,
        next: world.job(&next)?,
        silent: world.job(&silent)?,
        run: world.runs(&holds)?.pop().unwrap_or_default(),
        missing: world.json(&["debug", &absent])?,
    })
}

fn over_memory(job: &Value) -> Judgement {
    is(&json!([job["stage"], job["result"]]), json!(["failed", "resource_exceeded"]))?;
    says(&word(&job["message"]), &["MiB of memory", "64 MiB are its ceiling"])
}

fn bounds() -> Box<dyn Scenario> {
    story("bounds", see_bounds)
        .check("a run that takes more memory than it may is ended, and says how much", |seen| over_memory(&seen.hog))
        .check("the runner lives on", |seen| is(&seen.next["stage"], "testing"))
        .check("an agent that says nothing for too long is ended", |seen| {
            is(&json!([seen.silent["stage"], seen.silent["result"]]), json!(["failed", "timeout"]))?;
            says(&word(&seen.silent["message"]), &["nothing came from the agent"])
        })
        .check("the most memory that a run held is kept with it", |seen| {
            let peak = seen.run["insights"]["peakMemory"].as_u64().unwrap_or_default();
            holds((80 * MIB..100 * MIB).contains(&peak), || format!("{peak} bytes of some 84,000,000"))
        })
        .check("debug names a missing agent program, and what to do", |seen| {
            is(&seen.missing["findings"][0]["code"], "agent_binary_not_found")?;
            says(&word(&seen.missing["findings"][0]["suggestion"]), &["install it"])
        })
        .told()
}

struct Groupless {
    hog: Value,
    debug: Value,
}

fn see_groupless(world: &World) -> Result<Groupless, Stop> {
    world.write("fleet.toml", "[worker]\ncgroups = false\n")?;
    let hog = hog(world)?;
    world.run_once()?;
    Ok(Groupless { hog: world.job(&hog)?, debug: world.json(&["debug", &hog])? })
}

fn without_groups() -> Box<dyn Scenario> {
    story("bounds", see_groupless)
        .check("memory is bounded without control groups too", |seen| over_memory(&seen.hog))
        .check("a run says what held its processes together", |seen| {
            is(&seen.debug["launches"][0]["ownedBy"], "process_table")
        })
        .told()
}
