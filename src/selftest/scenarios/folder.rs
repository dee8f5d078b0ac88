//! The queue folder: a view that people can push on.

use std::{fs, io::Write};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::selftest::{
    expect::{holds, is, says},
    story::{Scenario, Stop, story},
    task::{Task, task},
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![drops(), halves(), moves(), refusals()]
}

fn yes(name: &str) -> Task {
    task(name).checked().does("write done.txt yes")
}

/// Moves a complete file into the folder, as `mv` does.
fn drop_in(world: &World, name: &str, text: &str) -> Result<(), Stop> {
    world.write("../dropped", text)?;
    world.mv("../dropped", &format!("tasks/inbox/{name}"))
}

struct Drops {
    jobs: Vec<Value>,
    text: String,
    inbox: Vec<String>,
    failed: Vec<String>,
    notes: String,
    quarantine: Vec<String>,
}

const BAD: &str = "---\npriority: urgent\ntimeout: soon\n---\n# Bad\n";

fn see_drops(world: &World) -> Result<Drops, Stop> {
    world.run(&["init"])?.done()?;
    drop_in(world, "größe und mehr.md", &yes("dropped").text())?;
    drop_in(world, "bad.md", BAD)?;
    for beside in ["loose.md", "archive/old.md", "inbox/sub/deep.md", "inbox/.hidden.md", "inbox/notes.txt"] {
        world.write(&format!("tasks/{beside}"), yes("beside").text())?;
    }
    let keyed = yes("keyed").with("idempotency-key: keyed");
    world.submit(&keyed)?;
    drop_in(world, "repeat.md", &keyed.text())?;
    world.run_once()?;
    let failed = world.list("tasks/failed");
    let note = failed.iter().find(|name| name.ends_with(".note.txt")).cloned().unwrap_or_default();
    Ok(Drops {
        jobs: world.jobs()?,
        text: world.read("tasks/testing/größe und mehr.md"),
        inbox: world.list("tasks/inbox"),
        notes: world.read(&format!("tasks/failed/{note}")),
        failed,
        quarantine: world.list("tasks/quarantine"),
    })
}

fn drops() -> Box<dyn Scenario> {
    story("folder", see_drops)
        .check("a dropped file becomes a job and moves with it, byte for byte", |seen| {
            is(&seen.text, yes("dropped").text().as_str())
        })
        .check("a malformed file goes to failed, and no agent starts", |seen| {
            let bad = seen.jobs.iter().find(|job| job["file"] == "bad.md").cloned().unwrap_or_default();
            is(&json!([bad["stage"], bad["result"], bad["runs"]]), json!(["failed", "invalid_manifest", 0]))?;
            holds(seen.failed.contains(&"bad.md".to_owned()), || format!("{:?}", seen.failed))
        })
        .check("a note beside it lists every mistake with its line", |seen| {
            says(&seen.notes, &["2:", "urgent", "3:", "soon"])
        })
        .check("what lies beside the buckets, is hidden or no markdown is never a job", |seen| {
            is(&seen.jobs.len(), 3)?;
            is(&seen.inbox, vec!["notes.txt".to_owned(), "sub".to_owned()])
        })
        .check("quarantine: a file whose key was submitted before is set aside", |seen| {
            holds(seen.quarantine.contains(&"repeat.md".to_owned()), || format!("{:?}", seen.quarantine))
        })
        .told()
}

struct Halves {
    early: usize,
    jobs: Vec<Value>,
    edited: String,
}

fn see_halves(world: &World) -> Result<Halves, Stop> {
    world.run(&["init"])?.done()?;
    let broken = |error: std::io::Error| Stop::because(format!("cannot write a half file: {error}"));
    let runner = world.fleet(&["run"]).start()?;
    let text = yes("halves").text();
    let (first, second) = text.split_at(text.len() / 2);
    let mut file = fs::File::create(world.repo().join("tasks/inbox/halves.md")).map_err(broken)?;
    file.write_all(first.as_bytes()).map_err(broken)?;
    // A job that is dropped later and done is the proof that the runner has looked meanwhile.
    drop_in(world, "whole.md", &yes("whole").text())?;
    world.until("the complete file to be done", || {
        Ok(world.list("tasks/testing").contains(&"whole.md".to_owned()).then_some(()))
    })?;
    let early = world.jobs()?.len();
    file.write_all(second.as_bytes()).map_err(broken)?;
    drop(file);
    let over = |job: &Value| ["testing", "review", "failed"].iter().any(|stage| job["stage"] == *stage);
    world.until("two jobs to be over", || {
        let jobs = world.jobs()?;
        Ok((jobs.len() == 2 && jobs.iter().all(over)).then_some(()))
    })?;
    runner.signal(Signal::SIGTERM)?;
    runner.finish()?.done()?;
    Ok(Halves { early, jobs: world.jobs()?, edited: world.read("tasks/testing/halves.md") })
}

fn halves() -> Box<dyn Scenario> {
    story("folder", see_halves)
        .check("a file that is still being written is not taken in", |seen| is(&seen.early, 1))
        .check("when it is complete it becomes one job, with the whole body", |seen| {
            let stages: Vec<String> = seen.jobs.iter().map(|job| word(&job["stage"])).collect();
            is(&stages, vec!["testing".to_owned(); 2])?;
            is(&seen.edited, yes("halves").text().as_str())
        })
        .told()
}

struct Moves {
    approved: String,
    shipped: String,
    merged: String,
    rejected: String,
    requeued: Value,
    cancelled: String,
    changes: Value,
}

fn see_moves(world: &World) -> Result<Moves, Stop> {
    let reviewed = |name: &str| yes(name).with("review-policy: manual");
    let (a, b, d) = (world.submit(&reviewed("a"))?, world.submit(&reviewed("b"))?, world.submit(&reviewed("d"))?);
    let c = world.submit(&yes("c").with("hold: true"))?;
    world.run_once()?;
    let result = |id: &str| Ok::<_, Stop>(word(&world.job(id)?["result"]));
    let stage = |id: &str| Ok::<_, Stop>(word(&world.job(id)?["stage"]));
    world.mv("tasks/review/a.md", "tasks/testing/a.md")?;
    world.mv("tasks/review/b.md", "tasks/failed/b.md")?;
    world.mv("tasks/inbox/c.md", "tasks/failed/c.md")?;
    world.mv("tasks/review/d.md", "tasks/inbox/d.md")?;
    world.run_once()?;
    let (approved, rejected, cancelled, changes) = (stage(&a)?, result(&b)?, result(&c)?, world.job(&d)?);
    world.mv("tasks/testing/a.md", "tasks/shipped/a.md")?;
    world.mv("tasks/failed/b.md", "tasks/inbox/b.md")?;
    world.run_once()?;
    Ok(Moves {
        approved,
        shipped: stage(&a)?,
        merged: world.file_at("main", "done.txt")?,
        rejected,
        requeued: world.job(&b)?,
        cancelled,
        changes,
    })
}

fn moves() -> Box<dyn Scenario> {
    story("folder", see_moves)
        .check("review to testing approves", |seen| is(&seen.approved, "testing"))
        .check("testing to shipped ships, merge and all", |seen| {
            is(&seen.shipped, "shipped")?;
            is(&seen.merged, "yes\n")
        })
        .check("review to failed rejects", |seen| is(&seen.rejected, "rejected"))
        .check("failed to inbox requeues", |seen| is(&seen.requeued["runs"], 2))
        .check("inbox to failed cancels", |seen| is(&seen.cancelled, "cancelled"))
        .check("review to inbox requests changes, and the job runs again", |seen| is(&seen.changes["runs"], 2))
        .told()
}

struct Refusals {
    stage: String,
    review: Vec<String>,
    note: String,
    copied: usize,
    redrawn: Vec<String>,
    quiet: [String; 2],
}

fn see_refusals(world: &World) -> Result<Refusals, Stop> {
    let id = world.submit(&yes("job").with("review-policy: manual"))?;
    world.run_once()?;
    world.mv("tasks/review/job.md", "tasks/building/job.md")?;
    world.run_once()?;
    let review = world.list("tasks/review");
    let note = review.iter().find(|name| name.ends_with(".note.txt")).cloned().unwrap_or_default();
    let note = world.read(&format!("tasks/review/{note}"));
    let stage = word(&world.job(&id)?["stage"]);
    let copied = world.jobs()?.len();
    fs::remove_dir_all(world.repo().join("tasks")).map_err(|error| Stop::because(error.to_string()))?;
    world.run_once()?;
    let redrawn = world.list("tasks/review");
    let events = |world: &World| Ok::<_, Stop>(world.job(&id)?["rev"].to_string());
    let before = events(world)?;
    world.run_once()?;
    Ok(Refusals { stage, review, note, copied, redrawn, quiet: [before, events(world)?] })
}

fn refusals() -> Box<dyn Scenario> {
    story("folder", see_refusals)
        .check("a move that means nothing goes back", |seen| {
            is(&seen.stage, "review")?;
            holds(seen.review.contains(&"job.md".to_owned()), || format!("{:?}", seen.review))
        })
        .check("a note says what is possible", |seen| says(&seen.note, &["approve"]))
        .check("moving a file back and forth makes no second job", |seen| is(&seen.copied, 1))
        .check("a deleted folder is drawn again and loses nothing", |seen| {
            holds(seen.redrawn.contains(&"job.md".to_owned()), || format!("{:?}", seen.redrawn))
        })
        .check("looking again changes nothing", |seen| is(&seen.quiet[0], seen.quiet[1].as_str()))
        .told()
}
