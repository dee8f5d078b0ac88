//! Jobs and changes of them, by the rules of the lifecycle.

use fleet_protocol::{Job, JobId, Manifest, Span, job::Trigger};
use jiff::Timestamp;

use crate::{
    lifecycle::{self, Input, NewJob, Step},
    store::{Commit, CommitError, Content, Expect, LeaseChange, Place, Store, Urgency},
};

pub(super) const PRODUCT: &str = "p";

/// A store and what it lies on.
pub(in crate::store) struct Kept {
    pub(in crate::store) store: Store,
    pub(in crate::store) folder: tempfile::TempDir,
}

pub(in crate::store) fn on_file() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    Kept { store: another(&folder), folder }
}

/// One more store on the same file, as another process has it.
pub(in crate::store) fn another(folder: &tempfile::TempDir) -> Store {
    Store::open(Place::File(folder.path().join("fleet.db"))).unwrap()
}

pub(in crate::store) fn now() -> Timestamp {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

pub(in crate::store) fn id(number: u64) -> JobId {
    JobId::from_random(number)
}

/// The submission of job `number`.
pub(in crate::store) fn newcomer(number: u64, manifest: Manifest) -> Box<Commit> {
    let new = NewJob {
        id: id(number),
        title: format!("job {number}"),
        product: PRODUCT.to_owned(),
        file: format!("job-{number}.md"),
        manifest,
        profile: None,
        parent_id: None,
        repo: None,
        trigger: Trigger::Manual,
    };
    let step = lifecycle::admit(new, Vec::new(), now(), "operator:ann");
    Box::new(Commit {
        expect: Expect::New,
        job: step.job,
        run: None,
        events: step.events,
        at: now(),
        lease: LeaseChange::default(),
        urgency: Urgency::Submit,
        content: Some(Content {
            source: "x".to_owned(),
            body: "x".to_owned(),
            fingerprint: "f".to_owned(),
            profile: None,
            linked: true,
        }),
        answer: None,
    })
}

pub(in crate::store) async fn submit(store: &Store, number: u64) -> Job {
    *store.job_commit(newcomer(number, Manifest::default())).await.unwrap()
}

pub(in crate::store) fn step(store: &Store, number: u64, input: &Input) -> (Job, Step) {
    let snapshot = store.job_load(PRODUCT, &id(number)).unwrap().unwrap();
    let step = lifecycle::step(&snapshot.job, snapshot.run.as_ref(), input, now()).unwrap();
    (snapshot.job, step)
}

/// Loads a job and prepares a change of it.
pub(in crate::store) fn change(store: &Store, number: u64, input: &Input) -> Box<Commit> {
    let (job, step) = step(store, number, input);
    Commit::of(&job, step, now())
}

pub(in crate::store) fn claim_by(factory: &str) -> Input {
    Input::Claim { factory: factory.to_owned(), ttl: Span::from_secs(90) }
}

pub(in crate::store) async fn claim(store: &Store, number: u64) -> Result<Job, CommitError> {
    store.job_commit(change(store, number, &claim_by("f1"))).await.map(|job| *job)
}

/// The numbers of a job's events.
pub(in crate::store) fn seqs(store: &Store, number: u64) -> Vec<u64> {
    store.events_page(PRODUCT, &id(number), 0, 10_000).unwrap().items.iter().map(|event| event.seq).collect()
}

/// A connection of somebody who goes past the store.
pub(in crate::store) fn stranger(folder: &tempfile::TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("fleet.db")).unwrap()
}
