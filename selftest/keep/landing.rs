//! A branch goes only with proof that its work has landed, and cleaning twice is cleaning once.

use serde_json::Value;

use crate::world::{Output, World};

/// A job whose proven work is this file, and its branch.
fn proven(world: &World, file: &str) -> (String, String) {
    let id = world.submit_script(file, "verify: 'true'\n", &format!("write {file} theirs"));
    world.run_once();
    let branch = world.job(&id)["branch"].as_str().expect("a branch").to_owned();
    (id, branch)
}

/// What is said of the branches, by job: whether each goes, and why.
fn said(world: &World, args: &[&str]) -> Vec<(String, bool, String)> {
    let cleaned = world.run(args).exits(0).json();
    let lines = cleaned["cleaned"].as_array().expect("a list").clone();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let branches = lines.iter().filter(|line| word(&line["what"]).starts_with("branch "));
    branches.map(|line| (word(&line["job"]), line["kept"].is_null(), word(&line["why"]))).collect()
}

#[test]
fn of_a_failed_merge_a_merge_elsewhere_a_squash_and_a_reverted_merge_only_the_squash_lets_a_branch_go() {
    let world = World::new();
    let jobs = ["clash.txt", "elsewhere.txt", "squashed.txt", "reverted.txt"].map(|file| proven(&world, file));
    let [(_, clash), (_, elsewhere), (squashed_job, squashed), (_, reverted)] = &jobs;
    world.write("clash.txt", "ours\n");
    world.commit("the other way round");
    Output::of(world.command("git").args(["merge", "-q", clash])).exits(1);
    world.git(&["merge", "--abort"]);
    world.git(&["switch", "-qc", "other"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "merge", elsewhere]);
    world.git(&["switch", "-q", "main"]);
    world.git(&["merge", "-q", "--squash", squashed]);
    world.git(&["commit", "-qm", "squashed"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "merge", reverted]);
    world.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    for (id, _) in &jobs {
        world.run(&["reject", id, "--reason", "done by hand"]).exits(0);
    }

    let told = said(&world, &["clean", "--dry-run", "--json"]);
    let goes: Vec<&String> = told.iter().filter(|(_, goes, _)| *goes).map(|(job, ..)| job).collect();
    assert_eq!((told.len(), goes), (4, vec![squashed_job]), "{told:#?}");
    assert!(told.iter().all(|(.., why)| !why.is_empty()), "each says why: {told:#?}");
    assert_eq!(world.git(&["branch", "--list", "fleet/*"]).lines().count(), 4, "saying changes nothing");

    assert_eq!(said(&world, &["clean", "--json"]), told, "what is done is what was said");
    let left = world.git(&["branch", "--list", "fleet/*"]);
    assert!(left.lines().count() == 3 && !left.contains(squashed.as_str()), "{left}");
    let wip = world.git(&["for-each-ref", "--format=%(refname)", "refs/fleet/wip"]);
    assert!(wip.lines().count() == 3 && !wip.contains(squashed_job.as_str()), "{wip}");

    let again = said(&world, &["clean", "--json"]);
    assert!(again.len() == 3 && again.iter().all(|(_, goes, _)| !goes), "{again:#?}");
}
