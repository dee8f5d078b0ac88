//! A secret that an agent has, and prints in every way it can, is found nowhere afterwards; neither is the source code in
//! what the coordinator keeps.

use std::{
    fs,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use crate::world::{Output, World, until};

/// Neither a word nor a shape: only those who know it can mask it.
const CANARY: &str = "canary \"7f3a/zq+ü\" 19";

/// Every file below a folder whose bytes hold any of these, but for those that `passes`.
fn holding(folder: &Path, needles: &[Vec<u8>], passes: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() {
                waiting.push(path);
            } else if !kind.is_symlink() && !kind.is_socket() && !passes(&path) {
                let bytes = fs::read(&path).expect("a file");
                let holds = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
                if needles.iter().any(holds) {
                    found.push(path);
                }
            }
        }
    }
    found
}

/// As it is, as JSON writes it, in base 64 from its second byte on, and as an address writes it.
fn forms() -> Vec<Vec<u8>> {
    let json = serde_json::to_string(CANARY).expect("text");
    [CANARY, json.trim_matches('"'), "Y2FuYXJ5ICI3ZjNhL3pxK8O8IiAx", "canary%20%227f3a%2Fzq%2B%C3%BC%22%2019"]
        .iter()
        .map(|form| form.as_bytes().to_vec())
        .collect()
}

/// Everything of the repository's own: objects are compressed, so git unpacks them.
fn all_objects(world: &World) -> String {
    let line =
        "git cat-file --batch-all-objects --batch --unordered; git for-each-ref; git reflog --all; git notes list";
    String::from_utf8_lossy(&world.command("sh").args(["-c", line]).output().expect("git").stdout).into_owned()
}

#[test]
fn a_secret_that_is_printed_in_every_way_is_found_nowhere() {
    let world = World::new();
    let agent = r#"#!/bin/sh
printf '%s\n' "$CANARY"; printf '%s\n' "$CANARY" >&2
printf '%s' "$CANARY" | head -c 7; sleep 0.2; printf '%s\n' "$CANARY" | tail -c +8
env
printf '%s' "$CANARY" | base64; printf 'x%s' "$CANARY" | base64; printf '%s' "$CANARY" | base64 | tr -d =
printf 'FLEET_PROGRESS {"percent": 40, "status": %s}\n' "$JSON"
printf 'FLEET_STATUS {"status": %s}\n' "$JSON"
printf '{"text": %s}\n' "$JSON"
printf 'https://x/?q=%s\n' 'canary%20%227f3a%2Fzq%2B%C3%BC%22%2019'
if [ "$FLEET_RUN" = 1 ]; then printf 'FLEET_QUESTION {"question": %s}\n' "$JSON"; exit 0; fi
if [ "$FLEET_RUN" = 2 ]; then printf 'error: %s\n' "$CANARY" >&2; exit 3; fi
ps ax -o args > processes.txt 2>/dev/null || cat /proc/[0-9]*/cmdline | tr '\0' ' ' > processes.txt
for file in /proc/[0-9]*/cmdline; do tr '\0' ' ' < $file >> processes.txt 2>/dev/null || true; done
echo yes > done.txt
echo "the end: $CANARY"
"#;
    let json = serde_json::to_string(CANARY).expect("text");
    world.write("agent.sh", &agent.replace("$JSON", &format!("'{json}'")));
    world.make_executable("agent.sh");
    // A verify command is not given the secret, and its output is masked all the same.
    world.write("check.sh", "#!/bin/sh\ncat leak.txt 2>/dev/null\nenv\n[ -z \"$CANARY\" ] && grep -qx yes done.txt\n");
    world.write(
        "fleet.toml",
        "[engines.shell]\ncommand = [\"./agent.sh\"]\nprompt = \"stdin\"\n[secrets]\nCANARY = { env = \"HOLDS_IT\" }\n",
    );
    world.git(&["add", "check.sh"]);
    world.git(&["commit", "-qm", "check"]);
    let front = "---\nengine: shell\nsecrets: [CANARY]\nverify: ./check.sh\nretry: { max: 4, backoff: 1s, on: [agent_failed] }\n---\n";
    let id = world.submit("canary.md", &format!("{front}# Sing\n"));
    let with_it = |args: &[&str]| Output::of(world.fleet().env("HOLDS_IT", CANARY).args(args));
    let mut told = String::new();
    let job = until("three runs", || {
        let output = with_it(&["run", "--once", "-vv"]);
        told.push_str(&output.stdout);
        told.push_str(&output.stderr);
        Some(world.job(&id)).filter(|job| job["stage"] != "queued")
    });
    assert_eq!((job["stage"].as_str(), job["runs"].as_u64()), (Some("testing"), Some(3)), "{job:#}\n{told}");
    for verb in ["show", "runs", "events", "logs", "diff"] {
        told.push_str(&world.run(&[verb, &id]).exits(0).stdout);
        told.push_str(&world.run(&[verb, &id, "--json"]).stdout);
    }
    for stream in ["stdout", "stderr", "verify", "worker"] {
        for run in ["1", "2", "3"] {
            let log = world.run(&["logs", &id, "--stream", stream, "--run", run, "--raw", "--lines", "0"]);
            told.push_str(&log.exits(0).stdout);
        }
    }
    let needles = forms();
    for needle in &needles {
        let needle = String::from_utf8_lossy(needle);
        assert!(!told.contains(&*needle), "`{needle}` is told in\n{told}");
        assert!(!all_objects(&world).contains(&*needle), "`{needle}` is in an object");
    }
    assert!(told.contains("CANARY=*****") && told.contains("the end: ****"), "it was printed, and masked:\n{told}");
    // The agent's own program knows how JSON and addresses write it; everything else does not.
    let passes = |path: &Path| path.ends_with("agent.sh");
    assert_eq!(holding(world.repo(), &needles, &passes), Vec::<PathBuf>::new());
    assert_eq!(holding(&world.folder().join("home"), &needles, &passes), Vec::<PathBuf>::new());
    let branch = job["branch"].as_str().expect("a branch");
    let processes = world.git(&["show", &format!("{branch}:processes.txt")]);
    assert!(processes.contains("shim") && !processes.contains("7f3a"), "{processes}");
}

#[test]
fn source_code_that_is_not_printed_is_nowhere_in_what_the_coordinator_keeps() {
    let world = World::new();
    let canary = "source-canary-5b1e";
    world.write("src.txt", &format!("let x = \"{canary}\";\n"));
    world.commit("code");
    let id = world.submit_script("quiet", "verify: ./check.sh\n", "run sed -i s/let/var/ src.txt\nwrite done.txt yes");
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
    let state = world.repo().join(".fleet");
    let needles = [canary.as_bytes().to_vec()];
    assert_eq!(holding(&state, &needles, &|_| false), Vec::<PathBuf>::new());
    assert_eq!(holding(&world.repo().join("tasks"), &needles, &|_| false), Vec::<PathBuf>::new());
    // The control: a log that does print it is kept, and found.
    let loud = world.submit_script("loud", "verify: ./check.sh\n", "run cat src.txt\nwrite done.txt yes");
    world.run_once();
    assert!(holding(&state, &needles, &|_| false).contains(&state.join(format!("logs/{loud}/1.stdout"))));
}

#[test]
fn tokens_that_nobody_configured_are_masked_by_their_shape() {
    let world = World::new();
    let token = format!("gh{}_{}", "p", "0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO");
    let (begin, end) = (&token[..9], &token[9..]);
    let script = format!("run printf '%s' {begin}; sleep 0.2; printf '%s\\n' {end}\nwrite done.txt yes");
    let id = world.submit_script("shape", "verify: ./check.sh\n", &script);
    world.run_once();
    let log = world.run(&["logs", &id, "--raw"]).exits(0).stdout;
    assert!(log.contains(&format!("ghp_{}", "*".repeat(36))) && !log.contains(&token), "{log}");
    let stored = fs::read_to_string(world.repo().join(format!(".fleet/logs/{id}/1.stdout"))).expect("a log");
    assert!(!stored.contains(&token), "{stored}");
}

/// An agent that prints its secret until it is ended, in its first run; and a runner that knows the secret.
fn an_agent_that_repeats_itself() -> (World, String, Child) {
    let world = World::new();
    let agent = "#!/bin/sh\nwhile [ \"$FLEET_RUN\" = 1 ]; do echo \"so: $CANARY\"; echo \"$CANARY\" >&2; sleep 0.02; done\necho yes > done.txt\n";
    world.write("agent.sh", agent);
    world.make_executable("agent.sh");
    world.write(
        "fleet.toml",
        "[engines.shell]\ncommand = [\"./agent.sh\"]\nprompt = \"stdin\"\n[secrets]\nCANARY = { env = \"HOLDS_IT\" }\n",
    );
    let id =
        world.submit("canary.md", "---\nengine: shell\nsecrets: [CANARY]\nverify: ./check.sh\n---\n# Sing for ever\n");
    let mut runner = world.fleet();
    runner.args(["run", "--once"]).env("HOLDS_IT", CANARY);
    let runner = runner.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a runner");
    until("it to be printed", || fs::read_to_string(spool(&world, &id)).ok()?.contains(CANARY).then_some(()));
    (world, id, runner)
}

fn spool(world: &World, id: &str) -> PathBuf {
    world.repo().join(format!(".fleet/runs/{id}/1/stdout"))
}

#[track_caller]
fn assert_only_masked_output_is_left(world: &World, id: &str) {
    let state = world.repo().join(".fleet");
    assert_eq!(holding(&state, &forms(), &|_| false), Vec::<PathBuf>::new());
    assert!(!spool(world, id).exists());
    let kept = fs::read_to_string(spool(world, id).with_file_name("stdout.masked")).expect("what it printed");
    assert!(kept.starts_with(&format!("so: {}\n", "*".repeat(CANARY.len()))), "{kept}");
}

#[test]
fn output_of_a_run_that_was_taken_away_keeps_no_secret() {
    for verb in ["cancel", "requeue"] {
        let (world, id, runner) = an_agent_that_repeats_itself();
        world.run(&[verb, &id]).exits(0);
        Output::finish(runner).exits(0);
        assert_only_masked_output_is_left(&world, &id);
    }
}

#[test]
fn output_of_a_run_that_was_taken_away_while_no_runner_was_there_keeps_no_secret() {
    let (world, id, mut runner) = an_agent_that_repeats_itself();
    runner.kill().expect("the runner is killed");
    runner.wait().expect("the runner is gone");
    world.run(&["cancel", &id]).exits(0);
    world.run_once();
    assert_only_masked_output_is_left(&world, &id);
}
