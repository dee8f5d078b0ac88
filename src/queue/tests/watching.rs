//! The loop that keeps the folder while `fleet run` lives.

use std::{fs, time::Duration};

use fleet_protocol::{Bucket, Stage};
use tokio::sync::watch;

use super::store::{World, age};
use crate::queue::watch::{Notifications, Watching, keep};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);
/// So slow a scan that only a notification can be what woke the keeper.
const NEVER: Duration = Duration::from_secs(3600);

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain for {what}");
}

async fn while_kept(world: &mut World, watching: Watching, scene: impl AsyncFnOnce(&World)) {
    let kept = World::new().keeper;
    let keeper = std::mem::replace(&mut world.keeper, kept);
    let (stop, stopped) = watch::channel(false);
    let keeping = tokio::spawn(keep(keeper, watching, stopped));
    scene(world).await;
    stop.send(true).unwrap();
    tokio::time::timeout(DEADLINE, keeping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_moved_in_and_a_change_of_the_store_wake_the_keeper_without_a_scan() {
    let mut world = World::new();
    let watching = Watching { scan: NEVER, notifications: Notifications::On };
    let outside = world.home.path().join("a.md");
    fs::write(&outside, "do it").unwrap();
    age(&outside);
    world.store.submit("first.md", "first");
    while_kept(&mut world, watching, async |world: &World| {
        until("the first look", || world.path(Bucket::Inbox, "first.md").exists()).await;
        fs::rename(&outside, world.path(Bucket::Inbox, "a.md")).unwrap();
        until("the file to be taken in", || world.store.jobs().len() == 2).await;
        world.store.go("a.md", Stage::Building);
        until("the file to follow", || world.path(Bucket::Building, "a.md").exists()).await;
        // The buckets are made anew and watched again.
        fs::remove_dir_all(world.folder.bucket(Bucket::Inbox)).unwrap();
        until("the folder to be made again", || world.path(Bucket::Inbox, "first.md").exists()).await;
        world.put(Bucket::Inbox, "b.md", "do that");
        until("the next file", || world.store.jobs().len() == 3).await;
    })
    .await;
}

#[tokio::test]
async fn without_notifications_the_scan_finds_what_was_dropped() {
    let mut world = World::new();
    let watching = Watching { scan: Duration::from_millis(20), notifications: Notifications::Off };
    while_kept(&mut world, watching, async |world: &World| {
        world.put(Bucket::Inbox, "a.md", "do it");
        until("the file to be taken in", || world.store.jobs().len() == 1).await;
    })
    .await;
}
