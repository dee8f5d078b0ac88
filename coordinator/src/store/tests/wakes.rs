//! Who waits for a change hears of it.

use std::time::{Duration, Instant};

use tokio::time::Instant as Moment;

use super::fixture::{PRODUCT, another, claim, id, on_file, submit};
use crate::store::Extension;

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_change_of_any_process_wakes_all_who_wait() {
    let kept = on_file();
    let other = another(&kept.folder);
    for (number, maker) in [(1, &kept.store), (2, &other)] {
        let version = kept.store.version().unwrap();
        let start = Instant::now();
        let waiters = (0..50).map(|_| kept.store.version_above(version, Moment::now() + LONG));
        let (woken, _) = tokio::join!(futures_util::future::join_all(waiters), submit(maker, number));
        assert!(woken.into_iter().all(|outcome| outcome.is_ok()));
        assert!(kept.store.version().unwrap() > version);
        assert!(start.elapsed() < LONG / 2, "they were not woken, they timed out");
    }
}

#[tokio::test]
async fn a_change_that_came_before_the_waiting_is_not_missed() {
    let kept = on_file();
    let other = another(&kept.folder);
    let version = kept.store.version().unwrap();
    submit(&other, 1).await;
    let start = Instant::now();
    kept.store.version_above(version, Moment::now() + LONG).await.unwrap();
    assert!(start.elapsed() < LONG / 2, "it timed out");
}

#[tokio::test]
async fn a_heartbeat_wakes_nobody() {
    let kept = on_file();
    submit(&kept.store, 1).await;
    let job = claim(&kept.store, 1).await.unwrap();
    let version = kept.store.version().unwrap();
    let seen = job.lease.unwrap().expires_at;
    let extension = Extension { product: PRODUCT.to_owned(), id: id(1), rev: job.rev, seen, expires_at: seen };
    kept.store.lease_extend(extension).await.unwrap();
    assert_eq!(kept.store.version().unwrap(), version);
}
