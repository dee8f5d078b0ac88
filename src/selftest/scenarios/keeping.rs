//! What is kept and what goes: the database and its copy, old logs, workspaces, merged branches.

use serde_json::{Value, json};

use crate::selftest::{
    call::Output,
    expect::{holds, is, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, list_of, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![database(), time(), room(), leftovers()]
}

struct Database {
    own: Output,
    copy: Value,
    again: Output,
    restored: Value,
    broken: Output,
}

fn see_database(world: &World) -> Result<Database, Stop> {
    let id = world.submit(&task("kept").checked().does("write done.txt yes"))?;
    world.run_once()?;
    let copy = world.folder().join("copy.db");
    let copy = copy.to_string_lossy();
    let told = world.json(&["db", "backup", &copy])?;
    let again = world.run(&["db", "backup", &copy])?;
    let elsewhere = world.folder().join("restored");
    let home = elsewhere.to_string_lossy();
    let put = |error| Stop::because(format!("cannot put the copy back: {error}"));
    std::fs::create_dir_all(&elsewhere).map_err(put)?;
    std::fs::copy(&*copy, elsewhere.join("fleet.db")).map_err(put)?;
    let restored = world.json(&["show", &id, "--home", &home])?;
    let letter = world.write("../letter.db", "no database")?;
    Ok(Database {
        own: world.run(&["db", "check"])?,
        copy: told,
        again,
        restored,
        broken: world.run(&["db", "check", &letter.to_string_lossy()])?,
    })
}

fn database() -> Box<dyn Scenario> {
    story("db", see_database)
        .check("after a run everything that must hold of the database holds", |seen| {
            is(&seen.own.code, 0)?;
            says(&seen.own.stdout, &["is whole"])
        })
        .check("a backup is whole, and overwrites nothing", |seen| {
            is(&seen.copy["findings"], json!([]))?;
            is(&seen.again.code, 4)
        })
        .check("a backup that was put back knows every job", |seen| is(&seen.restored["stage"], "testing"))
        .check("a file that is no database is told from one", |seen| is(&seen.broken.code, 2))
        .told()
}

struct Time {
    early: Output,
    late: Output,
    job: Value,
    history: Vec<String>,
    waits: Output,
    folders: [bool; 2],
    branch: String,
}

fn see_time(world: &World) -> Result<Time, Stop> {
    let at = |moment: &str| world.write("../clock", format!("{moment}T10:00:00Z\n"));
    let clock = at("2030-05-01")?.to_string_lossy().into_owned();
    let then = |args: &[&str]| world.fleet(&[&["--test-mode"], args].concat()).env("FLEET_TEST_CLOCK", &clock).run();
    let submit = |name: &str| {
        let path = world.task_file(name, task(name).checked().does("say hello\nwrite done.txt yes").text())?;
        then(&["submit", &path])?.done()?.line()
    };
    let (ended, waiting) = (submit("ended")?, submit("waiting")?);
    then(&["run", "--once"])?.done()?;
    then(&["reject", &ended, "--reason", "no"])?.done()?;
    at("2030-07-29")?;
    then(&["run", "--once"])?.done()?;
    let early = then(&["logs", &ended])?;
    at("2030-07-31")?;
    then(&["run", "--once"])?.done()?;
    let job = world.job(&ended)?;
    Ok(Time {
        early,
        late: then(&["logs", &ended])?,
        history: world.history(&ended)?,
        waits: then(&["logs", &waiting])?,
        folders: [&ended, &waiting].map(|id| world.repo().join(".fleet/runs").join(id).exists()),
        branch: world.file_at(&word(&job["branch"]), "done.txt")?,
        job,
    })
}

fn time() -> Box<dyn Scenario> {
    story("retention", see_time)
        .check("the log of a finished job is there for ninety days", |seen| says(&seen.early.stdout, &["hello"]))
        .check("after that it is gone, which is not an empty log", |seen| {
            is(&seen.late.code, 3)?;
            says(&seen.late.stderr, &["expired"])
        })
        .check("its run folders go with it, those of others stay", |seen| {
            is(&json!(seen.folders), json!([false, true]))
        })
        .check("its result and history stay for good", |seen| {
            is(&seen.job["result"], "rejected")?;
            holds(seen.history.contains(&"rejected".to_owned()), || format!("{:?}", seen.history))
        })
        .check("its work stays while it is merged nowhere", |seen| is(&seen.branch, "yes\n"))
        .check("a job that waits for a person keeps its log", |seen| says(&seen.waits.stdout, &["hello"]))
        .told()
}

struct Room {
    low: Output,
    jobs: Vec<Value>,
}

fn see_room(world: &World) -> Result<Room, Stop> {
    world.write("fleet.toml", "[workspaces]\nmax = 1\n")?;
    let ids = ["one", "two", "three"].map(|name| world.submit(&task(name).checked().does("write done.txt yes")));
    let ids: Vec<String> = ids.into_iter().collect::<Result<_, _>>()?;
    let low = world.run(&["run", "--once", "--set", "workspaces.min-free=1000000GiB"])?;
    world.run_once()?;
    Ok(Room { low, jobs: ids.iter().map(|id| world.job(id)).collect::<Result<_, _>>()? })
}

fn room() -> Box<dyn Scenario> {
    story("workspaces", see_room)
        .check("where the disk is low no job starts, and the runner says why", |seen| {
            is(&seen.low.code, 1)?;
            says(&seen.low.stderr, &["low_disk", "workspaces.min-free"])
        })
        .check("where there is room for one, jobs run one after another and none is lost", |seen| {
            let stages: Vec<String> = seen.jobs.iter().map(|job| word(&job["stage"])).collect();
            is(&stages, vec!["testing".to_owned(); 3])?;
            is(&json!(seen.jobs.iter().map(|job| job["runs"].clone()).collect::<Vec<_>>()), json!([1, 1, 1]))
        })
        .told()
}

struct Leftovers {
    workspaces: Vec<String>,
    base_refs: String,
    said: Vec<Value>,
    branches: String,
    jobs: [String; 2],
    again: Vec<Value>,
}

fn see_leftovers(world: &World) -> Result<Leftovers, Stop> {
    let submit = |file: &str| world.submit(&task(file).with("verify: 'true'").does(&format!("write {file}.txt x")));
    let jobs = [submit("squashed")?, submit("unmerged")?];
    world.run_once()?;
    let branch = word(&world.job(&jobs[0])?["branch"]);
    world.git(&["merge", "-q", "--squash", &branch])?;
    world.git(&["commit", "-q", "-m", "by hand"])?;
    for id in &jobs {
        world.run(&["reject", id, "--reason", "done by hand"])?.done()?;
    }
    let said = list_of(&world.json(&["clean", "--dry-run"])?, "cleaned");
    world.run(&["clean"])?.done()?;
    Ok(Leftovers {
        workspaces: world.list(".fleet/work"),
        base_refs: world.git(&["for-each-ref", "refs/fleet/base"])?,
        said,
        branches: world.git(&["branch", "--list", "fleet/*"])?,
        again: list_of(&world.json(&["clean"])?, "cleaned"),
        jobs,
    })
}

fn leftovers() -> Box<dyn Scenario> {
    story("leftovers", see_leftovers)
        .check("no workspace, and no ref that it needed, outlives its run", |seen| {
            is(&seen.workspaces, Vec::<String>::new())?;
            is(&seen.base_refs, "")
        })
        .check("a squash lets a branch go, and what was not merged stays", |seen| {
            holds(!seen.branches.contains(&seen.jobs[0]) && seen.branches.contains(&seen.jobs[1]), || {
                seen.branches.clone()
            })
        })
        .check("clean --dry-run says of each thing whether it goes, and why", |seen| {
            let of = |job: &String| seen.said.iter().filter(|line| line["job"] == **job).collect::<Vec<_>>();
            let (goes, stays) = (of(&seen.jobs[0]), of(&seen.jobs[1]));
            holds(
                goes.iter().all(|line| line["kept"].is_null()) && stays.iter().all(|line| line["kept"].is_string()),
                || format!("{:?}", seen.said),
            )?;
            holds(!goes.is_empty() && seen.said.iter().all(|line| !word(&line["why"]).is_empty()), || {
                format!("{:?}", seen.said)
            })
        })
        .check("cleaning twice is cleaning once", |seen| {
            holds(seen.again.iter().all(|line| line["kept"].is_string()), || format!("{:?}", seen.again))
        })
        .told()
}
