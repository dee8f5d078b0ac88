//! A task becomes proven work on a branch, a person decides, and it lands in its base.

use serde_json::{Value, json};

use crate::selftest::{
    call::Output,
    expect::{holds, in_order, is, is_not, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![through(), review(), approvals(), follow()]
}

struct Through {
    queued: Value,
    file_queued: Vec<String>,
    job: Value,
    run: Value,
    file_proven: Vec<String>,
    shown: String,
    commits: String,
    message: String,
    diff: Output,
    own_diff: String,
    history: Vec<String>,
    stage_moves: bool,
    place: String,
    log: String,
    shipped: Value,
    done: String,
    again: Output,
    heads: [String; 2],
    id: String,
}

fn see_through(world: &World) -> Result<Through, Stop> {
    let steps = "say working\nusage {\"inputTokens\": 100, \"cachedInputTokens\": 40, \"outputTokens\": 20, \"costUsd\": 0.25}\n\
        FLEET_USAGE this is no object\nrun pwd > place.txt\nwrite done.txt yes";
    let id = world.submit(&task("say-yes").checked().does(steps))?;
    let (queued, file_queued) = (world.job(&id)?, world.list("tasks/inbox"));
    world.run_once()?;
    let job = world.job(&id)?;
    let branch = word(&job["branch"]);
    let events = world.events(&id)?;
    let (run, file_proven) = (world.runs(&id)?.into_iter().next().unwrap_or_default(), world.list("tasks/testing"));
    let diff = world.run(&["diff", &id])?;
    let own_diff = world.git(&["diff", &format!("main...{branch}")])?;
    let log = world.log(&id, "stdout")?;
    world.run(&["ship", &id])?.done()?;
    let head = world.git(&["rev-parse", "HEAD"])?;
    let again = world.run(&["ship", &id])?;
    Ok(Through {
        queued,
        file_queued,
        shown: world.file_at(&branch, "done.txt")?,
        place: world.file_at(&branch, "place.txt")?,
        commits: world.git(&["rev-parse", &branch])?,
        message: world.git(&["log", "-1", "--format=%B", &branch])?,
        job,
        run,
        file_proven,
        diff,
        own_diff,
        history: events.iter().map(|event| word(&event["type"])).collect(),
        stage_moves: events.windows(2).all(|pair| pair[1]["stageFrom"] == pair[0]["stageTo"]),
        log,
        shipped: world.job(&id)?,
        done: world.read("done.txt"),
        again,
        heads: [head, world.git(&["rev-parse", "HEAD"])?],
        id,
    })
}

fn through() -> Box<dyn Scenario> {
    story("run", see_through)
        .check("a submitted job is queued, its file in inbox", |seen| {
            is(&seen.queued["stage"], "queued")?;
            is(&seen.file_queued, vec!["say-yes.md".to_owned()])
        })
        .check("a real process worked on it, in a private clone", |seen| {
            says(&seen.place, &["/.fleet/work/", &seen.id])?;
            is(&seen.run["exitCode"], 0)?;
            holds(seen.run["startedAt"].is_string() && seen.run["endedAt"].is_string(), || seen.run.to_string())
        })
        .check("passing its check brings it to testing, file and all", |seen| {
            is(&seen.job["stage"], "testing")?;
            is(&seen.job["result"], "ok")?;
            is(&seen.file_proven, vec!["say-yes.md".to_owned()])
        })
        .check("the work is on the job's own branch", |seen| {
            is(&seen.job["branch"], format!("fleet/{}-say-yes", seen.id).as_str())?;
            is(&seen.shown, "yes\n")?;
            is(&seen.job["headCommit"], seen.commits.as_str())
        })
        .check("what the agent did not commit is committed with the job's name", |seen| {
            says(&seen.message, &[&seen.id])
        })
        .check("the history tells each step once, and no stage is skipped", |seen| {
            let steps = ["submitted", "claimed", "started", "verify_passed"];
            in_order(&seen.history, &steps)?;
            is(&seen.history.iter().filter(|seen| steps.contains(&seen.as_str())).count(), 4)?;
            is(&seen.stage_moves, true)
        })
        .check("diff shows what git shows", |seen| {
            is(&seen.job["diff"]["files"], 2)?;
            is(&seen.diff.stdout.trim_end(), seen.own_diff.trim_end())
        })
        .check("the agent's output is kept", |seen| says(&seen.log, &["working"]))
        .check("ship: the work is in the base and the checkout follows", |seen| {
            is(&seen.shipped["stage"], "shipped")?;
            is(&seen.done, "yes\n")
        })
        .check("ship: doing it again changes nothing", |seen| {
            is(&seen.again.code, 0)?;
            is(&seen.heads[0], seen.heads[1].as_str())
        })
        .check("evidence: commits, check and cleanliness are those of this run", |seen| {
            let evidence = &seen.run["evidence"];
            is(&evidence["commits"], json!([seen.commits]))?;
            is(&evidence["verify"]["exitCode"], 0)?;
            is(&evidence["verify"]["command"], "./check.sh")?;
            is(&evidence["clean"], true)
        })
        .check("insights: usage is what the agent reported, and counts as measured", |seen| {
            let expected = json!({"inputTokens": 100, "cachedInputTokens": 40, "outputTokens": 20, "costUsd": 0.25,
                "turns": null, "basis": "measured"});
            is(&seen.run["usage"], expected.clone())?;
            is(&seen.job["usage"], expected)
        })
        .check("insights: a malformed marker is only a line of the log", |seen| {
            says(&seen.log, &["FLEET_USAGE this is no object"])?;
            is(&seen.run["usage"]["inputTokens"], 100)
        })
        .check("insights: each run says how long its agent took", |seen| {
            holds(seen.run["insights"]["agentMs"].as_u64().is_some(), || seen.run["insights"].to_string())
        })
        .told()
}

struct Review {
    first: Value,
    file: Vec<String>,
    changes: Value,
    second: Value,
    note: String,
    attempts: [Value; 2],
    approved: Value,
    shipped: String,
}

fn see_review(world: &World) -> Result<Review, Stop> {
    let id = world.submit(
        &task("noted")
            .checked()
            .with("review-policy: manual")
            .in_run(1, "write done.txt yes")
            .in_run(2, "expect please add a note\nrun test -f done.txt\nwrite note.txt noted"),
    )?;
    world.run_once()?;
    let (first, file) = (world.job(&id)?, world.list("tasks/review"));
    world.run(&["request-changes", &id, "--reason", "please add a note"])?.done()?;
    let changes = world.job(&id)?;
    world.run_once()?;
    let second = world.job(&id)?;
    world.run(&["approve", &id])?.done()?;
    let approved = world.job(&id)?;
    world.run(&["ship", &id])?.done()?;
    Ok(Review {
        attempts: [first["attempts"].clone(), changes["attempts"].clone()],
        note: world.file_at(&word(&second["branch"]), "note.txt")?,
        first,
        file,
        changes,
        second,
        approved,
        shipped: world.read("note.txt"),
    })
}

fn review() -> Box<dyn Scenario> {
    story("review", see_review)
        .check("review-policy manual waits for a person, file in review", |seen| {
            is(&seen.first["stage"], "review")?;
            is(&seen.file, vec!["noted.md".to_owned()])
        })
        .check("request-changes queues the job again and costs no attempt", |seen| {
            is(&seen.changes["stage"], "queued")?;
            is(&json!(seen.attempts), json!([1, 0]))
        })
        .check("what the reviewer wants reaches the next run, which goes on from the work", |seen| {
            is(&seen.second["stage"], "review")?;
            is(&seen.second["result"], "ok")?;
            is(&seen.note, "noted\n")
        })
        .check("approve brings it to testing", |seen| is(&seen.approved["stage"], "testing"))
        .check("what was approved is what ships", |seen| is(&seen.shipped, "noted\n"))
        .told()
}

struct Approvals {
    rejected: Value,
    reason: String,
    branch: String,
    bare: Value,
    promoted: Value,
    requeued: Value,
}

fn see_approvals(world: &World) -> Result<Approvals, Stop> {
    let no = world.submit(&task("no").checked().does("write done.txt yes"))?;
    let bare = world.submit(&task("bare").does("write a.txt a"))?;
    world.run_once()?;
    let waits = world.job(&bare)?;
    world.run(&["reject", &no, "--reason", "not like this"])?.done()?;
    world.run(&["promote", &bare])?.done()?;
    let (rejected, reason) = (world.job(&no)?, world.run(&["show", &no])?.stdout);
    let branch = world.git(&["branch", "--list", "fleet/*"])?;
    world.run(&["requeue", &no])?.done()?;
    Ok(Approvals { rejected, reason, branch, bare: waits, promoted: world.job(&bare)?, requeued: world.job(&no)? })
}

fn approvals() -> Box<dyn Scenario> {
    story("review", see_approvals)
        .check("without a check a job waits in review, whatever the agent says", |seen| {
            is(&seen.bare["stage"], "review")
        })
        .check("promote moves it one stage on", |seen| is(&seen.promoted["stage"], "testing"))
        .check("reject ends it as rejected, with the reason, and keeps its branch", |seen| {
            is(&seen.rejected["result"], "rejected")?;
            says(&seen.reason, &["not like this"])?;
            says(&seen.branch, &[&word(&seen.rejected["id"])])
        })
        .check("a rejected job can be requeued", |seen| is(&seen.requeued["stage"], "queued"))
        .told()
}

struct Follow {
    foreground: Output,
    code: i32,
    job: Value,
    aside: String,
    head: [String; 2],
}

fn see_follow(world: &World) -> Result<Follow, Stop> {
    let path = world.task_file("now", task("now").checked().does("say hello from here\nwrite done.txt yes").text())?;
    let foreground = world.run(&["run", &path])?;
    let id = word(&world.jobs()?.first().cloned().unwrap_or_default()["id"]);
    world.git(&["checkout", "-q", "-b", "elsewhere"])?;
    let head = world.git(&["rev-parse", "HEAD"])?;
    world.run(&["ship", &id])?.done()?;
    Ok(Follow {
        code: foreground.code,
        foreground,
        job: world.job(&id)?,
        aside: world.file_at("main", "done.txt")?,
        head: [head, world.git(&["rev-parse", "HEAD"])?],
    })
}

fn follow() -> Box<dyn Scenario> {
    story("run", see_follow)
        .check("run FILE works in the foreground and shows what the agent says", |seen| {
            is(&seen.code, 0)?;
            says(&seen.foreground.stdout, &["hello from here"])
        })
        .check("ship: a base that is not checked out is merged aside", |seen| {
            is(&seen.job["stage"], "shipped")?;
            is(&seen.aside, "yes\n")?;
            is(&seen.head[0], seen.head[1].as_str())?;
            is_not(&seen.job["headCommit"], json!(null))
        })
        .told()
}
