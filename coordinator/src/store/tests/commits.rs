//! Single changes: compared, whole, in order, and kept apart from one another.

use fleet_protocol::{Action, Manifest, lease::LeaseStatus};
use jiff::ToSpan;

use super::fixture::{PRODUCT, change, claim, claim_by, id, newcomer, now, on_file, seqs, step, stranger, submit};
use crate::{
    lifecycle::Input,
    store::{Answer, Commit, CommitError, Expect, Extension},
};

fn act(action: Action) -> Input {
    Input::Act { action, actor: "operator:ann".to_owned(), reason: None, commit: None }
}

#[tokio::test]
async fn a_job_comes_back_as_it_was_committed() {
    let kept = on_file();
    let manifest = Manifest { tags: vec!["a".to_owned()], lock: Some("db".to_owned()), ..Manifest::default() };
    let submitted = kept.store.job_commit(newcomer(1, manifest)).await.unwrap();
    let read = kept.store.job_load(PRODUCT, &id(1)).unwrap().unwrap().job;
    assert_eq!(read, fleet_protocol::Job { actions: Vec::new(), ..*submitted });
    let claimed = claim(&kept.store, 1).await.unwrap();
    let snapshot = kept.store.job_load(PRODUCT, &id(1)).unwrap().unwrap();
    assert_eq!(snapshot.job, fleet_protocol::Job { actions: Vec::new(), ..claimed });
    assert_eq!(snapshot.run.unwrap().number, 1);
}

#[tokio::test]
async fn of_two_changes_of_the_same_state_one_is_made() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    let (first, second) = (change(&kept.store, 1, &claim_by("f1")), change(&kept.store, 1, &claim_by("f2")));
    kept.store.job_commit(first).await.unwrap();
    assert!(matches!(kept.store.job_commit(second).await, Err(CommitError::Conflict)));
    let job = kept.store.job_load(PRODUCT, &id(1)).unwrap().unwrap().job;
    assert_eq!((job.factory.as_deref(), job.rev), (Some("f1"), 2));
    assert_eq!(seqs(&kept.store, 1), [1, 2]);
}

/// The reaper looked, the holder renewed (which raises no `rev`), the reaper leapt.
#[tokio::test]
async fn a_lease_renewed_meanwhile_is_not_reaped() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    let job = claim(&kept.store, 1).await.unwrap();
    let lease = job.lease.clone().unwrap();
    let later = lease.expires_at;
    let snapshot = kept.store.job_load(PRODUCT, &id(1)).unwrap().unwrap();
    let expire = Input::Expire { lease_epoch: 1, expires_at: lease.expires_at };
    let reaped = crate::lifecycle::step(&snapshot.job, snapshot.run.as_ref(), &expire, later).unwrap();
    let renewed = Extension {
        product: PRODUCT.to_owned(),
        id: id(1),
        rev: job.rev,
        seen: lease.expires_at,
        expires_at: lease.expires_at.checked_add(90.seconds()).unwrap(),
    };
    kept.store.lease_extend(renewed.clone()).await.unwrap();
    let outcome = kept.store.job_commit(Commit::of(&snapshot.job, reaped, later)).await;
    assert!(matches!(outcome, Err(CommitError::Conflict)), "{outcome:?}");
    assert_eq!(
        kept.store.job_load(PRODUCT, &id(1)).unwrap().unwrap().job.lease.unwrap().expires_at,
        renewed.expires_at
    );
    assert!(matches!(kept.store.lease_extend(renewed).await, Err(CommitError::Conflict)), "it was renewed already");
}

#[tokio::test]
async fn leases_stay_to_be_looked_at_after_their_end() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    for end in [act(Action::Requeue), act(Action::Stop)] {
        claim(&kept.store, 1).await.unwrap();
        kept.store.job_commit(change(&kept.store, 1, &end)).await.unwrap();
    }
    kept.store.job_commit(change(&kept.store, 1, &act(Action::Release))).await.unwrap();
    claim(&kept.store, 1).await.unwrap();
    let leases = kept.store.leases_list(PRODUCT, &id(1)).unwrap();
    let seen: Vec<_> = leases.iter().map(|lease| lease.status).collect();
    assert_eq!(seen, [LeaseStatus::Fenced, LeaseStatus::Fenced, LeaseStatus::Active]);
    assert!(leases.is_sorted_by(|a, b| a.lease_epoch < b.lease_epoch));
}

#[tokio::test]
async fn a_refused_change_takes_nothing_of_its_batch_with_it() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    let mut stale = change(&kept.store, 1, &act(Action::Hold));
    stale.expect = Expect::Unchanged { rev: 77, lease_expires_at: None };
    // Fails late: job, text and events are written already when the answer's key turns out to be taken.
    let answer = Answer { key: "k".to_owned(), request: "r".to_owned(), status: 201, body: "{}".to_owned() };
    let mut first = newcomer(2, Manifest::default());
    first.answer = Some(answer.clone());
    kept.store.job_commit(first).await.unwrap();
    let mut late = newcomer(3, Manifest::default());
    late.answer = Some(answer);
    let mut twin = newcomer(4, Manifest::default());
    twin.job.file = "job-1.md".to_owned();

    // Handed over at once, and so in one transaction.
    let (good, bad, worse, odd, fine) = tokio::join!(
        kept.store.job_commit(newcomer(5, Manifest::default())),
        kept.store.job_commit(stale),
        kept.store.job_commit(late),
        kept.store.job_commit(twin),
        kept.store.job_commit(newcomer(6, Manifest::default())),
    );
    assert!(good.is_ok() && fine.is_ok());
    assert!(matches!(bad, Err(CommitError::Conflict)), "{bad:?}");
    assert!(matches!(worse, Err(CommitError::AnswerTaken)), "{worse:?}");
    assert!(matches!(odd, Err(CommitError::FileTaken)), "{odd:?}");
    for (number, there) in [(3, false), (4, false), (5, true), (6, true)] {
        assert_eq!(kept.store.job_load(PRODUCT, &id(number)).unwrap().is_some(), there, "job {number}");
    }
    assert_eq!(seqs(&kept.store, 1), [1]);
}

#[tokio::test]
async fn an_answer_is_kept_exactly_when_its_effect_is() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    submit(&kept.store, 2).await;
    let answer = Answer { key: "k".to_owned(), request: "r".to_owned(), status: 200, body: "{}".to_owned() };
    let mut refused = change(&kept.store, 1, &act(Action::Hold));
    refused.expect = Expect::Unchanged { rev: 9, lease_expires_at: None };
    refused.answer = Some(answer.clone());
    kept.store.job_commit(refused).await.unwrap_err();
    assert_eq!(kept.store.answer_load(PRODUCT, "k").unwrap(), None);
    let mut made = change(&kept.store, 1, &act(Action::Hold));
    made.answer = Some(answer.clone());
    kept.store.job_commit(made).await.unwrap();
    assert_eq!(kept.store.answer_load(PRODUCT, "k").unwrap(), Some(answer.clone()));
    let mut again = change(&kept.store, 2, &act(Action::Hold));
    again.answer = Some(answer);
    assert!(matches!(kept.store.job_commit(again).await, Err(CommitError::AnswerTaken)));
    assert!(!kept.store.job_load(PRODUCT, &id(2)).unwrap().unwrap().job.held);
}

#[tokio::test]
async fn the_schema_itself_refuses_two_holders_and_a_holder_without_a_lease() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    submit(&kept.store, 2).await;
    claim(&kept.store, 1).await.unwrap();
    let db = stranger(&kept.folder);
    for sql in [
        "INSERT INTO leases (job, epoch, product, holder, status, claimed_at, expires_at)
         SELECT job, 9, product, 'f2', 'active', 0, 0 FROM leases",
        "UPDATE jobs SET stage = 'building' WHERE lease_status IS NULL",
        "UPDATE jobs SET stage = 'queued' WHERE lease_status = 'active'",
        "UPDATE jobs SET stage = 'flying'",
        "DELETE FROM jobs",
    ] {
        let error = db.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("constraint failed"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn jobs_with_one_lock_are_not_held_together_even_by_two_that_looked_at_once() {
    let kept = on_file();
    let locked = || Manifest { lock: Some("db".to_owned()), ..Manifest::default() };
    kept.store.job_commit(newcomer(1, locked())).await.unwrap();
    kept.store.job_commit(newcomer(2, locked())).await.unwrap();
    let (first, second) = (change(&kept.store, 1, &claim_by("f1")), change(&kept.store, 2, &claim_by("f2")));
    let (first, second) = tokio::join!(kept.store.job_commit(first), kept.store.job_commit(second));
    assert!(first.is_ok());
    assert!(matches!(second, Err(CommitError::LockTaken)), "{second:?}");
}

#[tokio::test]
async fn seats_are_counted_where_they_are_taken() {
    let kept = on_file();
    let mut outcomes = Vec::new();
    for number in 1..=3 {
        submit(&kept.store, number).await;
    }
    let claims = (1..=3).map(|number| {
        let (job, step) = step(&kept.store, number, &claim_by("f1"));
        let mut commit = Commit::of(&job, step, now());
        commit.lease.granted.as_mut().unwrap().seats = Some(2);
        kept.store.job_commit(commit)
    });
    outcomes.extend(futures_util::future::join_all(claims).await);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(CommitError::NoSeat))));
}
