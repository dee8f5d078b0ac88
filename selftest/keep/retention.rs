//! What finished jobs leave behind goes with time; what they did and how it ended stays.

use std::fs;

use serde_json::Value;

use crate::world::{Output, World};

/// A world in which it is the given moment.
struct Then {
    world: World,
}

impl Then {
    fn at(&self, moment: &str) {
        fs::write(self.world.folder().join("now"), moment).expect("the clock can be set");
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.world.fleet();
        command.env("FLEET_TEST_CLOCK", self.world.folder().join("now"));
        Output::of(command.arg("--test-mode").args(args))
    }

    fn submit(&self, name: &str, verify: &str) -> String {
        let path = self.world.folder().join(format!("{name}.md"));
        let script = format!("say hello\nwrite {name}.txt yes\nwrite done.txt yes");
        let text = format!("---\nengine: scripted\nverify: {verify}\n---\n# {name}\n\n```script\n{script}\n```\n");
        fs::write(&path, text).expect("the task can be written");
        self.run(&["submit", path.to_str().expect("a UTF-8 path")]).exits(0).line()
    }

    fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).exits(0).json()
    }

    fn exists(&self, path: &str) -> bool {
        self.world.exists(path)
    }

    fn refs(&self, id: &str) -> String {
        let pattern = format!("refs/heads/fleet/{id}-*");
        let wip = format!("refs/fleet/wip/{id}");
        self.world.git(&["for-each-ref", "--format=%(refname)", &pattern, &wip])
    }
}

#[test]
fn after_ninety_one_days_logs_and_folders_are_gone_and_history_result_and_unmerged_work_remain() {
    let then = Then { world: World::new() };
    then.at("2026-11-20T08:00:00Z");
    let shipped = then.submit("shipped", "./check.sh");
    let failed = then.submit("failed", "'false'");
    let waits = then.submit("waits", "./check.sh");
    then.run(&["run", "--once"]).exits(0);
    then.run(&["ship", &shipped]).exits(0);
    let before: Vec<[Value; 2]> =
        [&shipped, &failed].map(|id| [then.json(&["show", id]), then.json(&["events", id])]).into();
    let work = then.refs(&failed);
    assert_eq!(work.lines().count(), 2, "{work}");

    then.at("2027-02-17T08:00:00Z");
    then.run(&["run", "--once"]).exits(0);
    then.run(&["logs", &shipped]).exits(0);
    assert!(then.exists(&format!(".fleet/runs/{shipped}")), "it is not old yet");

    then.at("2027-02-19T08:00:00Z");
    then.run(&["run", "--once"]).exits(0);
    for (id, before) in [&shipped, &failed].into_iter().zip(&before) {
        let gone = then.run(&["logs", id]).exits(3);
        assert!(gone.stdout.is_empty() && gone.stderr.contains("expired"), "{}", gone.stderr);
        assert!(!then.exists(&format!(".fleet/logs/{id}")) && !then.exists(&format!(".fleet/runs/{id}")));
        assert_eq!([then.json(&["show", id]), then.json(&["events", id])], *before);
        assert_eq!(then.json(&["runs", id])["runs"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(then.refs(&shipped), "", "its work is in the base");
    assert_eq!(then.refs(&failed), work, "no work goes that is nowhere else");
    let log = then.run(&["logs", &waits]).exits(0);
    assert!(log.stdout.contains("hello"), "what waits for a person keeps its log, however long");
    assert!(then.exists(&format!(".fleet/runs/{waits}")) && !then.refs(&waits).is_empty());
    then.run(&["db", "check"]).exits(0);
}

#[test]
fn how_long_is_configured() {
    let then = Then { world: World::new() };
    then.world.write("fleet.toml", "[retention]\nmax-age = \"2d\"\nmax-jobs = 1\n");
    then.at("2026-11-20T08:00:00Z");
    let older = then.submit("older", "'false'");
    then.run(&["run", "--once"]).exits(0);
    then.at("2026-11-20T09:00:00Z");
    let newer = then.submit("newer", "'false'");
    then.run(&["run", "--once"]).exits(0);
    then.at("2026-11-20T11:00:00Z");
    then.run(&["run", "--once"]).exits(0);
    then.run(&["logs", &older]).exits(3);
    then.run(&["logs", &newer]).exits(0);
    then.at("2026-11-22T10:00:00Z");
    then.run(&["run", "--once"]).exits(0);
    then.run(&["logs", &newer]).exits(3);
}
