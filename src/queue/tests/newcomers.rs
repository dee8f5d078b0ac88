//! Jobs that were just submitted are drawn for what they cost alone, and never at the cost of what people did.

use fleet_protocol::{Bucket, Stage};

use super::store::World;

#[tokio::test]
async fn a_newcomer_is_drawn_without_a_look_at_the_other_jobs() {
    let mut world = World::new();
    for number in 0..20 {
        world.store.submit(&format!("job-{number}.md"), "old");
    }
    world.reconcile().await;
    let listings = world.store.listings();
    let (job, _) = world.store.submit("new.md", "do it");
    let report = world.keeper.draw_newcomers(&[job]).await.unwrap();
    assert_eq!((report.changes, report.problems.len()), (1, 0));
    assert_eq!(world.read(Bucket::Inbox, "new.md"), "do it");
    assert_eq!(world.store.listings(), listings);
    // Whoever looks at the whole has nothing to mend.
    assert_eq!(world.reconcile().await.changes, 0);
}

#[tokio::test]
async fn a_newcomer_whose_name_is_taken_on_disk_waits_for_the_whole_picture() {
    let mut world = World::new();
    world.put(Bucket::Inbox, "a.md", "another task of this name");
    let (job, _) = world.store.submit("a.md", "do it");
    let report = world.keeper.draw_newcomers(&[job]).await.unwrap();
    assert_eq!(report.taken_in.len(), 1, "what was dropped in is a task of its own");
    assert_eq!(world.read(Bucket::Inbox, "a.md"), "do it");
    assert_eq!(world.store.jobs().len(), 2);
}

#[tokio::test]
async fn a_newcomer_that_was_drawn_and_went_on_meanwhile_is_not_drawn_twice() {
    let mut world = World::new();
    let (job, _) = world.store.submit("a.md", "do it");
    world.store.go("a.md", Stage::Building);
    world.reconcile().await;
    world.keeper.draw_newcomers(&[job]).await.unwrap();
    assert_eq!(world.tree(), ["building/a.md"]);
}
