//! Who runs, and when: capabilities, priority, locks, holds.

use serde_json::{Value, json};

use crate::selftest::{
    expect::{Judgement, holds, in_order, is, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![capabilities(), priority(), locks(), holding()]
}

/// What is demanded, and whether a machine with `gpu`, `region:eu` and `tool:1.10.2` has it.
const DEMANDS: &[(&str, bool)] = &[
    ("gpu", true),
    ("fpga", false),
    ("region:eu", true),
    ("region:us", false),
    ("region", true),
    ("tool>=1.9", true),
    ("tool>=1.11", false),
    ("tool<2", true),
    ("tool>1.10.2", false),
    ("tool=1.10.2", true),
    ("os:any", true),
    ("os:plan9", false),
];

/// The stage, result and message of the job of each demand.
struct Capabilities(Vec<(&'static str, bool, Value)>);

fn see_capabilities(world: &World) -> Result<Capabilities, Stop> {
    world.write("fleet.toml", "[worker]\ncapabilities = [\"gpu\", \"region:eu\", \"tool:1.10.2\"]\nmax = 3\n")?;
    let mut ids = Vec::new();
    for (number, (demand, _)) in (0..).zip(DEMANDS) {
        let wants = task(&format!("wants-{number}")).with(&format!("capabilities: [\"{demand}\"]"));
        ids.push(world.submit(&wants.does("write a.txt a"))?);
    }
    world.run_once()?;
    let jobs = DEMANDS.iter().zip(&ids).map(|((demand, has), id)| Ok((*demand, *has, world.job(id)?)));
    jobs.collect::<Result<_, Stop>>().map(Capabilities)
}

/// Every demand of these was worked on if and only if the machine has it.
fn ran_rightly(Capabilities(seen): &Capabilities, which: &[&str]) -> Judgement {
    for (demand, has, job) in seen.iter().filter(|(demand, ..)| which.iter().any(|key| demand.starts_with(key))) {
        let expected = if *has { ("review", "ok") } else { ("failed", "capability_mismatch") };
        let found = (word(&job["stage"]), word(&job["result"]));
        holds((found.0.as_str(), found.1.as_str()) == expected, || {
            format!("`{demand}`: expected {expected:?}, saw {found:?}")
        })?;
    }
    Ok(())
}

fn capabilities() -> Box<dyn Scenario> {
    story("capabilities", see_capabilities)
        .check("a key is met by having it, whatever its value", |seen| ran_rightly(seen, &["gpu", "fpga", "region"]))
        .check("versions are compared number by number", |seen| ran_rightly(seen, &["tool"]))
        .check("os:any is met everywhere and another system nowhere", |seen| ran_rightly(seen, &["os:"]))
        .check("what this machine lacks is named, and no agent is started", |Capabilities(seen)| {
            for (demand, _, job) in seen.iter().filter(|(_, has, _)| !has) {
                says(&word(&job["message"]), &[demand])?;
                is(&job["branch"], json!(null))?;
            }
            Ok(())
        })
        .told()
}

struct Order {
    started: Vec<String>,
    most: usize,
}

fn see_priority(world: &World) -> Result<Order, Stop> {
    let mut ids = Vec::new();
    for (name, priority) in
        [("low", "low"), ("first", "medium"), ("second", "medium"), ("urgent", "critical"), ("high", "2")]
    {
        let job = task(name).with(&format!("priority: {priority}"));
        ids.push(world.submit(&job.does("write a.txt a"))?);
    }
    let path = world.task_file("raised", task("raised").with("priority: low").does("write a.txt a").text())?;
    ids.push(world.run(&["submit", "--priority", "critical", &path])?.done()?.line()?);
    world.run(&["run", "--once", "--max", "1"])?.done()?;
    let mut spans = Vec::new();
    for id in &ids {
        let run = world.runs(id)?.into_iter().next().unwrap_or_default();
        spans.push((word(&run["startedAt"]), word(&run["endedAt"]), word(&world.job(id)?["file"])));
    }
    spans.sort();
    let overlapping = spans.windows(2).filter(|pair| pair[0].1 > pair[1].0).count();
    Ok(Order { started: spans.into_iter().map(|(.., file)| file.replace(".md", "")).collect(), most: overlapping + 1 })
}

fn priority() -> Box<dyn Scenario> {
    story("priority", see_priority)
        .check("more urgent jobs start first", |seen| in_order(&seen.started, &["urgent", "high", "first", "low"]))
        .check("equally urgent jobs start in the order of their submission", |seen| {
            in_order(&seen.started, &["first", "second"])
        })
        .check("submit --priority wins over the task", |seen| in_order(&seen.started, &["urgent", "raised", "high"]))
        .check("with --max 1 no two jobs run at the same time", |seen| is(&seen.most, 1))
        .told()
}

struct Locks {
    marks: Vec<String>,
    stages: Vec<String>,
}

fn see_locks(world: &World) -> Result<Locks, Stop> {
    let place = world.shared().join("marks");
    let mark = place.display();
    let mut ids = Vec::new();
    for (name, lock) in [("a1", "A"), ("a2", "A"), ("b", "B")] {
        // `b` starts beside an `a`, and each `a` goes on only when `b` has started.
        let wait = format!("while ! grep -q 'start b' {mark}; do sleep 0.02; done");
        let steps = format!("run echo start {name} >> {mark}; {wait}; echo end {name} >> {mark}\nwrite done.txt yes");
        ids.push(world.submit(&task(name).checked().with(&format!("lock: {lock}\ntimeout: 20s")).does(&steps))?);
    }
    world.run(&["run", "--once", "--max", "3"])?.done()?;
    let stages = ids.iter().map(|id| Ok(word(&world.job(id)?["stage"]))).collect::<Result<_, Stop>>()?;
    Ok(Locks { marks: world.read("../shared/marks").lines().map(str::to_owned).collect(), stages })
}

fn locks() -> Box<dyn Scenario> {
    story("lock", see_locks)
        .check("jobs with one lock run one after another", |seen| {
            let own: Vec<&str> = seen.marks.iter().filter(|mark| mark.contains(" a")).map(String::as_str).collect();
            holds(own.len() == 4 && own[0].starts_with("start") && own[1].starts_with("end"), || format!("{own:?}"))
        })
        .check("a job with another lock does not wait for them", |seen| {
            let first_end = seen.marks.iter().position(|mark| mark.starts_with("end a"));
            let other = seen.marks.iter().position(|mark| mark == "start b");
            holds(other.is_some() && other < first_end, || format!("{:?}", seen.marks))
        })
        .check("all of them are done in the end", |seen| is(&seen.stages, vec!["testing".to_owned(); 3]))
        .told()
}

struct Holding {
    held: Value,
    explained: Value,
    ignored: Value,
    released: Value,
}

fn see_holding(world: &World) -> Result<Holding, Stop> {
    let id = world.submit(&task("held").checked().with("hold: true").does("write done.txt yes"))?;
    let held = world.job(&id)?;
    let explained = world.json(&["explain", &id])?;
    world.run_once()?;
    let ignored = world.job(&id)?;
    world.run(&["release", &id])?.done()?;
    world.run_once()?;
    Ok(Holding { held, explained, ignored, released: world.job(&id)? })
}

fn holding() -> Box<dyn Scenario> {
    story("hold", see_holding)
        .check("a job with `hold: true` is not started", |seen| {
            is(&seen.held["held"], true)?;
            is(&seen.ignored["runs"], 0)
        })
        .check("explain says that it is held, and what would let it go", |seen| {
            is(&seen.explained["blockers"][0]["code"], json!("held"))?;
            says(&word(&seen.explained["next"]), &["release"])
        })
        .check("a released job runs", |seen| is(&seen.released["stage"], "testing"))
        .told()
}
