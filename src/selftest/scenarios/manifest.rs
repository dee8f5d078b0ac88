//! Task files: what is read, what is left out, what is refused.

use serde_json::{Value, json};

use crate::selftest::{
    call::Output,
    expect::{holds, is, says, says_not},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![keys(), mistakes(), bodies(), secrets()]
}

/// A bare task, and one that uses every key that has an effect here.
struct Keys {
    bare: Value,
    full: Value,
    numbers: Vec<(String, String)>,
    argv: Value,
    titles: Vec<String>,
}

const FULL: &str = r#"---
title: "Given: a title"
engine: scripted
engine-class: agentic-coder
prefers-engine: [codex, claude]
model: opus
max-turns: 40
yolo: true
base: main
priority: high
capabilities: ["git>=2", os:any]
prefers: [factory:desk]
tags: [backend, api]
lock: schema
hold: true
idempotency-key: nightly-1
deps: [add-schema]
deps-mode: soft
acceptance: ["an empty e-mail is refused"]
target-files: [src/signup.rs]
test-commands: ["cargo test signup"]
verify: cargo test
timeout: 45m
budget: { wall: 30m, usd: 2.5, tokens: 2000000 }
retry: { max: 2, backoff: 30s, on: [timeout, crash], resume: false }
review-policy: manual
allowed-scope: { paths: ["src/**"], mode: enforce }
secrets: [NPM_TOKEN]
tracker-item: SHOP-412
---
# A heading that is not the title
"#;

fn see_keys(world: &World) -> Result<Keys, Stop> {
    let mut numbers = Vec::new();
    for number in 1..=5 {
        let seen = world.preview("number", &task("n").with(&format!("priority: {number}")).text())?;
        numbers.push((number.to_string(), word(&seen["manifest"]["priority"])));
    }
    let title = |text: &str| -> Result<String, Stop> { Ok(word(&world.preview("from-the-file", text)?["title"])) };
    Ok(Keys {
        bare: world.preview("bare", "---\nengine: scripted\n---\n# Bare\n")?,
        full: world.preview("full", FULL)?,
        numbers,
        argv: world.preview("argv", &task("argv").with("verify: [cargo, test, '']").text())?,
        titles: vec![
            title("no heading\n")?,
            title("text\n# A heading\n")?,
            title("---\ntitle: Key\n---\n# Heading\n")?,
        ],
    })
}

fn keys() -> Box<dyn Scenario> {
    story("manifest", see_keys)
        .check("a bare task gets the documented defaults", |seen| {
            let expected = json!({"engine": "scripted", "priority": "medium", "depsMode": "hard",
                "reviewPolicy": "auto", "kind": "leaf"});
            is(&seen.bare["manifest"], expected)
        })
        .check("each value says whether the job or a default gave it", |seen| {
            is(&seen.bare["origins"]["engine"], "job")?;
            is(&seen.bare["origins"]["priority"], "default")
        })
        .check("the title comes from key, heading or file name, in this order", |seen| {
            is(&seen.titles, ["from-the-file", "A heading", "Key"].map(str::to_owned).to_vec())
        })
        .check("identity is read: title, tags, key, tracker item", |seen| {
            is(&seen.full["title"], "Given: a title")?;
            let m = &seen.full["manifest"];
            is(&m["tags"], json!(["backend", "api"]))?;
            is(&m["idempotencyKey"], "nightly-1")?;
            is(&m["trackerItem"], "SHOP-412")
        })
        .check("the engine is read: name, class, preferences, model, turns, yolo", |seen| {
            let m = &seen.full["manifest"];
            is(&m["engineClass"], "agentic-coder")?;
            is(&m["prefersEngine"], json!(["codex", "claude"]))?;
            is(&m["model"], "opus")?;
            is(&m["maxTurns"], 40)?;
            is(&m["yolo"], true)
        })
        .check("limits are read: timeout, and a budget of time, money and tokens", |seen| {
            let m = &seen.full["manifest"];
            is(&m["timeout"], "45m")?;
            is(&m["budget"], json!({"usd": 2.5, "tokens": 2_000_000, "wall": "30m"}))
        })
        .check("retry is read: count, wait, classes, resume", |seen| {
            let expected = json!({"max": 2, "backoff": "30s", "on": ["timeout", "crash"], "resume": false});
            is(&seen.full["manifest"]["retry"], expected)
        })
        .check("order is read: priority, dependencies, lock, hold, base", |seen| {
            let m = &seen.full["manifest"];
            is(&m["priority"], "high")?;
            is(&m["deps"], json!(["add-schema"]))?;
            is(&m["depsMode"], "soft")?;
            is(&m["lock"], "schema")?;
            is(&m["hold"], true)?;
            is(&m["base"], "main")
        })
        .check("guidance is read: acceptance, files, test commands, scope", |seen| {
            let m = &seen.full["manifest"];
            is(&m["acceptance"], json!(["an empty e-mail is refused"]))?;
            is(&m["targetFiles"], json!(["src/signup.rs"]))?;
            is(&m["testCommands"], json!(["cargo test signup"]))?;
            is(&m["allowedScope"], json!({"paths": ["src/**"], "mode": "enforce"}))
        })
        .check("proof is read: verify as a line or a list, review policy", |seen| {
            is(&seen.full["manifest"]["verify"], "cargo test")?;
            is(&seen.full["manifest"]["reviewPolicy"], "manual")?;
            is(&seen.argv["manifest"]["verify"], json!(["cargo", "test", ""]))
        })
        .check("demands are read: capabilities, hints, names of secrets", |seen| {
            let m = &seen.full["manifest"];
            is(&m["capabilities"], json!(["git>=2", "os:any"]))?;
            is(&m["prefers"], json!(["factory:desk"]))?;
            is(&m["secrets"], json!(["NPM_TOKEN"]))
        })
        .check("priorities 1 to 5 mean critical, high, medium, low, low", |seen| {
            let expected = [("1", "critical"), ("2", "high"), ("3", "medium"), ("4", "low"), ("5", "low")];
            is(&seen.numbers, expected.map(|(number, word)| (number.to_owned(), word.to_owned())).to_vec())
        })
        .told()
}

struct Mistakes {
    wrong: Output,
    json: Value,
    odd: Output,
    kept: Value,
    later: Output,
    engine: Output,
    left: usize,
}

const WRONG: &str = "---\npriority: urgent\ntimeout: soon\nretry:\n  on: [crsh]\n---\n# Wrong\n";

fn see_mistakes(world: &World) -> Result<Mistakes, Stop> {
    let wrong = world.task_file("wrong", WRONG)?;
    let odd = world.task_file("odd", task("odd").with("verfiy: cargo test\nowner: ann").text())?;
    let later = world.task_file("later", task("later").with("runtime: docker\nschedule: 0 9 * * 1").text())?;
    let engine = world.task_file("engine", "---\nengine: clade\n---\n# Engine\n")?;
    let refusal = world.run(&["submit", "--json", &wrong])?;
    Ok(Mistakes {
        wrong: world.run(&["submit", &wrong])?,
        // What was made here for the first time is said before it.
        json: refusal.stderr.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default(),
        odd: world.run(&["submit", "--dry-run", &odd])?,
        kept: world.json(&["submit", "--dry-run", &odd])?,
        later: world.run(&["submit", &later])?,
        engine: world.run(&["submit", &engine])?,
        left: world.jobs()?.len(),
    })
}

fn mistakes() -> Box<dyn Scenario> {
    story("manifest", see_mistakes)
        .check("every mistake is told in one pass, each with line and column", |seen| {
            is(&seen.wrong.code, 2)?;
            says(&seen.wrong.stderr, &["wrong.md:2:11", "urgent", "wrong.md:3:10", "soon", "wrong.md:5:8", "crsh"])
        })
        .check("a misspelt word is answered with the nearest right one", |seen| says(&seen.wrong.stderr, &["crash"]))
        .check("mistakes are data too, with --json", |seen| {
            let errors = &seen.json["error"]["details"]["errors"];
            let places: Vec<_> =
                errors.as_array().into_iter().flatten().map(|e| (e["line"].as_u64(), e["column"].as_u64())).collect();
            is(&places, vec![(Some(2), Some(11)), (Some(3), Some(10)), (Some(5), Some(8))])
        })
        .check("a task with mistakes leaves no job and prints no id", |seen| {
            is(&seen.wrong.stdout, "")?;
            is(&seen.left, 0)
        })
        .check("an unknown key is kept, and warned about with its line", |seen| {
            is(&seen.odd.code, 0)?;
            says(&seen.odd.stderr, &["odd.md:3:1", "verfiy", "verify", "odd.md:4:1", "owner"])?;
            is(&seen.kept["manifest"]["extra"]["owner"], "ann")
        })
        .check("what this version cannot do yet is refused, not ignored", |seen| {
            is_refused(&seen.later, &["runtime", "schedule"])
        })
        .check("an unknown engine is refused with the nearest name", |seen| {
            is_refused(&seen.engine, &["engine.md:2:9", "clade", "claude"])
        })
        .told()
}

fn is_refused(output: &Output, words: &[&str]) -> crate::selftest::expect::Judgement {
    is(&output.code, 2)?;
    is(&output.stdout, "")?;
    says(&output.stderr, words)
}

/// Bodies that must reach the agent byte for byte.
struct Bodies(Vec<(&'static str, String, String)>);

fn see_bodies(world: &World) -> Result<Bodies, Stop> {
    world.write("fleet.toml", "[engines.copy]\ncommand = [\"sh\", \"-c\", \"cat > got\"]\nprompt = \"stdin\"\n")?;
    let bodies = [
        ("crlf", "# Lines\r\nwith\r\n\r\nthese ends\r\n".to_owned()),
        ("odd", "---\nnot: front matter\n---\n- -x --flag `$(id)` \u{1F600} größe\t \n\n\n".to_owned()),
        ("large", format!("# Large\n{}end\n", "0123456789abcdef é\n".repeat(56_000))),
    ];
    let mut seen = Vec::new();
    for (name, body) in bodies {
        let path = world.task_file(name, format!("---\nengine: copy\n---\n{body}"))?;
        let id = world.run(&["submit", &path])?.done()?.line()?;
        seen.push((name, body, id));
    }
    world.run_once()?;
    for (_, _, id) in &mut seen {
        *id = world.file_at(&word(&world.job(id)?["branch"]), "got")?;
    }
    Ok(Bodies(seen))
}

fn arrived(bodies: &Bodies, name: &str) -> crate::selftest::expect::Judgement {
    let (_, sent, got) = bodies.0.iter().find(|(body, ..)| *body == name).expect("a body of this story");
    holds(got.contains(sent.as_str()), || {
        format!("{} bytes were sent, {} came, among which they are not", sent.len(), got.len())
    })
}

fn bodies() -> Box<dyn Scenario> {
    story("manifest", see_bodies)
        .check("a body with CRLF reaches the agent byte for byte", |seen| arrived(seen, "crlf"))
        .check("a body of dashes, quotes and letters of elsewhere reaches the agent byte for byte", |seen| {
            arrived(seen, "odd")
        })
        .check("a body of 1 MiB reaches the agent byte for byte", |seen| arrived(seen, "large"))
        .told()
}

struct Secrets {
    inline: Output,
    agent: String,
    log: String,
    verify: String,
    config: String,
    everything: String,
}

const VALUE: &str = "hunter2-never-shown";

fn see_secrets(world: &World) -> Result<Secrets, Stop> {
    world.write("fleet.toml", "[secrets]\nTOKEN = { env = \"MY_TOKEN\" }\n")?;
    let inline = world.task_file("inline", task("inline").with(&format!("secrets: [TOKEN={VALUE}]")).text())?;
    let length = VALUE.len();
    let id = world.submit(
        &task("given")
            .with("secrets: [TOKEN]")
            .with("verify: 'test -z \"$TOKEN\" && echo the check has no token'")
            .does(&format!("run test ${{#TOKEN}} -eq {length}\nrun echo it is $TOKEN\nwrite done.txt yes")),
    )?;
    world.fleet(&["run", "--once"]).env("MY_TOKEN", VALUE).run()?.done()?;
    let job = world.job(&id)?;
    Ok(Secrets {
        inline: world.run(&["submit", &inline])?,
        agent: word(&job["result"]),
        log: world.log(&id, "stdout")?,
        verify: world.log(&id, "verify")?,
        config: world.fleet(&["config", "show", "--origin"]).env("MY_TOKEN", VALUE).run()?.stdout,
        everything: world.program("grep", &["-rlF", VALUE, ".fleet", "tasks"]).run()?.stdout,
    })
}

fn secrets() -> Box<dyn Scenario> {
    story("secrets", see_secrets)
        .check("a value in a task file is refused and never repeated", |seen| {
            is(&seen.inline.code, 2)?;
            says(&seen.inline.stderr, &["secrets"])?;
            says_not(&seen.inline.stderr, &[VALUE])
        })
        .check("the agent gets the value of a secret that the task names", |seen| is(&seen.agent, "ok"))
        .check("the log shows a mask in its place", |seen| {
            says(&seen.log, &["it is "])?;
            says_not(&seen.log, &[VALUE])
        })
        .check("the verify command does not get it", |seen| says(&seen.verify, &["the check has no token"]))
        .check("the configuration shows where it comes from and not what it is", |seen| {
            says(&seen.config, &["secrets.TOKEN", "MY_TOKEN"])?;
            says_not(&seen.config, &[VALUE])
        })
        .check("no file that fleet keeps holds it", |seen| is(&seen.everything, ""))
        .told()
}
