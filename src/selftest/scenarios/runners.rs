//! Runners that meet, stop, die and are taken over.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::selftest::{
    call::{Output, Running},
    expect::{holds, in_order, is, is_not, says},
    machine::{is_alive, processes_of},
    story::{Scenario, Stop, story},
    task::task,
    world::{World, word},
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![crowd(), drain(), taken_up(), killed(), acts()]
}

/// Submits a job that writes `half.txt`, says its agent's process id, and goes on when there is a file `go`.
fn submit_waiting(world: &World) -> Result<String, Stop> {
    let (folder, shared) = (world.folder().display(), world.shared());
    let shared = shared.display();
    let wait = format!(
        "run test -f {folder}/go || {{ echo $PPID > {shared}/agent; while ! test -f {folder}/go; do sleep 0.05; done; }}"
    );
    world.submit(&task("slow").checked().does(&format!("write half.txt half\n{wait}\nwrite done.txt yes")))
}

/// Starts a runner, and waits until the agent is half through; its process id.
fn half_through<'w>(world: &'w World) -> Result<(Running<'w>, i32), Stop> {
    let runner = world.fleet(&["run"]).start()?;
    let said = world.until_file(&world.shared().join("agent"))?;
    let agent = said.trim().parse().map_err(|_| Stop::because(format!("`{said}` is no process id")))?;
    Ok((runner, agent))
}

fn go(world: &World) -> Result<(), Stop> {
    world.write("../go", "").map(drop)
}

struct Crowd {
    codes: Vec<i32>,
    jobs: Vec<Value>,
    refusal: String,
}

fn see_crowd(world: &World) -> Result<Crowd, Stop> {
    for number in 0..6 {
        world.submit(
            &task(&format!("job-{number}")).checked().does(&format!("write done.txt yes\nwrite n.txt {number}")),
        )?;
    }
    let runners: Vec<Running<'_>> =
        (0..20).map(|_| world.fleet(&["run", "--once"]).start()).collect::<Result<_, _>>()?;
    let ended: Vec<Output> = runners.into_iter().map(Running::finish).collect::<Result<_, _>>()?;
    // Whoever began after the drain has found nothing; but no job may be left, and none may have run twice.
    world.run_once()?;
    let refused = ended.iter().find(|output| output.code == 7);
    Ok(Crowd {
        codes: ended.iter().map(|output| output.code).collect(),
        refusal: refused.map(|output| output.stderr.clone()).unwrap_or_default(),
        jobs: world.jobs()?,
    })
}

fn crowd() -> Box<dyn Scenario> {
    story("runners", see_crowd)
        .check("of twenty at once, each job is run exactly once", |seen| {
            let runs: Vec<_> = seen.jobs.iter().map(|job| json!([job["stage"], job["runs"]])).collect();
            is(&runs, vec![json!(["testing", 1]); 6])
        })
        .check("the others are refused with exit code 7 and told who runs", |seen| {
            holds(seen.codes.iter().all(|code| [0, 7].contains(code)), || format!("{:?}", seen.codes))?;
            holds(seen.codes.contains(&0) && seen.codes.contains(&7), || format!("{:?}", seen.codes))?;
            says(&seen.refusal, &["already"])
        })
        .told()
}

struct Drain {
    pid: u32,
    second: Output,
    status: Value,
    ended: Output,
    job: Value,
    half: String,
    agent_lives: bool,
    done: Value,
    history: Vec<String>,
    branch: String,
    recovered: String,
}

fn see_drain(world: &World) -> Result<Drain, Stop> {
    let id = submit_waiting(world)?;
    let (runner, agent) = half_through(world)?;
    let (pid, second) = (runner.pid(), world.run(&["run"])?);
    let status = world.json(&["status"])?;
    runner.signal(Signal::SIGTERM)?;
    let ended = runner.finish()?;
    let job = world.job(&id)?;
    let agent_lives = is_alive(agent);
    let branch = world.run(&["recover", &id, "--to", "../rescue"])?.done()?.line()?;
    go(world)?;
    world.run_once()?;
    Ok(Drain {
        pid,
        second,
        status,
        ended,
        half: world.file_at(&word(&job["checkpoint"]["commit"]), "half.txt")?,
        job,
        agent_lives,
        done: world.job(&id)?,
        history: world.history(&id)?,
        branch,
        recovered: world.read("../rescue/half.txt"),
    })
}

fn drain() -> Box<dyn Scenario> {
    story("signals", see_drain)
        .check("a second runner is refused at once and told of the first", |seen| {
            is(&seen.second.code, 7)?;
            says(&seen.second.stderr, &[&seen.pid.to_string()])
        })
        .check("status shows what runs", |seen| {
            is(&seen.status["running"][0]["stage"], "building")?;
            is(&seen.status["counts"]["building"], 1)
        })
        .check("SIGTERM ends the runner with success and its agent with it", |seen| {
            is(&seen.ended.code, 0)?;
            is(&seen.agent_lives, false)
        })
        .check("the job is queued again, its attempt given back", |seen| {
            is(&seen.job["stage"], "queued")?;
            is(&seen.job["attempts"], 0)?;
            is_not(&seen.job["lease"]["status"], "active")
        })
        .check("the work so far is a checkpoint", |seen| is(&seen.half, "half\n"))
        .check("recover JOB makes a branch of the saved work, and a checkout", |seen| {
            says(&seen.branch, &["fleet/recovered/", &word(&seen.job["id"])])?;
            is(&seen.recovered, "half\n")
        })
        .check("the next run goes on from the checkpoint and finishes", |seen| {
            is(&seen.done["stage"], "testing")?;
            in_order(&seen.history, &["started", "preempted", "claimed", "started", "verify_passed"])
        })
        .told()
}

/// Kills a process of this world.
fn end(pid: i32) -> Result<(), Stop> {
    kill(Pid::from_raw(pid), Signal::SIGKILL).map_err(|error| Stop::because(format!("cannot kill {pid}: {error}")))
}

struct TakenUp {
    between: Value,
    left_alone: Output,
    lives: [bool; 2],
    replaced: Output,
    job: Value,
    agents: Vec<String>,
    log: String,
    history: Vec<String>,
}

fn see_taken_up(world: &World) -> Result<TakenUp, Stop> {
    let (folder, shared) = (world.folder().display(), world.shared());
    let shared = shared.display();
    let wait = format!(
        "say begun\nrun echo $PPID >> {shared}/agents; while ! test -f {folder}/go; do echo on; sleep 0.05; done"
    );
    let id = world.submit(&task("long").checked().does(&format!("{wait}\nwrite done.txt yes\nsay ended")))?;
    let runner = world.fleet(&["run"]).start()?;
    let agents = world.shared().join("agents");
    let said = world.until_file(&agents)?;
    let agent: i32 = said.trim().parse().map_err(|_| Stop::because(format!("`{said}` is no process id")))?;
    runner.signal(Signal::SIGKILL)?;
    runner.finish()?;
    let (between, left_alone) = (world.json(&["status"])?, world.run(&["recover"])?.done()?);
    let noted = |times: usize| {
        world.until("the next runner to go on", || {
            let log = world.log(&id, "worker")?;
            Ok((log.matches("another runner goes on").count() == times).then_some(()))
        })
    };
    let second = world.fleet(&["run"]).start()?;
    noted(1)?;
    let lives = is_alive(agent);
    let third = world.fleet(&["run", "--replace"]).start()?;
    let replaced = second.finish()?;
    noted(2)?;
    let lives = [lives, is_alive(agent)];
    go(world)?;
    world.until("the job to be done", || Ok((world.job(&id)?["stage"] == "testing").then_some(())))?;
    third.signal(Signal::SIGTERM)?;
    third.finish()?.done()?;
    let agents = std::fs::read_to_string(&agents).map_err(|error| Stop::because(error.to_string()))?;
    Ok(TakenUp {
        between,
        left_alone,
        lives,
        replaced,
        job: world.job(&id)?,
        agents: agents.lines().map(str::to_owned).collect(),
        log: world.log(&id, "stdout")?,
        history: world.history(&id)?,
    })
}

fn taken_up() -> Box<dyn Scenario> {
    story("adopt", see_taken_up)
        .check("status says that an agent works on without a runner", |seen| {
            says(&seen.between["alerts"].to_string(), &["no_runner", "works on"])
        })
        .check("recover leaves a living agent alone", |seen| is(&seen.left_alone.stdout, ""))
        .check("the agent of a killed runner works on under the next one", |seen| is(&seen.lives, [true, true]))
        .check("a runner that is replaced leaves with success", |seen| is(&seen.replaced.code, 0))
        .check("the job is done by its one run and its one agent", |seen| {
            is(&json!([seen.job["stage"], seen.job["attempts"], seen.job["runs"]]), json!(["testing", 1, 1]))?;
            is(&seen.job["leaseEpoch"], 1)?;
            is(&seen.agents.len(), 1)?;
            in_order(&seen.history, &["claimed", "started", "verify_passed"])
        })
        .check("its log has no gap and nothing twice", |seen| {
            is(&[seen.log.matches("begun\n").count(), seen.log.matches("ended\n").count()], [1, 1])
        })
        .told()
}

struct Killed {
    recovered: Output,
    job: Value,
    again: Output,
    rev: Value,
    agent_lives: bool,
    half: String,
    done: Value,
    left: Vec<String>,
}

fn see_killed(world: &World) -> Result<Killed, Stop> {
    let id = submit_waiting(world)?;
    let (runner, agent) = half_through(world)?;
    runner.signal(Signal::SIGKILL)?;
    runner.finish()?;
    end(agent)?;
    let recovered = world.run(&["recover"])?.done()?;
    let (job, agent_lives) = (world.job(&id)?, is_alive(agent));
    let left = processes_of(&world.repo().join(".fleet")).into_iter().map(|process| process.command).collect();
    let again = world.run(&["recover"])?.done()?;
    let rev = world.job(&id)?["rev"].clone();
    go(world)?;
    world.run_once()?;
    Ok(Killed {
        half: world.file_at(&word(&job["checkpoint"]["commit"]), "half.txt")?,
        recovered,
        job,
        again,
        rev,
        agent_lives,
        done: world.job(&id)?,
        left,
    })
}

fn killed() -> Box<dyn Scenario> {
    story("recover", see_killed)
        .check("the job of a killed runner and a killed agent goes back to the queue, its attempt counted", |seen| {
            is(&seen.recovered.stdout.trim(), word(&seen.job["id"]).as_str())?;
            is(&json!([seen.job["stage"], seen.job["attempts"], seen.job["runs"]]), json!(["queued", 1, 1]))
        })
        .check("nothing that the agent started lives on", |seen| {
            is(&seen.agent_lives, false)?;
            is(&seen.left, Vec::<String>::new())
        })
        .check("its work so far is kept", |seen| is(&seen.half, "half\n"))
        .check("recovering again changes nothing", |seen| {
            is(&seen.again.stdout, "")?;
            is(&seen.rev, seen.job["rev"].clone())
        })
        .check("the next run finishes it", |seen| {
            is(&seen.done["stage"], "testing")?;
            is(&seen.done["attempts"], 2)
        })
        .told()
}

struct Acts {
    epoch: [u64; 2],
    requeued: Value,
    first_run: Value,
    cancelled: Value,
    kept: String,
    runner: Output,
}

fn see_acts(world: &World) -> Result<Acts, Stop> {
    let id = submit_waiting(world)?;
    let (runner, first) = half_through(world)?;
    let before = world.job(&id)?["leaseEpoch"].as_u64().unwrap_or_default();
    let agent = world.shared().join("agent");
    std::fs::remove_file(&agent).map_err(|error| Stop::because(error.to_string()))?;
    world.run(&["requeue", &id])?.done()?;
    world.until("the fenced agent to be gone", || Ok((!is_alive(first)).then_some(())))?;
    let second: i32 = world.until_file(&agent)?.trim().parse().unwrap_or_default();
    let requeued = world.job(&id)?;
    world.run(&["cancel", &id, "--reason", "changed my mind"])?.done()?;
    world.until("the cancelled agent to be gone", || Ok((!is_alive(second)).then_some(())))?;
    let cancelled = world.job(&id)?;
    runner.signal(Signal::SIGINT)?;
    let runner = runner.finish()?;
    world.run(&["recover", &id, "--to", "../rescue"])?.done()?;
    Ok(Acts {
        epoch: [before, requeued["leaseEpoch"].as_u64().unwrap_or_default()],
        first_run: world.runs(&id)?[0].clone(),
        kept: world.read("../rescue/half.txt"),
        requeued,
        cancelled,
        runner,
    })
}

fn acts() -> Box<dyn Scenario> {
    story("fence", see_acts)
        .check("requeueing a running job raises its epoch and ends the holder's agent", |seen| {
            holds(seen.epoch[1] > seen.epoch[0], || format!("{:?}", seen.epoch))?;
            is(&seen.requeued["runs"], 2)
        })
        .check("the fenced run does not decide about the job", |seen| {
            is(&seen.requeued["stage"], "building")?;
            holds(seen.first_run["result"] != "ok", || seen.first_run.to_string())
        })
        .check("cancelling a running job ends its agent and its runs", |seen| {
            is(&json!([seen.cancelled["stage"], seen.cancelled["result"]]), json!(["failed", "cancelled"]))?;
            is(&seen.cancelled["runs"], 2)
        })
        .check("the work of a fenced run is kept", |seen| is(&seen.kept, "half\n"))
        .check("the runner goes on until it is told to end", |seen| is(&seen.runner.code, 0))
        .told()
}
