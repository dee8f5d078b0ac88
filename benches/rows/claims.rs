//! Claims: how fast, how much is won by writing them together, and whether depth or a blocked head slows them.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use fleet_coordinator::{
    Clock, SystemClock,
    lifecycle::{self, Input},
    store::{Commit, Place, Store},
};
use fleet_protocol::{Span, Stage, api::JobsQuery};

use super::{
    bare::{self, Loop, Write},
    desk::{CLIENTS, Desk, all, share},
    lab::Lab,
    report::{Goal, Row},
    rounds::{Samples, against, in_turns},
};

/// G1, G2, G3: through the writer, through the router, against the bare loop and against single commits.
pub(crate) fn throughput(lab: &Lab) -> Vec<Row> {
    let each = lab.of(4_096, 512);
    let single = lab.of(512, 64);
    let needed = each * (lab.rounds() + 1);
    let folders = ["writer", "router", "loop", "single"].map(|name| lab.folder(&format!("claims-{name}")));
    let [writer, router, looped, alone] = &folders;
    lab.runtime.block_on(async {
        for folder in [writer, router, looped] {
            bare::prepare(folder, needed).await;
        }
        bare::prepare(alone, single * (lab.rounds() + 1)).await;
    });
    let store = Arc::new(Store::open(Place::File(writer.join("fleet.db"))).expect("the store opens"));
    let desk = Desk::open(router);
    let group = Loop::start(looped);
    let conn = bare::open(alone);

    let mut seen = in_turns(
        lab.rounds(),
        &mut [
            &mut || lab.runtime.block_on(by_writer(&store, each)),
            &mut || lab.runtime.block_on(by_router(&desk, each)),
            &mut || lab.runtime.block_on(by_loop(&group, each)),
            &mut || one_by_one(&conn, single),
        ],
    )
    .into_iter();
    let mut next = || seen.next().expect("one list for each turn");
    let (writer, router, group, single) = (next(), next(), next(), next());
    let row = |name, measured, against, goal, samples| Row { name, measured, against, unit: "claims/s", goal, samples };
    vec![
        row(
            "claim-writer (G1)",
            "durable claims of 64 clients, decided beforehand, through the store's writer",
            "a bare group-commit loop with 64 clients on the same schema",
            Goal::Least(0.85),
            Samples::of(&writer, &group),
        ),
        row(
            "claim-router (G2)",
            "durable claims of 64 clients through the router, in this process",
            "the same bare loop",
            Goal::Least(0.7),
            Samples::of(&router, &group),
        ),
        row(
            "batching (G3)",
            "durable claims of 64 clients through the store's writer",
            "bare claims, one commit each",
            Goal::Least(35.0),
            Samples::of(&writer, &single),
        ),
        row(
            "batching, bare loop",
            "the bare loop, for comparison with G3: what this disk has to give",
            "bare claims, one commit each",
            Goal::Least(35.0),
            Samples::of(&group, &single),
        ),
    ]
}

/// G8: a deep queue is claimed from as fast as a shallow one.
pub(crate) fn depth(lab: &Lab) -> Vec<Row> {
    let each = lab.of(2_048, 256);
    let claimed = each * (lab.rounds() + 1);
    let (deep, shallow) = (Desk::open(&lab.folder("deep")), Desk::open(&lab.folder("shallow")));
    lab.runtime.block_on(async {
        deep.fill(lab.of(50_000, 5_000) + claimed, "").await;
        shallow.fill(1_000 + each, "").await;
    });
    let samples = against(lab.rounds(), &mut || lab.runtime.block_on(by_router(&deep, each)), &mut || {
        lab.runtime.block_on(async {
            let rate = by_router(&shallow, each).await;
            shallow.fill(each, "").await;
            rate
        })
    });
    vec![Row {
        name: "depth (G8)",
        measured: "claims/s of 64 clients with 50,000 jobs queued (smoke: 5,000)",
        against: "the same with 1,000 queued",
        unit: "claims/s",
        goal: Goal::Least(0.9),
        samples,
    }]
}

/// G9: jobs that cannot run do not stand in the way of those that can.
pub(crate) fn blocked_head(lab: &Lab) -> Vec<Row> {
    let unrunnable = lab.of(10_000, 1_000);
    let row = |name, measured, samples| Row {
        name,
        measured,
        against: "the same without them",
        unit: "claims/s",
        goal: Goal::Least(0.9),
        samples,
    };
    let (many, few) = (lab.of(1_024, 128), lab.of(64, 32));
    let lacking = head(lab, ("capability", "capabilities: [gpu]\n"), unrunnable, many);
    // Few, for they are slow.
    let locked = head(lab, ("lock", "lock: database\n"), unrunnable, few);
    vec![
        row("head, capability (G9)", "claims/s with 10,000 older jobs that nobody can run (smoke: 1,000)", lacking),
        row("head, lock (G9)", "claims/s with 10,000 older jobs that wait for one busy lock (smoke: 1,000)", locked),
    ]
}

fn head(lab: &Lab, (name, front): (&str, &'static str), unrunnable: usize, each: usize) -> Samples {
    let of_clean = lab.of(1_024, 128);
    let blocked = Desk::open(&lab.folder(&format!("blocked-{name}")));
    let clean = Desk::open(&lab.folder(&format!("clean-{name}")));
    lab.runtime.block_on(async {
        blocked.fill(unrunnable, front).await;
        for (desk, each) in [(&blocked, each), (&clean, of_clean)] {
            desk.fill(each * (lab.rounds() + 1) + 1, "").await;
            // Takes the lock, where there is one.
            desk.claim("first").await;
        }
    });
    against(lab.rounds(), &mut || lab.runtime.block_on(by_router(&blocked, each)), &mut || {
        lab.runtime.block_on(by_router(&clean, of_clean))
    })
}

fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

async fn by_router(desk: &Desk, count: usize) -> f64 {
    let start = Instant::now();
    let claimed = desk.claim_by_all(count).await;
    assert_eq!(claimed.len(), count);
    rate(count, start.elapsed())
}

async fn by_writer(store: &Arc<Store>, count: usize) -> f64 {
    let mut commits = decided(store, count).into_iter();
    let mut work = Vec::new();
    for client in 0..CLIENTS {
        work.push(commits.by_ref().take(share(count, CLIENTS, client)).collect::<Vec<_>>());
    }
    let start = Instant::now();
    let clients = work.into_iter().map(|commits| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for commit in commits {
                store.job_commit(Box::new(commit)).await.expect("nobody else takes the job");
            }
        })
    });
    all(clients).await;
    rate(count, start.elapsed())
}

/// The claims of the next `count` jobs.
fn decided(store: &Store, count: usize) -> Vec<Commit> {
    let limit = u32::try_from(count).expect("a number of jobs");
    let query = JobsQuery { stage: Some(Stage::Queued), ..JobsQuery::default() };
    let jobs = store.jobs_page("default", &query, 0, limit).expect("jobs are listed").items;
    assert_eq!(jobs.len(), count);
    let now = SystemClock.now();
    jobs.into_iter()
        .enumerate()
        .map(|(number, job)| {
            let factory = format!("factory-{}", number % CLIENTS);
            let input = Input::Claim { factory, ttl: Span::from_secs(90) };
            let step = lifecycle::step(&job, None, &input, now).expect("a queued job can be claimed");
            let mut commit = Commit::of(&job, step, now);
            let grant = commit.lease.granted.as_mut().expect("a claim grants a lease");
            grant.seats = Some(100_000);
            grant.asked = Some((format!("key-{}", job.id), "h".repeat(64)));
            *commit
        })
        .collect()
}

async fn by_loop(group: &Loop, count: usize) -> f64 {
    let start = Instant::now();
    let round = getrandom::u64().expect("the system gives randomness");
    let claim = move |client, number| Write::Claim {
        factory: format!("factory-{client}"),
        key: format!("{round}-{client}-{number}"),
    };
    group.write_by(CLIENTS, count, claim).await;
    rate(count, start.elapsed())
}

fn one_by_one(conn: &rusqlite::Connection, count: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        let key = format!("{}", getrandom::u64().expect("the system gives randomness"));
        bare::one(conn, &Write::Claim { factory: "factory".to_owned(), key });
    }
    rate(count, start.elapsed())
}

/// A database for single bare claims, with so many jobs to claim.
pub(crate) fn prepared(lab: &Lab, folder: &Path, count: usize) -> rusqlite::Connection {
    lab.runtime.block_on(bare::prepare(folder, count));
    bare::open(folder)
}
