//! What an agent gets of the environment and of the secrets, what is seen of it afterwards, and what reading its clone
//! executes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use crate::selftest::{
    expect::{holds, is, says, says_not},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![secrets(), traps()]
}

const VALUE: &str = "a value \"with\" quotes/and more";

struct Secrets {
    agent: String,
    log: String,
    helper: Value,
    open: Vec<String>,
}

fn see_secrets(world: &World) -> Result<Secrets, Stop> {
    world.write(
        "fleet.toml",
        "[secrets]\nCANARY = { env = \"HOLDS_IT\" }\nPUSH = { env = \"HOLDS_IT\", for = \"helper\" }\n",
    )?;
    let steps = "run env > env.txt; env; printf '%s' \"$CANARY\" | base64";
    let id = world.submit(&task("sees").with("secrets: [CANARY]").does(steps))?;
    let helper = world.submit(&task("helper").with("secrets: [PUSH]").does("say no"))?;
    let call = world
        .fleet(&["run", "--once"])
        .env("HOLDS_IT", VALUE)
        .env("GH_TOKEN", "forge-1")
        .env("UNRELATED", "unrelated-1");
    call.run()?.done()?;
    let agent = world.file_at(&word(&world.job(&id)?["branch"]), "env.txt")?;
    let mut open = Vec::new();
    open_to_others(&world.repo().join(".fleet"), &mut open);
    Ok(Secrets { agent, log: world.log(&id, "stdout")?, helper: world.job(&helper)?, open })
}

/// What below a folder others may read, but for the insides of workspaces.
fn open_to_others(folder: &Path, open: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = fs::symlink_metadata(entry.path()) else { continue };
        if !meta.is_symlink() && meta.permissions().mode() & 0o077 != 0 {
            open.push(entry.path().display().to_string());
        }
        if meta.is_dir() && entry.file_name() != "work" {
            open_to_others(&entry.path(), open);
        }
    }
}

fn secrets() -> Box<dyn Scenario> {
    story("secrets", see_secrets)
        .check("an agent gets neither a forge's token nor what nobody allowed", |seen| {
            says_not(&seen.agent, &["forge-1", "unrelated-1", "HOLDS_IT"])
        })
        .check("what it prints of a secret in base 64 is masked", |seen| {
            says(&seen.log, &["CANARY=***"])?;
            says_not(&seen.log, &["YSB2YWx1ZSAid2l0aCI"])
        })
        .check("a task that names a secret for helpers fails with the reason", |seen| {
            holds(word(&seen.helper["message"]).contains("PUSH is for what fleet itself does"), || {
                seen.helper["message"].to_string()
            })
        })
        .check("what lies in the state folder is its owner's alone", |seen| is(&seen.open, Vec::<String>::new()))
        .told()
}

struct Traps {
    marks: Vec<String>,
    control: Vec<String>,
    stage: Value,
}

/// Sets the traps in the repository of the folder one stands in.
const SET: &str = "for h in pre-commit post-checkout post-index-change reference-transaction; do \
    printf '#!/bin/sh\\ntouch %s/hook\\n' MARKS > .git/hooks/$h; chmod +x .git/hooks/$h; done; \
    git config filter.evil.clean 'touch MARKS/filter; cat'; echo '*.txt filter=evil' > .gitattributes; \
    git config diff.external 'touch MARKS/diff'; git config core.fsmonitor 'touch MARKS/fsmonitor; false'; \
    rm -f MARKS/*";

fn see_traps(world: &World) -> Result<Traps, Stop> {
    let marks = world.folder().join("marks");
    fs::create_dir(&marks).map_err(|error| Stop::because(format!("making a folder: {error}")))?;
    let set = SET.replace("MARKS", &marks.display().to_string());
    let gone_off = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let steps = format!("write done.txt yes\ncommit work\nrun mkdir -p .git/hooks; {set}\nrun echo more >> done.txt");
    let id = world.submit(&task("trap").with("verify: grep -q yes done.txt").does(&steps))?;
    world.run_once()?;
    for verb in ["diff", "ship", "clean"] {
        let args: &[&str] = if verb == "clean" { &[verb] } else { &[verb, &id] };
        world.run(args)?.done()?;
    }
    let found = gone_off(&marks);
    // The control: the same traps in a clone, and plain git.
    let plain = format!(
        "git clone -q . ../plain && cd ../plain && {set} && git status >/dev/null; echo x >> done.txt; git add -A; git diff HEAD >/dev/null; git commit -qm x; true"
    );
    world.program("sh", &["-c", &plain]).run()?;
    Ok(Traps { marks: found, control: gone_off(&marks), stage: world.job(&id)?["stage"].clone() })
}

fn traps() -> Box<dyn Scenario> {
    story("traps", see_traps)
        .check("an altered clone is saved and shipped", |seen| is(&seen.stage, json!("shipped")))
        .check("nothing of it is executed", |seen| is(&seen.marks, Vec::<String>::new()))
        .check("plain git would have executed it", |seen| is(&seen.control, ["diff", "filter", "fsmonitor", "hook"]))
        .told()
}
