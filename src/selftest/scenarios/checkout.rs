//! The user's checkout is never touched by a run, and by shipping only when it is clean.

use crate::selftest::{
    call::Output,
    expect::{is, says, says_not},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![checkout()]
}

/// What a person's checkout looks like, byte by byte.
#[derive(Debug, Clone, PartialEq)]
struct Checkout {
    head: String,
    status: String,
    index: Vec<u8>,
    config: Vec<u8>,
    edited: String,
    untracked: String,
    branches: String,
}

impl Checkout {
    fn of(world: &World) -> Result<Self, Stop> {
        let bytes =
            |path: &str| std::fs::read(world.repo().join(path)).map_err(|error| Stop::because(error.to_string()));
        Ok(Self {
            head: world.git(&["symbolic-ref", "HEAD"])? + &world.git(&["rev-parse", "HEAD"])?,
            status: world.git(&["--no-optional-locks", "status", "--porcelain", "--", ".", ":!tasks"])?,
            index: bytes(".git/index")?,
            config: bytes(".git/config")?,
            edited: world.read("README.md"),
            untracked: world.read("mine.txt"),
            branches: world.git(&["for-each-ref", "refs/heads/main", "refs/tags", "refs/stash"])?,
        })
    }
}

struct Untouched {
    before: Checkout,
    after_run: Checkout,
    seen_by_agent: String,
    ignored: String,
    hooks: String,
    refs: Vec<String>,
    ship: Output,
    after_ship: Checkout,
    conflict: Output,
    conflict_head: [String; 2],
    stage: String,
}

fn see_checkout(world: &World) -> Result<Untouched, Stop> {
    for hook in ["post-commit", "post-checkout", "pre-commit", "reference-transaction"] {
        let path = world.write(
            &format!(".git/hooks/{hook}"),
            format!("#!/bin/sh\necho {hook} >> \"{}/hooked\"\n", world.folder().display()),
        )?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).map_err(|error| Stop::because(error.to_string()))?;
    }
    world.write("README.md", "# mine, not committed\n")?;
    world.write("mine.txt", "mine\n")?;
    let before = Checkout::of(world)?;
    let id = world.submit(&task("readme").checked().does("write done.txt yes\nwrite README.md theirs"))?;
    world.run_once()?;
    let hooks = world.read("../hooked");
    let after_run = Checkout::of(world)?;
    let branch = word(&world.job(&id)?["branch"]);
    let ship = world.run(&["ship", &id])?;
    let after_ship = Checkout::of(world)?;
    let refs = world.git(&["for-each-ref", "--format=%(refname)"])?.lines().map(str::to_owned).collect();
    let seen_by_agent = world.file_at(&format!("{branch}~1"), "README.md")?;
    let ignored = world.git(&["status", "--porcelain", "--", ".fleet"])?;
    world.commit("mine")?;
    let head = world.git(&["rev-parse", "HEAD"])?;
    let conflict = world.run(&["ship", &id])?;
    Ok(Untouched {
        before,
        after_run,
        seen_by_agent,
        ignored,
        hooks,
        refs,
        ship,
        after_ship,
        conflict,
        conflict_head: [head, world.git(&["rev-parse", "HEAD"])?],
        stage: word(&world.job(&id)?["stage"]),
    })
}

fn checkout() -> Box<dyn Scenario> {
    story("checkout", see_checkout)
        .check("a run leaves HEAD, index, config, edits and branches as they are", |seen| {
            is(&seen.after_run, seen.before.clone())
        })
        .check("a run starts from what is committed, not from edits", |seen| {
            is(&seen.seen_by_agent, "# A small project\n")
        })
        .check("a run calls no hook of the repository", |seen| is(&seen.hooks, ""))
        .check("a run writes refs of fleet alone", |seen| {
            let foreign = |name: &&String| {
                !name.starts_with("refs/heads/fleet/") && !name.starts_with("refs/fleet/") && *name != "refs/heads/main"
            };
            is(&seen.refs.iter().find(foreign), None)
        })
        .check("git does not see fleet's state, and no file of the user's says so", |seen| {
            is(&seen.ignored, "")?;
            says_not(&seen.after_run.status, &[".gitignore", ".fleet"])
        })
        .check("ship: an uncommitted edit is refused with its file, and nothing changes", |seen| {
            is(&seen.ship.code, 4)?;
            says(&seen.ship.stderr, &["README.md"])?;
            is(&seen.after_ship, seen.before.clone())
        })
        .check("ship: a conflict is refused with its file, and nothing changes", |seen| {
            is(&seen.conflict.code, 4)?;
            says(&seen.conflict.stderr, &["conflict", "README.md"])?;
            is(&seen.conflict_head[0], seen.conflict_head[1].as_str())?;
            is(&seen.stage, "testing")
        })
        .told()
}
