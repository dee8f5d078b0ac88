//! Projects: a name for a repository, with what its jobs get that say nothing themselves.

use fleet_protocol::JobId;
use serde_json::Value;

use crate::selftest::{
    call::Output,
    expect::{is, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![projects(), commits()]
}

struct Seen {
    listed: Value,
    preview: Value,
    done: Value,
    branches: String,
    work: String,
    dropped: Value,
    unknown: Output,
    ghost: Output,
}

const CONFIGURATION: &str = "[defaults]
verify = \"false\"
review-policy = \"manual\"
[projects.shop]
repo = \"../shop\"
verify = \"./check.sh\"
review-policy = \"auto\"
[engines.ghost]
command = [\"./no-such-agent\"]
";

fn see(world: &World) -> Result<Seen, Stop> {
    let shop = world.folder().join("shop").to_string_lossy().into_owned();
    world.git(&["clone", "-q", ".", &shop])?;
    world.write("fleet.toml", CONFIGURATION)?;
    let yes = |name: &str| task(name).with("project: shop").does("write done.txt yes\ncommit say yes");
    let preview = world.preview("preview", &yes("preview").with("review-policy: manual").text())?;
    let id = world.submit(&yes("done"))?;
    world.run(&["init"])?.done()?;
    world.write("tasks/inbox/dropped.md", yes("dropped").text())?;
    world.run_once()?;
    let done = world.job(&id)?;
    let jobs = world.jobs()?;
    let unknown = world.task_file("unknown", task("unknown").with("project: shpo").text())?;
    let ghost = world.task_file("ghost", "---\nengine: ghost\nverify: ./no-such-check\n---\n# Ghost\n")?;
    Ok(Seen {
        listed: world.json(&["project", "list"])?,
        preview,
        branches: world.git(&["for-each-ref", "refs/heads/fleet"])?,
        work: world.git(&["-C", &shop, "show", &format!("{}:done.txt", word(&done["branch"]))])?,
        dropped: jobs.into_iter().find(|job| job["file"] == "dropped.md").unwrap_or_default(),
        done,
        unknown: world.run(&["submit", &unknown])?,
        ghost: world.run(&["submit", &ghost])?,
    })
}

fn projects() -> Box<dyn Scenario> {
    story("projects", see)
        .check("the projects of the configuration are listed", |seen| {
            is(&seen.listed["projects"][0]["name"], "shop")?;
            says(&word(&seen.listed["projects"][0]["repo"]), &["/shop"])
        })
        .check("the task wins over its project, and the project over the defaults", |seen| {
            let (m, from) = (&seen.preview["manifest"], &seen.preview["origins"]);
            is(&m["verify"], "./check.sh")?;
            is(&from["verify"], "project")?;
            is(&m["reviewPolicy"], "manual")?;
            is(&from["review-policy"], "job")
        })
        .check("its jobs are worked on in the project's repository and in no other", |seen| {
            is(&seen.done["stage"], "testing")?;
            is(&seen.work, "yes")?;
            is(&seen.branches, "")
        })
        .check("a dropped file that names a project inherits like a submitted one", |seen| {
            is(&seen.dropped["stage"], "testing")?;
            is(&seen.dropped["manifest"]["verify"], "./check.sh")
        })
        .check("an unknown project is refused with the nearest name", |seen| {
            is(&seen.unknown.code, 2)?;
            says(&seen.unknown.stderr, &["shpo", "did you mean `shop`?"])
        })
        .check("a program that is not here is told at submit, with where it was looked for", |seen| {
            is(&seen.ghost.code, 0)?;
            says(&seen.ghost.stderr, &["engine `ghost` is not available", "/no-such-agent", "./no-such-check"])
        })
        .told()
}

struct Messages {
    reworded: Value,
    subjects: String,
    body: String,
    base: String,
    refused: Value,
    kept: String,
}

const CONVENTION: &str = "[defaults]
commits = { pattern = \"^(feat|fix): \", message = \"fix: {subject}\" }
";

fn see_messages(world: &World) -> Result<Messages, Stop> {
    world.write("fleet.toml", CONVENTION)?;
    let work = "write a.txt a\ncommit feat: add a\nwrite done.txt yes\ncommit say yes\nwrite left.txt over";
    let reworded = world.submit(&task("reworded").checked().does(work))?;
    let rule = "commits: { pattern: \"^(feat|fix): \", message: \"fix: {subject}\", otherwise: refuse }";
    let refused = world.submit(&task("refused").checked().with(rule).with("retry: 0").does(work))?;
    world.run_once()?;
    let (reworded, refused) = (world.job(&reworded)?, world.job(&refused)?);
    let branch = word(&reworded["branch"]);
    let log = |format: &str, what: &str| world.git(&["log", "--reverse", &format!("--format={format}"), what]);
    Ok(Messages {
        subjects: log("%s", &format!("main..{branch}"))?,
        body: world.git(&["log", "-1", "--format=%b", &format!("{branch}~1")])?,
        base: log("%s", "main")?,
        kept: log("%s", &format!("main..{}", word(&refused["branch"])))?,
        reworded,
        refused,
    })
}

fn commits() -> Box<dyn Scenario> {
    story("commits", see_messages)
        .check("messages that do not follow the convention are reworded, fleet's own too", |seen| {
            is(&seen.reworded["stage"], "testing")?;
            is(&seen.subjects, "feat: add a\nfix: say yes\nfix: reworded")
        })
        .check("the old message is kept below the new first line", |seen| {
            // Below it stands the job's name, and nothing else.
            let trailer = seen.body.strip_prefix("say yes\n\nFleet-Job: ");
            is(&trailer.is_some_and(|id| id.parse::<JobId>().is_ok()), true)
        })
        .check("commits that were there before are not touched", |seen| is(&seen.base, "first"))
        .check("where the task says refuse, the run fails with the commits at fault, and its work is kept", |seen| {
            is(&seen.refused["stage"], "dead_letter")?;
            says(&word(&seen.refused["message"]), &["say yes", "^(feat|fix): "])?;
            is(&seen.kept, "feat: add a\nsay yes\nfix: refused")
        })
        .told()
}
