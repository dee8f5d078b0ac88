//! What the kernel keeps an agent from, on this machine.

use std::fs;

use serde_json::Value;

use crate::selftest::{
    expect::{holds, is, says_not},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![reach()]
}

const SECRET: &str = "not-yours";

struct Reach {
    stages: Vec<String>,
    log: String,
    home: Vec<String>,
    repo: Vec<String>,
    recorded: String,
    free: Value,
}

fn see_reach(world: &World) -> Result<Reach, Stop> {
    let key = world.folder().join("home/.ssh/id_ed25519");
    fs::create_dir_all(world.folder().join("home/.ssh")).map_err(|error| Stop::because(error.to_string()))?;
    fs::write(&key, SECRET).map_err(|error| Stop::because(error.to_string()))?;
    let (home, repo) = (world.folder().join("home"), world.repo());
    let (home, repo) = (home.display(), repo.display());
    let tries = [
        ("writes-home", format!("echo x > {home}/new")),
        ("writes-checkout", format!("echo x > {repo}/new")),
        ("writes-git", format!("echo x > {repo}/.git/new")),
        ("writes-state", format!("echo x > {repo}/.fleet/new")),
        ("reads-key", format!("cat {home}/.ssh/id_ed25519")),
        ("reads-key-by-link", format!("ln -s {home}/.ssh/id_ed25519 link && cat link")),
        ("reads-state", format!("cat {repo}/.fleet/fleet.db")),
        (
            "reads-runner",
            "up() { awk '/^PPid/{print $2}' /proc/$1/status; }; cat /proc/$(up $(up $PPID))/environ".to_owned(),
        ),
    ];
    let mut ids = Vec::new();
    for (name, attempt) in &tries {
        // The step fails when the attempt gets through, and the job with it.
        let steps = format!("run ! ( {attempt} ) >/dev/null 2>&1\nwrite done.txt yes");
        ids.push(world.submit(&task(name).checked().does(&steps))?);
    }
    let kept =
        world.submit(&task("prints").does(&format!("run cat {home}/.ssh/id_ed25519 || true\nwrite done.txt yes")))?;
    world.run_once()?;
    let recorded = word(&world.runs(&kept)?[0]["confinement"]);
    if recorded.starts_with("unconfined") {
        return Err(Stop::Skip(recorded));
    }
    let free = world.submit(&task("free").checked().does("write done.txt yes"))?;
    world.run(&["run", "--once", "--set", "confinement.mode=off"])?.done()?;
    Ok(Reach {
        stages: ids.iter().map(|id| Ok(word(&world.job(id)?["stage"]))).collect::<Result<_, Stop>>()?,
        log: world.run(&["logs", &kept])?.stdout,
        home: world.list("../home"),
        repo: world.list("."),
        recorded,
        free: world.runs(&free)?[0]["confinement"].clone(),
    })
}

fn reach() -> Box<dyn Scenario> {
    story("confinement", see_reach)
        .check("an agent that reaches for home, checkout, state, a key or the runner is refused", |seen| {
            is(&seen.stages.iter().find(|stage| *stage != "testing"), None)
        })
        .check("nothing was made in the home folder or the checkout", |seen| {
            is(&seen.home, Vec::<String>::new())?;
            is(&seen.repo.iter().find(|name| *name == "new"), None)
        })
        .check("a key that an agent may not read is in no log", |seen| says_not(&seen.log, &[SECRET]))
        .check("each run says what it was confined by, or why it was not", |seen| {
            holds(seen.recorded.starts_with("landlock-"), || seen.recorded.clone())?;
            is(&seen.free, "unconfined: `confinement.mode` is `off`")
        })
        .told()
}
