//! Five agents that say they are done and are not. None of them reaches `testing`.

use crate::world::World;

fn ends(name: &str, front: &str, script: &str) -> (String, String) {
    let world = World::new();
    world.write(".gitignore", "build/\n");
    world.write("done.txt", "yes\n");
    world.commit("done before");
    let id = world.submit_script(name, front, script);
    world.run_once();
    let job = world.job(&id);
    (job["stage"].as_str().unwrap_or_default().to_owned(), job["result"].as_str().unwrap_or_default().to_owned())
}

const CHECKED: &str = "verify: ./check.sh\n";

#[test]
fn an_agent_that_changed_nothing() {
    assert_eq!(
        ends("nothing", CHECKED, "say All done, every test passes!"),
        ("review".to_owned(), "no_changes".to_owned())
    );
}

#[test]
fn an_agent_whose_only_commit_was_there_before() {
    let script =
        "run git checkout -q -B work HEAD && git commit -q --allow-empty -m 'the whole feature'\nsay committed";
    assert_eq!(ends("old-commit", CHECKED, script), ("review".to_owned(), "no_changes".to_owned()));
}

#[test]
fn an_agent_that_changed_only_ignored_files() {
    let script = "run mkdir -p build && echo built > build/out.txt\nsay built";
    assert_eq!(ends("ignored", CHECKED, script), ("review".to_owned(), "no_changes".to_owned()));
}

#[test]
fn an_agent_that_fakes_the_log_of_the_tests() {
    let script = "write done.txt no\nsay $ ./check.sh\nsay test result: ok. 412 passed; 0 failed\nsay exit code 0";
    assert_eq!(ends("faked", CHECKED, script), ("failed".to_owned(), "verify_failed".to_owned()));
}

#[test]
fn an_agent_that_worked_in_another_folder() {
    let script =
        "run d=$(mktemp -d) && git init -q \"$d\" && echo yes > \"$d/done.txt\" && rm -rf \"$d\"\nsay done over there";
    assert_eq!(ends("elsewhere", CHECKED, script), ("review".to_owned(), "no_changes".to_owned()));
}

#[test]
fn an_agent_that_says_honestly_that_there_is_nothing_to_do_may_pass() {
    let script = "FLEET_NO_CHANGES {\"reason\": \"it says yes already\"}";
    assert_eq!(ends("honest", CHECKED, script), ("testing".to_owned(), "no_changes".to_owned()));
}
