//! The command line: exit codes, JSON, colours, completions, configuration, and leaving no traces.

use serde_json::Value;

use crate::selftest::{
    call::Output,
    expect::{Miss, holds, is, says, says_not},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![exit_codes(), output(), shells(), configuration(), nothing()]
}

struct Codes {
    success: i32,
    failed: i32,
    usage: i32,
    option: i32,
    not_found: i32,
    conflict: Output,
    budget: i32,
    timed_out: Output,
    error: Value,
    stdout: String,
}

fn see_codes(world: &World) -> Result<Codes, Stop> {
    let code = |args: &[&str]| Ok::<_, Stop>(world.run(args)?.code);
    let fails = world.task_file("fails", task("fails").checked().does("write done.txt no").text())?;
    let spends = task("spends").checked().with("budget: {usd: 1}").does("usage {\"costUsd\": 9.0}\nrun sleep 1000");
    let spends = world.task_file("spends", spends.text())?;
    let waits = world.task_file("waits", task("waits").checked().does("write done.txt yes").text())?;
    world.run(&["init"])?.done()?;
    let missing = world.run(&["show", "nope", "--json"])?;
    let (failed, budget) = (code(&["run", &fails])?, code(&["run", &spends])?);
    let timed_out = world.run(&["submit", "--wait", "--timeout", "1s", &waits])?;
    let queued = timed_out.stdout.trim().to_owned();
    Ok(Codes {
        success: code(&["status"])?,
        failed,
        usage: code(&["submit", "no-such-file.md"])?,
        option: code(&["status", "--frobnicate"])?,
        not_found: missing.code,
        conflict: world.run(&["ship", &queued])?,
        budget,
        timed_out,
        error: serde_json::from_str(&missing.stderr).unwrap_or_default(),
        stdout: missing.stdout,
    })
}

fn exit_codes() -> Box<dyn Scenario> {
    story("exit code", see_codes)
        .check("0: done", |seen| is(&seen.success, 0))
        .check("1: run FILE of a job that fails its check", |seen| is(&seen.failed, 1))
        .check("2: a file that is not there, an option that is not known", |seen| {
            is(&seen.usage, 2)?;
            is(&seen.option, 2)
        })
        .check("3: no such job", |seen| is(&seen.not_found, 3))
        .check("4: an act that is not possible now, with those that are", |seen| {
            is(&seen.conflict.code, 4)?;
            says(&seen.conflict.stderr, &["cancel", "hold"])
        })
        .check("8: a job that spent its budget", |seen| is(&seen.budget, 8))
        .check("9: waiting longer than --timeout; the job stays queued", |seen| {
            is(&seen.timed_out.code, 9)?;
            is(&seen.timed_out.stdout.trim().len(), 10)
        })
        .check("a failure with --json is one object on stderr and nothing on stdout", |seen| {
            is(&seen.error["error"]["code"], "not_found")?;
            is(&seen.error["error"]["exit"], 3)?;
            is(&seen.stdout, "")
        })
        .told()
}

struct Printed {
    json: Vec<Output>,
    plain: Vec<Output>,
    foreground: Output,
    coloured: Output,
    never: Output,
    escapes: String,
    list: Vec<String>,
    version: Output,
}

const ESC: &str = "\u{1b}[";

fn see_output(world: &World) -> Result<Printed, Stop> {
    let steps = "run printf '\\033]0;\\145vil\\007\\033[31mred\\033[0m \\033[2Jgone\\n'\nwrite done.txt yes";
    let id = world.submit(&task("speaks").checked().does(steps))?;
    world.run_once()?;
    let another = world.task_file("another", task("another").checked().does("write done.txt yes").text())?;
    let foreground = world.run(&["run", &another])?;
    let verbs: Vec<Vec<&str>> = vec![
        vec!["status"],
        vec!["jobs"],
        vec!["show", &id],
        vec!["runs", &id],
        vec!["events", &id],
        vec!["logs", &id],
        vec!["explain", &id],
        vec!["diff", &id],
        vec!["config", "show"],
        vec!["profile", "list"],
    ];
    let each = |more: &[&str]| {
        let run = |verb: &Vec<&str>| world.run(&verb.iter().chain(more).copied().collect::<Vec<_>>());
        verbs.iter().map(run).collect::<Result<Vec<_>, Stop>>()
    };
    Ok(Printed {
        json: each(&["--json"])?,
        plain: each(&[])?,
        foreground,
        coloured: world.run(&["status", "--color", "always"])?,
        never: world.fleet(&["status", "--color", "auto"]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "0").run()?,
        escapes: world.run(&["logs", &id])?.stdout,
        list: world.jobs()?.iter().map(|job| word(&job["id"])).collect(),
        version: world.run(&["--version"])?,
    })
}

fn output() -> Box<dyn Scenario> {
    story("output", see_output)
        .check("each reading verb prints one JSON document with --json and says nothing else", |seen| {
            for output in &seen.json {
                is(&output.code, 0)?;
                output.json().map_err(|stop| Miss::Seen(stop.to_string()))?;
                holds(output.stderr.is_empty(), || format!("`{}` said {:?}", output.shown, output.stderr))?;
            }
            Ok(())
        })
        .check("off a terminal nothing is coloured", |seen| {
            for output in &seen.plain {
                holds(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'), || output.shown.clone())?;
            }
            Ok(())
        })
        .check("no log line holds a colour, not even an escaped one", |seen| {
            says(&seen.foreground.stderr, &["a run ended"])?;
            says_not(&seen.foreground.stderr, &["\u{1b}", "\\u001b"])
        })
        .check("--color always colours, NO_COLOR does not", |seen| {
            says(&seen.coloured.stdout, &[ESC])?;
            says_not(&seen.never.stdout, &[ESC])
        })
        .check("what an agent prints cannot steer the terminal", |seen| {
            says(&seen.escapes, &["red", "gone"])?;
            says_not(&seen.escapes, &["\u{1b}", "\u{7}", "evil"])
        })
        .check("a list holds every job", |seen| is(&seen.list.len(), 2))
        .check("--version says the version", |seen| {
            is(&seen.version.stdout.trim(), concat!("fleet ", env!("CARGO_PKG_VERSION")))
        })
        .told()
}

struct Shells {
    bash: Option<Output>,
    script: String,
    help: Output,
    topics: Vec<(String, i32)>,
    man: Output,
}

fn see_shells(world: &World) -> Result<Shells, Stop> {
    let script = world.run(&["completions", "bash"])?.done()?.stdout;
    let path = world.write("../fleet.bash", &script)?;
    let bash = world.program("bash", &["-n", &path.to_string_lossy()]).run().ok();
    let topics = ["exit-codes", "environment", "json", "task-file", "cron"];
    let topics = topics.map(|topic| Ok((topic.to_owned(), world.run(&["help", topic])?.code)));
    Ok(Shells {
        bash,
        script,
        help: world.run(&["--help"])?,
        topics: topics.into_iter().collect::<Result<_, Stop>>()?,
        man: world.run(&["man"])?,
    })
}

fn shells() -> Box<dyn Scenario> {
    story("shell", see_shells)
        .check("bash accepts the completions", |seen| match &seen.bash {
            Some(output) => is(&output.code, 0),
            None => Err(Miss::Skip("there is no bash here".to_owned())),
        })
        .check("completions know verbs and flags", |seen| {
            says(&seen.script, &["submit", "request-changes", "--dry-run", "--once"])
        })
        .check("help lists what one needs first", |seen| {
            is(&seen.help.code, 0)?;
            says(&seen.help.stdout, &["submit", "run", "status", "ship", "selftest"])
        })
        .check("each topic of the help is there", |seen| {
            is(&seen.topics.iter().find(|(_, code)| *code != 0), None::<&(String, i32)>)
        })
        .check("the manual page is one", |seen| says(&seen.man.stdout, &[".TH", ".SH"]))
        .told()
}

struct Configuration {
    wrong: Output,
    blocked: Output,
    odd: Output,
    origins: Output,
    flag: Value,
    init: [Output; 2],
    template: Output,
}

const WRONG: &str = "product = \"x\"\n[worker]\nmax = 0\nmemory = \"lots\"\n[coordinator]\nlease-ttl = \"soon\"\n";

fn see_configuration(world: &World) -> Result<Configuration, Stop> {
    world.write("fleet.toml", WRONG)?;
    let (wrong, blocked) = (world.run(&["config", "validate"])?, world.run(&["status"])?);
    world.write("fleet.toml", "[worker]\nmaks = 2\nmax = 3\n")?;
    let odd = world.run(&["config", "validate"])?;
    let origins = world.fleet(&["config", "show", "--origin"]).env("FLEET_LEASE_TTL", "30s").run()?;
    let shown =
        world.fleet(&["config", "show", "--json", "--set", "worker.max=4"]).env("FLEET_WORKER_MAX", "9").run()?;
    let settings = shown.json()?["settings"].as_array().cloned().unwrap_or_default();
    let flag = settings.into_iter().find(|setting| setting["key"] == "worker.max").unwrap_or_default();
    std::fs::remove_file(world.repo().join("fleet.toml")).map_err(|error| Stop::because(error.to_string()))?;
    let init = [world.run(&["init"])?, world.run(&["init"])?];
    Ok(Configuration { wrong, blocked, odd, origins, flag, init, template: world.run(&["config", "validate"])? })
}

fn configuration() -> Box<dyn Scenario> {
    story("config", see_configuration)
        .check("every mistake is told at once, with file, line and column", |seen| {
            is(&seen.wrong.code, 2)?;
            let mistakes = ["fleet.toml:3:7", "worker.max", "fleet.toml:4:10", "lots", "fleet.toml:6:13", "soon"];
            says(&seen.wrong.stderr, &mistakes)
        })
        .check("no verb works with a wrong configuration", |seen| {
            is(&seen.blocked.code, 2)?;
            is(&seen.blocked.stdout, "")
        })
        .check("an unknown key is warned about with the nearest name", |seen| {
            is(&seen.odd.code, 0)?;
            says(&seen.odd.stderr, &["maks", "max"])
        })
        .check("each value says where it comes from: file and line, variable, default", |seen| {
            says(&seen.origins.stdout, &["fleet.toml:3", "FLEET_LEASE_TTL", "default"])
        })
        .check("a flag wins over a variable, and a variable over the file", |seen| is(&seen.flag["value"], 4))
        .check("init makes a valid configuration, and a second time changes nothing", |seen| {
            is(&[seen.init[0].code, seen.init[1].code], [0, 0])?;
            is(&seen.template.code, 0)
        })
        .told()
}

struct Nothing(Vec<(String, i32, Vec<String>)>);

fn see_nothing(world: &World) -> Result<Nothing, Stop> {
    let verbs: [&[&str]; 9] = [
        &["--help"],
        &["config", "show"],
        &["config", "validate"],
        &["profile", "list"],
        &["completions", "bash"],
        &["help", "json"],
        &["jobs"],
        &["show", "none"],
        &["explain", "none"],
    ];
    let mut seen = Vec::new();
    for verb in verbs {
        let output = world.run(verb)?;
        let made = [".fleet", "tasks", "fleet.toml"].into_iter().filter(|name| world.repo().join(name).exists());
        seen.push((output.shown, output.code, made.map(str::to_owned).collect()));
        for made in [".fleet", "tasks"] {
            // Not there is what is hoped for.
            let _ = std::fs::remove_dir_all(world.repo().join(made));
        }
    }
    Ok(Nothing(seen))
}

fn nothing() -> Box<dyn Scenario> {
    story("traces", see_nothing)
        .check("verbs that show program and configuration make no file", |Nothing(seen)| {
            is(&seen[..6].iter().find(|(.., made)| !made.is_empty()), None::<&(String, i32, Vec<String>)>)
        })
        .check("verbs that read jobs make no file where there is no fleet", |Nothing(seen)| {
            is(&seen[6..].iter().find(|(.., made)| !made.is_empty()), None::<&(String, i32, Vec<String>)>)
        })
        .told()
}
