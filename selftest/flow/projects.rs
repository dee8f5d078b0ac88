//! Jobs of projects: worked on in the project's repository, with what it gives.

use serde_json::json;

use crate::world::World;

/// A world whose configuration names a second repository, `shop`, beside its own.
fn world_with_a_shop(more: &str) -> World {
    let world = World::new();
    let shop = world.folder().join("shop");
    let shop = shop.to_str().expect("a UTF-8 path");
    world.git(&["clone", "-q", ".", shop]);
    world.git(&["-C", shop, "checkout", "-q", "-b", "trunk"]);
    world.git(&["-C", shop, "commit", "-q", "--allow-empty", "-m", "the shop's own"]);
    world.git(&["-C", shop, "checkout", "-q", "main"]);
    let text = format!(
        "[defaults]\nverify = \"false\"\n[projects.shop]\nrepo = \"../shop\"\nbase = \"trunk\"\nverify = \"./check.sh\"\n{more}"
    );
    world.write("fleet.toml", &text);
    world
}

fn in_shop(world: &World, args: &[&str]) -> String {
    let shop = world.folder().join("shop");
    let shop = shop.to_str().expect("a UTF-8 path");
    world.git(&[["-C", shop].as_slice(), args].concat())
}

const SCRIPT: &str = "# Say yes\n\n```script\nwrite done.txt yes\ncommit say yes\n```\n";

#[test]
fn a_job_of_a_project_is_done_proven_and_shipped_in_its_repository() {
    let world = world_with_a_shop("");
    let id = world.submit("yes.md", &format!("---\nengine: scripted\nproject: shop\n---\n{SCRIPT}"));
    world.run_once();
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["base"]), (&json!("testing"), &json!("trunk")), "{job:#}");
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(in_shop(&world, &["log", "--format=%s", branch]), "say yes\nthe shop's own\nfirst");
    assert_eq!(world.git(&["for-each-ref", "refs/heads/fleet"]), "", "the repository one stands in has no part in it");
    world.run(&["ship", &id]).exits(0);
    assert_eq!(in_shop(&world, &["show", "trunk:done.txt"]), "yes");
}

#[test]
fn the_flag_beats_the_task_and_a_sentence_is_a_task_of_the_project() {
    let world = world_with_a_shop("[projects.other]\nrepo = \".\"\n");
    let task = world.folder().join("task.md");
    std::fs::write(&task, "---\nproject: other\n---\n# T\n").expect("the task can be written");
    let task = task.to_str().expect("a UTF-8 path");
    let preview = |args: &[&str]| {
        let args = [["submit", "--dry-run", "--json", "--engine", "scripted"].as_slice(), args].concat();
        world.run(&args).exits(0).json()
    };
    let own = preview(&[task]);
    assert_eq!((&own["manifest"]["project"], &own["manifest"]["verify"]), (&json!("other"), &json!("false")));
    for said in [task, "Say yes"] {
        let flagged = preview(&["--project", "shop", said]);
        let (manifest, origins) = (&flagged["manifest"], &flagged["origins"]);
        assert_eq!((&manifest["verify"], &origins["verify"]), (&json!("./check.sh"), &json!("project")), "{flagged:#}");
        assert!(flagged["repo"].as_str().is_some_and(|repo| repo.ends_with("/shop")), "{flagged:#}");
    }
    world.run(&["submit", "--project", "shop", "--repo", ".", task]).exits(2);
}

#[test]
fn a_dropped_file_inherits_too_and_an_unknown_project_is_noted_beside_it() {
    let world = world_with_a_shop("");
    world.run(&["init"]).exits(0);
    world.write("tasks/inbox/yes.md", &format!("---\nengine: scripted\nproject: shop\n---\n{SCRIPT}"));
    world.write("tasks/inbox/odd.md", &format!("---\nengine: scripted\nproject: shpo\n---\n{SCRIPT}"));
    world.write("tasks/inbox/clod.md", &format!("---\nengine: clod\n---\n{SCRIPT}"));
    world.run_once();
    assert!(world.exists("tasks/testing/yes.md") && world.exists("tasks/failed/odd.md"));
    assert!(in_shop(&world, &["for-each-ref", "--format=%(refname)", "refs/heads/fleet"]).ends_with("-say-yes"));
    let note = world.read("tasks/failed/odd.md.note.txt");
    assert!(note.contains("did you mean `shop`?") && note.contains("`fleet submit` it again"), "{note}");
    let failed = world.run(&["jobs", "--stage", "failed", "--json"]).exits(0).json();
    let said: Vec<&str> =
        failed["jobs"].as_array().expect("jobs").iter().filter_map(|job| job["message"].as_str()).collect();
    assert_eq!(said.len(), 2, "{failed:#}");
    for expected in ["did you mean `shop`?", "unknown engine `clod`"] {
        assert!(said.iter().any(|said| said.contains(expected)), "{said:?}");
    }
    assert!(
        failed["jobs"]
            .as_array()
            .expect("jobs")
            .iter()
            .all(|job| job["runs"] == 0 && job["result"] == "invalid_manifest")
    );
}

#[test]
fn an_unknown_project_is_refused_with_the_nearest_and_nothing_is_queued() {
    let world = world_with_a_shop("");
    let refused = world.run(&["submit", "--project", "shpo", "Say yes"]).exits(2);
    assert_eq!(refused.stdout, "");
    for expected in ["unknown project `shpo`", "did you mean `shop`?", "known: shop", "fleet project list"] {
        assert!(refused.stderr.contains(expected), "{expected}: {}", refused.stderr);
    }
    assert_eq!(world.run(&["jobs", "--json"]).exits(0).json()["jobs"], json!([]));
    assert_eq!(world.run(&["project", "list", "--json"]).exits(0).json()["projects"][0]["name"], "shop");
    world.run(&["project", "show", "shpo"]).exits(3);
}

const CONVENTION: &str = "[projects.shop.commits]\npattern = '^(feat|fix|chore): '\nmessage = 'chore: {subject}'\n";

#[test]
fn commits_of_a_project_are_reworded_to_its_convention() {
    let world = world_with_a_shop(CONVENTION);
    let script = "# Say yes\n\n```script\nwrite a.txt a\ncommit feat: add a\nwrite done.txt yes\ncommit say yes\nwrite b.txt b\n```\n";
    let id = world.submit("yes.md", &format!("---\nengine: scripted\nproject: shop\n---\n{script}"));
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["stage"], "testing", "{job:#}");
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(
        in_shop(&world, &["log", "--reverse", "--format=%s", &format!("trunk..{branch}")]),
        "feat: add a\nchore: say yes\nchore: Say yes",
    );
    let runs = world.run(&["runs", &id, "--json"]).exits(0).json();
    let evidence: Vec<&str> = runs["runs"][0]["evidence"]["commits"]
        .as_array()
        .expect("commits")
        .iter()
        .filter_map(|id| id.as_str())
        .collect();
    let log = in_shop(&world, &["log", "--reverse", "--format=%H", &format!("trunk..{branch}")]);
    assert_eq!(evidence, log.lines().collect::<Vec<_>>(), "the evidence names what is on the branch");
    assert_eq!(job["headCommit"], *evidence.last().expect("a commit"));
}

#[test]
fn a_run_whose_commits_are_refused_fails_with_their_messages_and_the_next_can_mend_it() {
    let world = world_with_a_shop(&format!("{CONVENTION}otherwise = 'refuse'\n"));
    let script = "# Say yes\n\n```script run=1\nwrite done.txt yes\ncommit say yes\n```\n\n\
                  ```script run=2\nrun git commit -q --amend -m 'feat: say yes'\n```\n";
    let text = format!("---\nengine: scripted\nproject: shop\nretry: {{ max: 1, backoff: 1ms }}\n---\n{script}");
    let id = world.submit("yes.md", &text);
    world.run_once();
    let runs = world.run(&["runs", &id, "--json"]).exits(0).json();
    let first = &runs["runs"][0];
    assert_eq!(first["result"], "agent_failed", "{runs:#}");
    let message = first["message"].as_str().expect("a message");
    assert!(message.contains("^(feat|fix|chore): ") && message.contains(" say yes`"), "{message}");
    assert!(first["evidence"]["verify"].is_null(), "what is refused is not proven");
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["runs"]), (&json!("testing"), &json!(2)), "{job:#}");
    let branch = job["branch"].as_str().expect("a branch");
    assert_eq!(in_shop(&world, &["log", "--format=%s", &format!("trunk..{branch}")]), "feat: say yes");
}
