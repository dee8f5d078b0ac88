//! Every recorded run, and what it must be taken for.

use fleet_protocol::{
    job::Basis,
    run::ErrorClass::{Auth, Transient},
};

use super::*;

/// What a transcript must be read as: file, exit, verdict, tokens (input, cached, output) and cost.
type Expected = (&'static str, Exit, Judged, Option<(u64, u64, u64)>, Option<f64>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Judged {
    Ok,
    Doubtful(fleet_protocol::run::ErrorClass),
    Failed(Cause, Option<fleet_protocol::run::ErrorClass>),
}

const DONE: Exit = Exit::Code(0);
const FAILED: Exit = Exit::Code(1);
const TERMINATED: Exit = Exit::Signal(15);

fn transient() -> Judged {
    Judged::Failed(Cause::Engine, Some(Transient))
}

fn auth() -> Judged {
    Judged::Failed(Cause::Engine, Some(Auth))
}

fn expectations() -> Vec<Expected> {
    use Judged::{Doubtful, Failed, Ok};
    let nothing = Some((0, 0, 0));
    let written = Some((12_755, 8_500, 115));
    let one_call = Some((100, 0, 20));
    let two_calls = Some((200, 0, 40));
    let engine = |class| Failed(Cause::Engine, class);
    vec![
        ("claude.write.jsonl", DONE, Ok, written, Some(0.02402)),
        ("claude-2.1.197.write.jsonl", DONE, Ok, written, Some(0.03215)),
        ("claude.session-id.jsonl", DONE, Ok, written, Some(0.02402)),
        ("claude.hook-events.jsonl", DONE, Ok, written, Some(0.02402)),
        ("claude.permission-denied.jsonl", DONE, Ok, written, Some(0.02402)),
        ("claude.stdin-permission-asked.jsonl", DONE, Ok, written, Some(0.02402)),
        ("claude.write-output-json.jsonl", DONE, Ok, one_call, Some(0.0008)),
        ("claude.partial-messages.jsonl", DONE, Ok, one_call, Some(0.0008)),
        ("claude.json-schema.jsonl", DONE, Ok, one_call, Some(0.0008)),
        ("claude.stdin-initialize-and-set-mode.jsonl", DONE, Ok, one_call, Some(0.0008)),
        ("claude.mcp.jsonl", DONE, Ok, two_calls, Some(0.0016)),
        ("claude.stdin-message-mid-run.jsonl", DONE, Ok, two_calls, Some(0.0016)),
        ("claude.stdin-interrupt-then-go-on.jsonl", DONE, Ok, two_calls, Some(0.0016)),
        ("claude.stdin-two-turns.jsonl", DONE, Ok, Some((17_175, 12_900, 127)), Some(0.02522)),
        ("claude.subagent.jsonl", DONE, Ok, Some((13_455, 8_500, 225)), Some(0.02902)),
        ("claude.resume.jsonl", DONE, Ok, Some((4_420, 4_400, 12)), Some(0.0012)),
        ("claude.resume-after-kill.jsonl", DONE, Ok, Some((4_420, 4_400, 12)), Some(0.0012)),
        ("claude.fork.jsonl", DONE, Ok, Some((4_420, 4_400, 12)), Some(0.0012)),
        ("claude.error-529-twice-then-ok.jsonl", DONE, Ok, one_call, Some(0.0008)),
        ("claude.error-401.jsonl", FAILED, auth(), nothing, Some(0.0)),
        ("claude.error-401-ten-retries.jsonl", FAILED, auth(), nothing, Some(0.0)),
        ("claude.error-429.jsonl", FAILED, transient(), nothing, Some(0.0)),
        ("claude.error-500.jsonl", FAILED, transient(), nothing, Some(0.0)),
        ("claude.error-529.jsonl", FAILED, transient(), nothing, Some(0.0)),
        ("claude.error-api-timeout.jsonl", FAILED, transient(), nothing, Some(0.0)),
        ("claude.error-connection-refused.jsonl", FAILED, transient(), nothing, Some(0.0)),
        ("claude.resume-unknown.jsonl", FAILED, Failed(Cause::Session, None), nothing, Some(0.0)),
        ("claude.max-turns.jsonl", FAILED, Failed(Cause::Turns, None), two_calls, Some(0.0016)),
        ("claude.max-budget.jsonl", FAILED, Failed(Cause::Budget, None), Some((4_200, 0, 60)), Some(0.021)),
        ("claude.sigint-in-tool.jsonl", DONE, Failed(Cause::Interrupted, None), one_call, Some(0.0008)),
        (
            "claude.sigint-while-streaming.jsonl",
            DONE,
            Failed(Cause::Interrupted, None),
            Some((100, 0, 1)),
            Some(0.00042),
        ),
        ("claude.sigterm-in-tool.jsonl", Exit::Code(143), engine(None), None, None),
        ("claude.silent-stream-300s.jsonl", Exit::Signal(9), Failed(Cause::Signal(9), None), None, None),
        ("codex.write.jsonl", DONE, Ok, Some((2_425, 1_200, 75)), None),
        ("codex.apply-patch.jsonl", DONE, Ok, Some((1_830, 900, 54)), None),
        ("codex.mcp.jsonl", DONE, Ok, two_calls, None),
        ("codex.mcp-refused.jsonl", DONE, Ok, two_calls, None),
        ("codex.output-schema.jsonl", DONE, Ok, one_call, None),
        ("codex.sandbox-read-only.jsonl", DONE, Ok, two_calls, None),
        ("codex.sandbox-workspace-write.jsonl", DONE, Ok, two_calls, None),
        ("codex.resume.jsonl", DONE, Ok, Some((3_745, 2_500, 87)), None),
        ("codex.resume-after-kill.jsonl", DONE, Ok, Some((1_320, 1_300, 12)), None),
        ("codex.error-401.jsonl", FAILED, auth(), None, None),
        ("codex.error-429.jsonl", FAILED, transient(), None, None),
        ("codex.error-500.jsonl", FAILED, transient(), None, None),
        ("codex.error-503.jsonl", FAILED, transient(), None, None),
        ("codex.error-dropped.jsonl", FAILED, transient(), None, None),
        ("codex.error-idle-timeout.jsonl", FAILED, transient(), None, None),
        ("codex.sigint-in-tool.jsonl", FAILED, engine(None), None, None),
        ("codex.sigterm-in-tool.jsonl", TERMINATED, Failed(Cause::Signal(15), None), None, None),
        ("opencode.write.jsonl", DONE, Ok, Some((3_755, 2_500, 115)), Some(0.001485)),
        ("opencode.resume.jsonl", DONE, Ok, Some((1_420, 1_400, 12)), Some(0.000044)),
        ("opencode.error-401.jsonl", FAILED, auth(), None, None),
        ("gemini.write.jsonl", DONE, Ok, Some((2_525, 1_200, 95)), None),
        ("gemini.resume.jsonl", DONE, Ok, Some((1_420, 1_300, 32)), None),
        ("gemini.tool-not-allowed.jsonl", DONE, Ok, Some((2_525, 1_200, 95)), None),
        ("gemini.error-401.jsonl", Exit::Code(145), auth(), one_call, None),
        ("copilot.write.jsonl", DONE, Ok, None, None),
        ("copilot.error-401.jsonl", FAILED, auth(), None, None),
        ("qwen.write.jsonl", DONE, Ok, Some((2_425, 1_200, 75)), None),
        ("qwen.error-401.jsonl", DONE, Doubtful(Auth), nothing, None),
        ("aider.edit.txt", DONE, Ok, Some((700, 0, 40)), None),
        ("aider.error-401.txt", DONE, Doubtful(Auth), None, None),
    ]
}

fn judged(verdict: &Verdict) -> Judged {
    match verdict {
        Verdict::Ok => Judged::Ok,
        Verdict::Doubtful(failure) => Judged::Doubtful(failure.class.expect("a doubt has a reason")),
        Verdict::Failed(failure) => Judged::Failed(failure.cause, failure.class),
    }
}

#[test]
fn every_recorded_run_is_judged_and_metered() {
    let mut wrong = Vec::new();
    for (file, exit, verdict, tokens, cost) in expectations() {
        let (_, end) = replay(file, Usage::UNKNOWN, exit, "");
        let got = (judged(&end.verdict), end.usage);
        let used = Some(&end.usage).filter(|usage| usage.basis == Basis::Measured);
        let got_tokens = used.map(|usage| (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens));
        let got_cost = used.and_then(|usage| usage.cost_usd);
        let same_cost = match (got_cost, cost) {
            (Some(got), Some(expected)) => (got - expected).abs() < 1e-9,
            (got, expected) => got.is_none() == expected.is_none(),
        };
        if got.0 != verdict || got_tokens != tokens || !same_cost {
            wrong.push(format!("{file}: {:?}\n    {:?}", end.verdict, end.usage));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_transcript_has_its_expectation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("selftest/transcripts");
    let expected: Vec<_> = expectations().iter().map(|expected| expected.0.to_owned()).collect();
    // One object over many lines, for people: no engine is started in that form.
    let read_by_nobody = ["gemini.output-json.txt"];
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let name = entry.expect("readable").file_name().into_string().expect("UTF-8");
        assert!(expected.contains(&name) || read_by_nobody.contains(&name.as_str()), "{name} is not expected");
    }
}

#[test]
fn sessions_are_told_as_soon_as_they_are_known() {
    for (file, session) in [
        ("claude.session-id.jsonl", "11111111-2222-4333-8444-555555555555"),
        ("codex.write.jsonl", "01a1f75a-1837-75c2-b2a9-add94db1f9c3"),
        ("opencode.write.jsonl", "ses_e08b26e64ffezHcj8xur7b6UkX"),
        ("gemini.write.jsonl", "9e1ef1af-4b38-4bf4-9f18-e2887cbbcc00"),
        ("copilot.write.jsonl", "aa69a76e-28c0-47db-ade6-014e28f4f6dd"),
    ] {
        let (observations, end) = replay(file, Usage::UNKNOWN, DONE, "");
        let told = observations.iter().filter(|o| matches!(o, Observation::Session(id) if id == session)).count();
        assert_eq!((told, end.session_id.as_deref()), (1, Some(session)), "{file}");
    }
}

#[test]
fn the_log_shows_what_the_agent_does_while_it_does_it() {
    for (file, expected) in [
        ("claude.write.jsonl", &["says: I will write the file.", "Write hello.txt", "says: Now a command."][..]),
        ("claude.permission-denied.jsonl", &["denied: Write (Claude requested permissions to write to"]),
        ("claude.subagent.jsonl", &["sub-agent: Write hello.txt", "sub-agent says: Now a command."]),
        ("codex.write.jsonl", &["says: I will write the file.", "$ printf 'hello from codex"]),
        ("codex.apply-patch.jsonl", &["Edit README.md", "Add patched.txt"]),
        ("codex.mcp-refused.jsonl", &["echo/report", "failed: report (MCP tool call requires approval"]),
        ("opencode.write.jsonl", &["write hello.txt", "$ cat hello.txt", "says: Done: hello.txt is written."]),
        ("gemini.write.jsonl", &["says: I will write the file.", "write_file hello.txt"]),
        ("gemini.tool-not-allowed.jsonl", &["failed: Tool \"write_file\" not found."]),
        ("copilot.write.jsonl", &["says: I will write the file.", "$ echo hello from copilot > hello.txt"]),
        ("aider.edit.txt", &["Applied edit to hello.txt"]),
    ] {
        let (observations, _) = replay(file, Usage::UNKNOWN, DONE, "");
        let lines = activities(&observations);
        for part in expected {
            assert!(lines.iter().any(|line| line.starts_with(part)), "{file}: {part}: {lines:#?}");
        }
    }
}

#[test]
fn the_summary_is_the_last_thing_said() {
    for (file, summary) in [
        ("claude.write.jsonl", "Done: hello.txt is written."),
        ("claude.subagent.jsonl", "The sub-agent is done."),
        ("codex.write.jsonl", "Done: hello.txt is written."),
        ("gemini.write.jsonl", "Done: hello.txt is written."),
        ("copilot.write.jsonl", "Done: hello.txt is written."),
        ("qwen.write.jsonl", "Done: hello.txt is written."),
    ] {
        assert_eq!(replay(file, Usage::UNKNOWN, DONE, "").1.summary.as_deref(), Some(summary), "{file}");
    }
}
