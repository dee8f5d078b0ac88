//! Leases: who holds a job, for how long, and what the word of a former holder counts. Two factories and a clock that stands still,
//! on a coordinator in this process.

use std::{path::PathBuf, sync::Arc};

use fleet_coordinator::{Coordinator, FileClock, Grace, Options};
use fleet_protocol::{
    ErrorCode, Job, Problem, Stage,
    api::{ClaimRequest, Claimed, LeaseName, LogPlace, LogStream, LogsQuery, PatchJob, RenewManyRequest, SubmitQuery},
};

use crate::{
    client::{ClaimAnswer, Client},
    selftest::{
        expect::is,
        story::{Scenario, Stop, story},
        world::World,
    },
};

pub(super) fn stories() -> Vec<Box<dyn Scenario>> {
    vec![leases()]
}

struct Seen {
    first: Claimed,
    repeated: Claimed,
    other: bool,
    before_expiry: Job,
    after_expiry: Job,
    stale: Result<Job, Problem>,
    future: Result<Job, Problem>,
    second: Claimed,
    untouched: Job,
    renewed: Vec<Option<ErrorCode>>,
    log: String,
    may_start: Job,
    never_started: Job,
    own_stale: Result<Job, Problem>,
    own: Result<Job, Problem>,
}

fn see(world: &World) -> Result<Seen, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::because(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(play(world)).map_err(|stop| match stop {
        Trouble::Stop(stop) => stop,
        Trouble::Problem(problem) => Stop::because(problem.to_string()),
    })
}

enum Trouble {
    Stop(Stop),
    Problem(Problem),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn set_clock(world: &World, time: &str) -> Result<PathBuf, Stop> {
    world.write("../clock", format!("2030-05-01T{time}Z\n"))
}

fn open(world: &World) -> Result<Coordinator, Stop> {
    let broken = |error: &dyn std::error::Error| Stop::because(error.to_string());
    let clock = FileClock::open(set_clock(world, "10:00:00")?).map_err(|error| broken(&error))?;
    let options = Options { grace: Grace::None, ..Options::default() };
    let randomness = Arc::new(|| getrandom::u64().expect("the system gives randomness"));
    let state = world.folder().join("coordinator");
    Coordinator::open(&state, options, Arc::new(clock), randomness).map_err(|error| broken(&error))
}

fn asking(factory: &str) -> ClaimRequest {
    ClaimRequest {
        factory_id: factory.to_owned(),
        capabilities: Vec::new(),
        engines: vec!["scripted".to_owned()],
        tags: Vec::new(),
        seats: 1,
        seats_free: 1,
        health: fleet_protocol::api::Health::Ok,
        load: 0.0,
        wait_ms: 0,
        dry_run: false,
        busy_locks: Vec::new(),
        only: None,
        sole: false,
    }
}

async fn claim(client: &Client, factory: &str, key: &str) -> Result<Claimed, Trouble> {
    match client.claim(&asking(factory), key).await? {
        ClaimAnswer::Job(claimed) => Ok(*claimed),
        ClaimAnswer::Nothing(reason) => Err(Stop::because(format!("{factory} got no job: {reason}")).into()),
    }
}

async fn play(world: &World) -> Result<Seen, Trouble> {
    let coordinator = open(world)?;
    let client = |actor: &str| Client::embedded(coordinator.router(), "default", actor);
    let (desk, shed) = (client("factory:desk"), client("factory:shed"));
    let (job, _) =
        client("operator:ann").submit("---\nengine: scripted\n---\n# Leased\n", &SubmitQuery::default()).await?;
    let first = claim(&desk, "desk", "one").await?;
    let repeated = claim(&desk, "desk", "one").await?;
    let other = matches!(shed.claim(&asking("shed"), "two").await?, ClaimAnswer::Job(_));
    let report = |epoch: u64| PatchJob { lease_epoch: epoch, stage: Some(Stage::Building), ..PatchJob::default() };
    desk.patch(&job.id, &report(first.lease.epoch)).await?;
    for (offset, data) in [(0, "one "), (0, "one two"), (7, " three")] {
        let place = LogPlace { lease_epoch: first.lease.epoch, run: 1, stream: LogStream::Stdout, offset };
        desk.append_log(&job.id, &place, data.into()).await?;
    }
    let query = LogsQuery { run: Some(1), stream: Some(LogStream::Stdout), ..LogsQuery::default() };
    let log = desk.logs(&job.id, &query).await?.data;

    set_clock(world, "10:01:29")?;
    Box::pin(coordinator.tick()).await;
    let before_expiry = desk.job(&job.id).await?;
    set_clock(world, "10:01:31")?;
    Box::pin(coordinator.tick()).await;
    let after_expiry = desk.job(&job.id).await?;
    let second = claim(&shed, "shed", "three").await?;
    let stale = desk.patch(&job.id, &report(first.lease.epoch)).await;
    let future = desk.patch(&job.id, &report(second.lease.epoch + 1)).await;
    let untouched = desk.job(&job.id).await?;
    let names = [first.lease.epoch, second.lease.epoch];
    let names = names.map(|lease_epoch| LeaseName { job_id: job.id.clone(), lease_epoch }).to_vec();
    let renewed = shed.renew(&RenewManyRequest { leases: names }).await?.leases;

    // Renewed, so that what takes it back is that it never started.
    for time in ["10:02:30", "10:03:20"] {
        set_clock(world, time)?;
        let name = LeaseName { job_id: job.id.clone(), lease_epoch: second.lease.epoch };
        shed.renew(&RenewManyRequest { leases: vec![name] }).await?;
    }
    Box::pin(coordinator.tick()).await;
    let may_start = desk.job(&job.id).await?;
    set_clock(world, "10:03:32")?;
    Box::pin(coordinator.tick()).await;
    let never_started = desk.job(&job.id).await?;
    let third = claim(&shed, "shed", "four").await?;
    let own_stale = shed.patch(&job.id, &report(second.lease.epoch)).await;
    let own = shed.patch(&job.id, &report(third.lease.epoch)).await;
    Ok(Seen {
        first,
        repeated,
        other,
        before_expiry,
        after_expiry,
        stale,
        future,
        second,
        untouched,
        renewed: renewed.into_iter().map(|lease| lease.error.map(|problem| problem.code)).collect(),
        log,
        may_start,
        never_started,
        own_stale,
        own,
    })
}

fn leases() -> Box<dyn Scenario> {
    story("lease", see)
        .check("claim: one job goes to one factory", |seen| is(&seen.other, false))
        .check("claim: asking again with the same key brings the same lease", |seen| {
            is(&seen.repeated.job.id, seen.first.job.id.clone())?;
            is(&seen.repeated.lease.epoch, seen.first.lease.epoch)
        })
        .check("reap: a lease lives as long as it says, and not longer", |seen| {
            is(&seen.before_expiry.stage, Stage::Building)?;
            is(&seen.after_expiry.stage, Stage::Queued)
        })
        .check("reap: a job whose holder went silent costs no attempt", |seen| is(&seen.after_expiry.attempts, 0))
        .check("reap: a job that never starts goes back, although its lease is renewed", |seen| {
            is(&seen.may_start.stage, Stage::Assigned)?;
            is(&seen.never_started.stage, Stage::Queued)
        })
        .check("fence: the next holder has a higher epoch", |seen| {
            is(&(seen.second.lease.epoch > seen.first.lease.epoch), true)
        })
        .check("fence: the former holder's word is refused and changes nothing", |seen| {
            is(&seen.stale.as_ref().err().map(|problem| problem.code), Some(ErrorCode::Fenced))?;
            is(&seen.untouched.factory.as_deref(), Some("shed"))?;
            is(&seen.untouched.stage, Stage::Assigned)
        })
        .check("fence: of one factory's own two epochs only the newer one counts", |seen| {
            is(&seen.own_stale.as_ref().err().map(|problem| problem.code), Some(ErrorCode::Fenced))?;
            is(&seen.own.as_ref().ok().map(|job| job.stage), Some(Stage::Building))
        })
        .check("fence: an epoch of the future is refused", |seen| {
            is(&seen.future.as_ref().err().map(|problem| problem.code), Some(ErrorCode::InvalidEpoch))
        })
        .check("renew: of several leases each is judged alone", |seen| {
            is(&seen.renewed, vec![Some(ErrorCode::Fenced), None])
        })
        .check("logs: what overlaps is stored once", |seen| is(&seen.log, "one two three"))
        .told()
}
