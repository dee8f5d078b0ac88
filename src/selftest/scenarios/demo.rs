//! `fleet demo`: what a newcomer sees first.

use serde_json::Value;

use crate::selftest::{
    call::Output,
    expect::{is, says},
    story::{Scenario, Stop, story},
    world::{World, list_of, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![demo()]
}

struct Seen {
    output: Output,
    jobs: Vec<Value>,
    again: Output,
}

fn see(world: &World) -> Result<Seen, Stop> {
    let folder = world.folder().join("demo");
    let dir = folder.to_string_lossy().into_owned();
    let output = world.run(&["demo", "--dir", &dir])?;
    let listed = world.fleet(&["jobs", "--json"]).at(&folder).run()?.done()?.json()?;
    Ok(Seen { output, jobs: list_of(&listed, "jobs"), again: world.run(&["demo", "--dir", &dir])? })
}

fn demo() -> Box<dyn Scenario> {
    story("demo", see)
        .check("it plays to its end without a key or a network", |seen| {
            is(&seen.output.code, 0)?;
            is(&seen.jobs.len(), 3)
        })
        .check("one task passes, one passes on its second run, one waits for review", |seen| {
            let mut ends: Vec<String> =
                seen.jobs.iter().map(|job| format!("{} {}", word(&job["stage"]), job["runs"])).collect();
            ends.sort();
            is(&ends, ["review 1", "testing 1", "testing 2"].map(str::to_owned).to_vec())
        })
        .check("it says what to try next", |seen| says(&seen.output.stdout, &["ship", "diff", "status"]))
        .check("it never plays in a folder that is there", |seen| is(&seen.again.code, 4))
        .told()
}
