//! The writing thread: its order, its caps, and what it answers when a transaction is lost.

use super::*;
use crate::store::{Answer, tests::fixture::newcomer};

fn request(op: Op) -> Request {
    Request { op, reply: oneshot::channel().0 }
}

fn write(commit: Commit) -> Op {
    Op::commit(Arc::new(commit)).unwrap()
}

fn commit(urgency: Urgency) -> Op {
    write(Commit { urgency, ..*newcomer(1, fleet_protocol::Manifest::default()) })
}

fn work() -> Work {
    let place = Place::memory();
    Work {
        wake: Arc::new(Wake::new(place.clone())),
        place,
        conn: None,
        left: VecDeque::new(),
        last: Last::default(),
        // A slow machine writes as much at once as a quick one.
        time: Duration::MAX,
    }
}

#[test]
fn a_report_that_came_in_time_goes_before_the_reaper() {
    let (sender, receiver) = sync_channel(WAITING);
    for urgency in [Urgency::Reap, Urgency::Submit, Urgency::Claim, Urgency::Report, Urgency::Reap] {
        sender.send(request(commit(urgency))).unwrap();
    }
    let order: Vec<Urgency> = work().gather(&receiver).iter().map(|request| request.op.urgency()).collect();
    assert_eq!(order, [Urgency::Report, Urgency::Claim, Urgency::Submit, Urgency::Reap, Urgency::Reap]);
}

#[test]
fn a_batch_has_an_end() {
    let (sender, receiver) = sync_channel(WAITING);
    for _ in 0..BATCH + 1 {
        sender.send(request(Op::Probe)).unwrap();
    }
    let mut work = work();
    assert_eq!((work.gather(&receiver).len(), work.gather(&receiver).len()), (BATCH, 1));
    let mut large = newcomer(1, fleet_protocol::Manifest::default());
    large.content.as_mut().unwrap().source = "x".repeat(BATCH_BYTES);
    for op in [write(*large), Op::Probe] {
        sender.send(request(op)).unwrap();
    }
    assert_eq!((work.gather(&receiver).len(), work.gather(&receiver).len()), (1, 1));
}

/// The transaction is lost under the batch's hands, as when the disk is full; nothing of it may be answered as done.
#[test]
fn a_lost_transaction_is_answered_as_unknown() {
    let mut work = work();
    let _kept = work.place.prepare().unwrap();
    let conn = work.place.connect(Role::Writer).unwrap();
    // A trigger that undoes everything stands for the disk.
    conn.execute_batch(
        "CREATE TEMP TRIGGER lost AFTER INSERT ON main.texts WHEN new.source = 'bang'
         BEGIN SELECT RAISE(ROLLBACK, 'lost'); END",
    )
    .unwrap();
    work.conn = Some(conn);
    let mut bad = newcomer(2, fleet_protocol::Manifest::default());
    bad.content.as_mut().unwrap().source = "bang".to_owned();
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for op in [newcomer(1, fleet_protocol::Manifest::default()), bad, newcomer(3, fleet_protocol::Manifest::default())]
    {
        let (reply, answer) = oneshot::channel();
        batch.push(Request { op: write(*op), reply });
        answers.push(answer);
    }
    work.write(batch);
    for mut answer in answers {
        let outcome = answer.try_recv().unwrap();
        assert!(matches!(outcome, Err(CommitError::Store(StoreError::Unknown { .. }))), "{outcome:?}");
    }
    let (reply, mut answer) = oneshot::channel();
    let op = write(*newcomer(1, fleet_protocol::Manifest::default()));
    work.write(vec![Request { op, reply }]);
    assert!(matches!(answer.try_recv().unwrap(), Ok(())), "the next batch has a connection of its own");
}

/// The second of three finds out after half of its writes that it must not be.
#[test]
fn a_change_that_fails_halfway_leaves_nothing_and_spoils_no_other() {
    let mut work = work();
    let _kept = work.place.prepare().unwrap();
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for (number, key) in [(1, "one"), (2, "one"), (3, "three")] {
        let mut commit = newcomer(number, fleet_protocol::Manifest::default());
        let request = "r".to_owned();
        commit.answer = Some(Answer { key: key.to_owned(), request, status: 201, body: String::new() });
        let (reply, answer) = oneshot::channel();
        batch.push(Request { op: write(*commit), reply });
        answers.push(answer);
    }
    work.write(batch);
    let outcomes: Vec<Outcome> = answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect();
    assert!(matches!(outcomes[..], [Ok(()), Err(CommitError::AnswerTaken), Ok(())]), "{outcomes:?}");
    let conn = work.conn.unwrap();
    let count = |table: &str| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    for table in ["jobs", "texts", "events", "answers"] {
        assert_eq!(count(table).unwrap(), 2, "{table}");
    }
}
