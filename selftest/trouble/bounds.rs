//! Memory, silence and a missing program: what ends a run says why, and the runner lives.

use serde_json::{Value, json};

use crate::world::{World, until};

fn ran(front: &str, script: &str) -> (World, String) {
    let world = World::new();
    let id = world.submit_script("bound", &format!("verify: ./check.sh\n{front}"), script);
    world.run_once();
    (world, id)
}

/// Holds so many megabytes for a while.
fn hold(megabytes: u32) -> String {
    format!("run head -c {megabytes}m /dev/zero | tail -c {megabytes}m | sleep 300")
}

#[test]
fn a_memory_hog_is_ended_and_the_runner_goes_on_to_the_next_job() {
    for grouping in ["true", "false"] {
        let world = World::new();
        let hog = world.submit_script("hog", "limits: { memory: 64MiB }\n", &hold(300));
        let next = world.submit_script("next", "verify: ./check.sh\n", "write done.txt yes");
        world.run(&["run", "--once", "--max", "1", "--set", &format!("worker.cgroups={grouping}")]).exits(0);
        let job = world.job(&hog);
        assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("resource_exceeded")), "{job:#}");
        let message = job["message"].as_str().expect("a message");
        assert!(message.contains("and 64 MiB are its ceiling"), "{message}");
        assert_eq!(world.stage(&next), "testing");
        let shown = world.run(&["debug", &hog]).exits(0).stdout;
        assert!(shown.contains("resource_exceeded its processes used"), "{shown}");
    }
}

#[test]
fn a_verify_command_has_the_ceilings_of_its_run() {
    let world = World::new();
    let verify = "head -c 300m /dev/zero | tail -c 300m | sleep 300";
    let front = format!("limits: {{ memory: 64MiB }}\nverify: \"{verify}\"\n");
    let id = world.submit_script("greedy", &front, "write done.txt yes");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["result"], "resource_exceeded", "{job:#}");
    assert!(
        job["message"].as_str().is_some_and(|text| text.contains("tail -c 300m | sleep 300` was ended: its")),
        "{job:#}"
    );
}

#[test]
fn a_run_shows_what_it_took_of_the_machine() {
    let (world, id) = ran("", "run head -c 80m /dev/zero | tail -c 80m | sleep 3\nwrite done.txt yes");
    let run = world.run(&["runs", &id, "--json"]).exits(0).json()["runs"][0].clone();
    let peak = run["insights"]["peakMemory"].as_u64().expect("a peak");
    assert!((80 << 20..100 << 20).contains(&peak), "{peak}");
    assert!(run["insights"]["cpuMs"].as_u64().is_some_and(|cpu| cpu > 0), "{run:#}");
    assert_eq!(world.job(&id)["insights"], run["insights"]);
    assert!(world.run(&["runs", &id]).exits(0).stdout.contains(" MiB"));
    assert!(world.run(&["show", &id]).exits(0).stdout.contains("of memory at most"));
}

#[test]
fn a_silent_agent_is_marked_unmarked_and_with_a_limit_ended() {
    let world = World::new();
    let wait = |file: &str| format!("run while ! test -f {}/{file}; do sleep 0.05; done", world.folder().display());
    let id = world.submit_script("quiet", "", &format!("say one\n{}\nsay two\n{}", wait("speak"), wait("never")));
    let settings = ["--set", "coordinator.stall-after=2s", "--set", "worker.silence=8s"];
    let mut runner = world.fleet();
    let runner = runner.args(["run", "--once"]).args(settings).spawn().expect("a runner");
    let seen = |id: &str| world.run(&["show", id, "--json", "--set", "coordinator.stall-after=2s"]).exits(0).json();
    until("the mark", || seen(&id)["stalledSince"].is_string().then_some(()));
    let debug = world.run(&["debug", &id, "--json", "--set", "coordinator.stall-after=2s"]).exits(0).json();
    assert_eq!(debug["findings"][0]["code"], "stalled", "{debug:#}");
    assert_eq!(debug["state"], "running");
    std::fs::write(world.folder().join("speak"), "").expect("a file");
    until("the mark is gone", || seen(&id)["stalledSince"].is_null().then_some(()));
    crate::world::Output::finish(runner);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["result"]), (&json!("failed"), &json!("timeout")), "{job:#}");
    assert_eq!(job["message"], "nothing came from the agent for too long");
}

#[test]
fn a_missing_agent_program_is_named_with_its_code_and_what_to_do() {
    let world = World::new();
    world.write("fleet.toml", "[engines.mine]\ncommand = [\"no-such-agent\"]\nprompt = \"stdin\"\noutput = \"text\"\n");
    let id = world.submit("mine.md", "---\nengine: mine\n---\n# Mine\n");
    world.run_once();
    let job = world.job(&id);
    assert_eq!(job["result"], "no_engine", "{job:#}");
    let message = job["message"].as_str().expect("a message");
    assert!(message.starts_with("agent_binary_not_found: ") && message.contains("no-such-agent"), "{message}");
    let debug = world.run(&["debug", &id, "--json"]).exits(0).json();
    let finding = &debug["findings"][0];
    assert_eq!(finding["code"], "agent_binary_not_found");
    assert!(finding["suggestion"].as_str().is_some_and(|text| text.starts_with("install it")), "{debug:#}");
}

#[test]
fn a_task_of_an_interpreter_that_is_not_there_says_so_too() {
    let world = World::new();
    world.write("agent.sh", "#!/no/such/interpreter\n");
    world.make_executable("agent.sh");
    world.write("fleet.toml", "[engines.mine]\ncommand = [\"./agent.sh\"]\nprompt = \"stdin\"\noutput = \"text\"\n");
    let id = world.submit("mine.md", "---\nengine: mine\n---\n# Mine\n");
    world.run_once();
    let debug = world.run(&["debug", &id, "--json"]).exits(0).json();
    assert_eq!(debug["findings"][0]["code"], "agent_binary_not_found", "{debug:#}");
    let text: Value = debug["message"].clone();
    assert!(text.as_str().is_some_and(|text| text.contains("the interpreter of")), "{text}");
}
