//! What is known about a job and its runs, as `show` and `runs` tell it.

use serde_json::json;

use crate::world::{Output, World, until};

const TASK: &str = "---
engine: scripted
verify: ./check.sh
acceptance: [done.txt says yes]
target-files: [done.txt]
test-commands: [./check.sh]
---
# Größe\r
\r
\tKeep  this. \r

```script
FLEET_PROGRESS {\"percent\": 40, \"step\": 2, \"of\": 5, \"status\": \"half way\"}
run while [ ! -e GATE ]; do sleep 0.05; done
write done.txt yes
```
";

#[test]
fn the_record_of_a_job_shows_its_text_its_wishes_and_how_far_its_agent_is() {
    let world = World::new();
    let gate = world.folder().join("gate");
    let text = TASK.replace("GATE", gate.to_str().expect("a UTF-8 path"));
    let id = world.submit("wishes.md", &text);
    let body = text.split_once("---\n# ").expect("front matter").1;
    let job = world.job(&id);
    assert_eq!(job["bodyMd"], json!(format!("# {body}")), "byte for byte");
    assert_eq!(job["manifestSnapshot"], job["manifest"]);
    let mut runner = world.fleet();
    let runner = runner.args(["run", "--once"]).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let runner = runner.spawn().expect("a runner starts");
    until("progress in `fleet show`", || {
        let shown = world.run(&["show", &id]).exits(0).stdout;
        shown.contains("40 %, step 2 of 5, half way").then_some(())
    });
    let shown = world.run(&["show", &id]).exits(0).stdout;
    for expected in ["acceptance    done.txt says yes", "target file   done.txt", "test command  ./check.sh", "# Größe"]
    {
        assert!(shown.contains(expected), "{expected} in:\n{shown}");
    }
    std::fs::write(&gate, "").expect("the gate opens");
    Output::finish(runner).exits(0);
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn runs_come_in_pages_and_each_with_a_log_of_its_own() {
    let world = World::new();
    let id = world.submit_script(
        "runs",
        "verify: ./check.sh\nretry: {max: 2, backoff: 1ms}\n",
        "run echo run $FLEET_RUN\nexit 3",
    );
    world.until_stage_after_runs(&id, "dead_letter");
    let numbers = |args: &[&str]| {
        let list = world.run(&[&["runs", &id, "--json"], args].concat()).exits(0).json();
        let runs = list["runs"].as_array().expect("runs").iter().map(|run| run["number"].as_u64().expect("a number"));
        (runs.collect::<Vec<_>>(), list["next"].clone())
    };
    assert_eq!(numbers(&[]), (vec![1, 2, 3], json!(null)));
    let (first, next) = numbers(&["--limit", "2"]);
    assert_eq!(first, [1, 2]);
    let next = next.as_str().expect("a cursor").to_owned();
    assert_eq!(numbers(&["--limit", "2", "--cursor", &next]), (vec![3], json!(null)));
    assert_eq!(numbers(&["--cursor", &next]).0, [3]);
    for run in ["1", "2", "3"] {
        let log = world.run(&["logs", &id, "--run", run, "--stream", "stdout"]).exits(0).stdout;
        assert_eq!(log.lines().last(), Some(format!("run {run}").as_str()));
    }
}

#[test]
fn without_a_login_in_the_environment_the_history_names_the_account() {
    let world = World::new();
    let id = world.submit_script("who", "", "write done.txt yes");
    Output::of(world.fleet().env_remove("USER").env_remove("LOGNAME").args(["hold", &id])).exits(0);
    let events = world.run(&["events", &id, "--json"]).exits(0).json();
    let actor = events["events"].as_array().and_then(|events| events.last()).expect("an event")["actor"].clone();
    let account = Output::of(world.command("id").arg("-un")).exits(0).line();
    assert_eq!(actor, json!(format!("operator:{account}")));
}
