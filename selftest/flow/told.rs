//! What an agent is told: its task, the repository's notes, and what it must know of earlier runs.

use std::fs;

use crate::world::World;

#[test]
fn a_retry_is_told_the_result_the_commits_the_work_and_the_last_words_of_the_run_before() {
    let world = World::new();
    let told = world.shared().join("told");
    fs::create_dir_all(&told).expect("a folder");
    world.write("AGENTS.md", "Use tabs.\n");
    world.commit("notes");
    let agent = world.write(
        "../agent.sh",
        &format!(
            "#!/bin/sh\ncat > {}/$FLEET_RUN\n\
             if [ $FLEET_RUN = 1 ]; then echo half > half.txt; git add half.txt; git commit -qm 'half of it'; echo 'I got half way.'; exit 3; fi\n\
             echo yes > done.txt\n",
            told.display()
        ),
    );
    world.make_executable("../agent.sh");
    world.write(
        "fleet.toml",
        &format!("[engines.mine]\ncommand = [\"{}\"]\nprompt = \"stdin\"\noutput = \"text\"\n", agent.display()),
    );
    let front = "---\nengine: mine\nverify: ./check.sh\nacceptance: [it says yes]\ntarget-files: [done.txt]\n\
                 test-commands: [./check.sh]\nretry: {max: 1, backoff: 1ms}\n---\n";
    let id = world.submit("told.md", &format!("{front}# The task\n"));
    world.until_stage_after_runs(&id, "testing");
    let read = |run: &str| fs::read_to_string(told.join(run)).expect("what a run was told");
    for expected in ["# The task\n", "- it says yes", "- done.txt", "- ./check.sh", "- AGENTS.md"] {
        assert!(read("1").contains(expected), "{expected} in:\n{}", read("1"));
    }
    assert!(!read("1").contains("half"), "{}", read("1"));
    for expected in
        ["# The task\n", "ended with `agent_failed`", "half of it", "- `half.txt` (+1 −0)", "I got half way."]
    {
        assert!(read("2").contains(expected), "{expected} in:\n{}", read("2"));
    }
}
