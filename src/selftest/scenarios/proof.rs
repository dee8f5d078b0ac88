//! Done is proven: what counts as evidence, and agents that only say so.

use serde_json::{Value, json};

use crate::selftest::{
    expect::{Judgement, holds, is, says},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![lies(), verify(), scope()]
}

const LIES: &[(&str, &str)] = &[
    ("nothing", "say All done, every test passes!"),
    ("empty-commit", "run git checkout -q -B work HEAD && git commit -q --allow-empty -m 'the whole feature'"),
    ("ignored", "run mkdir -p build && echo built > build/out.txt\nsay built"),
    ("faked", "write done.txt no\nsay $ ./check.sh\nsay test result: ok. 412 passed; 0 failed\nsay exit code 0"),
    ("elsewhere", "run d=$(mktemp -d) && git init -q \"$d\" && echo yes > \"$d/done.txt\" && rm -rf \"$d\""),
    ("honest", "FLEET_NO_CHANGES {\"reason\": \"it says yes already\"}"),
];

struct Lies(Vec<Value>);

fn see_lies(world: &World) -> Result<Lies, Stop> {
    world.write(".gitignore", "build/\n")?;
    world.write("done.txt", "yes\n")?;
    world.commit("done before")?;
    let ids = LIES.iter().map(|(name, steps)| world.submit(&task(name).checked().does(steps)));
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    world.run_once()?;
    ids.iter().map(|id| world.job(id)).collect::<Result<_, _>>().map(Lies)
}

fn ends(Lies(jobs): &Lies, name: &str, stage: &str, result: &str) -> Judgement {
    let job = LIES.iter().zip(jobs).find(|((lie, _), _)| *lie == name).expect("a lie of this story").1;
    is(&json!([job["stage"], job["result"]]), json!([stage, result]))
}

fn lies() -> Box<dyn Scenario> {
    story("evidence", see_lies)
        .check("an agent that changed nothing does not pass", |seen| ends(seen, "nothing", "review", "no_changes"))
        .check("an empty commit is no change", |seen| ends(seen, "empty-commit", "review", "no_changes"))
        .check("ignored files are no change", |seen| ends(seen, "ignored", "review", "no_changes"))
        .check("printing the output of passing tests proves nothing", |seen| {
            ends(seen, "faked", "failed", "verify_failed")
        })
        .check("work in another folder proves nothing", |seen| ends(seen, "elsewhere", "review", "no_changes"))
        .check("an agent that says why nothing needs to change may pass", |seen| {
            ends(seen, "honest", "testing", "no_changes")
        })
        .told()
}

struct Verify {
    jobs: Vec<Value>,
    log: String,
    took_ms: Option<u64>,
    kept: String,
}

fn see_verify(world: &World) -> Result<Verify, Stop> {
    let cases = [
        ("passes", "verify: test -s new.txt"),
        ("argv", "verify: [test, -s, 'new.txt']"),
        ("fails", "verify: 'echo seventeen failed; exit 17'"),
        ("hangs", "verify: sleep 1000\ntimeout: 2s"),
        ("breaks", "verify: ./no-such-program"),
    ];
    let ids = cases.iter().map(|(name, front)| world.submit(&task(name).with(front).does("write new.txt new")));
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    world.run_once()?;
    let jobs: Vec<Value> = ids.iter().map(|id| world.job(id)).collect::<Result<_, _>>()?;
    let failed = &world.runs(&ids[2])?[0]["evidence"]["verify"];
    let (log, took_ms) =
        (world.log(&ids[2], "verify")?, failed["durationMs"].as_u64().filter(|_| failed["exitCode"] == 17));
    let kept = world.file_at(&word(&jobs[2]["branch"]), "new.txt")?;
    Ok(Verify { jobs, log, took_ms, kept })
}

fn outcome(job: &Value, stage: &str, result: &str) -> Judgement {
    is(&json!([job["stage"], job["result"]]), json!([stage, result]))
}

fn verify() -> Box<dyn Scenario> {
    story("verify", see_verify)
        .check("a check that passes proves the job", |seen| outcome(&seen.jobs[0], "testing", "ok"))
        .check("a list of arguments is called without a shell", |seen| outcome(&seen.jobs[1], "testing", "ok"))
        .check("a check that fails ends the job as verify_failed", |seen| {
            outcome(&seen.jobs[2], "failed", "verify_failed")
        })
        .check("its output, exit code and duration are kept", |seen| {
            says(&seen.log, &["seventeen failed"])?;
            holds(seen.took_ms.is_some(), || "no evidence of an exit code 17 with a duration".to_owned())
        })
        .check("the work of a failed run is kept on its branch", |seen| is(&seen.kept, "new\n"))
        .check("a check that hangs ends with the job's time", |seen| outcome(&seen.jobs[3], "failed", "timeout"))
        .check("a check that is not there fails the job", |seen| outcome(&seen.jobs[4], "failed", "verify_failed"))
        .told()
}

struct Scope {
    enforced: Value,
    /// Branches of the one that broke an enforced scope, when its run had ended.
    branches: String,
    /// What was saved of it.
    kept: String,
    warned: Value,
    inside: Value,
}

fn see_scope(world: &World) -> Result<Scope, Stop> {
    let scoped = |name: &str, mode: &str, steps: &str| {
        let front = format!("verify: 'true'\nallowed-scope: {{paths: [\"src/**\"], mode: {mode}}}");
        world.submit(&task(name).with(&front).does(steps))
    };
    let enforced = scoped("enforced", "enforce", "write src/a.txt a\nwrite secret.txt b")?;
    let warned = scoped("warned", "warn", "write src/a.txt a\nwrite secret.txt b")?;
    let inside = scoped("inside", "enforce", "write src/a.txt a")?;
    world.run_once()?;
    let branches = world.git(&["for-each-ref", "--format=%(refname)", &format!("refs/heads/fleet/{enforced}*")])?;
    let kept = world.file_at(&format!("refs/fleet/wip/{enforced}"), "secret.txt")?;
    Ok(Scope {
        enforced: world.job(&enforced)?,
        branches,
        kept,
        warned: world.job(&warned)?,
        inside: world.job(&inside)?,
    })
}

fn scope() -> Box<dyn Scenario> {
    story("scope", see_scope)
        .check("a change outside of an enforced scope fails the run and is named", |seen| {
            is(&seen.enforced["result"], "scope_violation")?;
            says(&seen.enforced.to_string(), &["secret.txt"])
        })
        .check("it is put on no branch, and kept all the same", |seen| {
            is(&seen.branches, "")?;
            is(&seen.kept, "b\n")
        })
        .check("outside of a scope that warns, it is reported only", |seen| {
            is(&seen.warned["stage"], "testing")?;
            is(&seen.warned["scopeWarning"], json!(["secret.txt"]))
        })
        .check("a change inside passes", |seen| is(&seen.inside["stage"], "testing"))
        .told()
}
