//! The traps that real engines lay for whoever starts and reads them; numbers as in `docs/engines.md`.
//!
//! Trap 2 (ending a run by its whole process tree) is the runtime's, not this module's.

use std::time::Duration;

use fleet_protocol::{
    JobResult,
    job::Basis,
    run::ErrorClass::{Auth, Transient},
};

use super::*;

fn failure(file: &str, exit: Exit) -> Option<Failure> {
    replay(file, Usage::UNKNOWN, exit, "").1.failure(false).cloned()
}

#[test]
fn trap_1_a_run_is_judged_by_exit_and_events_together() {
    // "success" and is_error in one event; exit 0 on an interrupt; an exit that denies a good result.
    assert_eq!(failure("claude.error-529.jsonl", Exit::Code(1)).and_then(|failure| failure.class), Some(Transient));
    assert_eq!(failure("claude.error-529.jsonl", Exit::Code(0)).and_then(|failure| failure.class), Some(Transient));
    let interrupted = failure("claude.sigint-in-tool.jsonl", Exit::Code(0)).expect("exit 0 is no success");
    assert_eq!(interrupted.cause, Cause::Interrupted);
    for file in
        ["claude.write.jsonl", "codex.write.jsonl", "opencode.write.jsonl", "gemini.write.jsonl", "copilot.write.jsonl"]
    {
        assert!(failure(file, Exit::Code(1)).is_some(), "{file}: exit 1");
        let killed = failure(file, Exit::Signal(9)).expect("a signal is no success");
        assert_eq!((killed.cause, killed.result()), (Cause::Signal(9), JobResult::Crash), "{file}");
    }
    // Exit 0 without the event that ends a run.
    for file in ["claude.sigterm-in-tool.jsonl", "codex.sigterm-in-tool.jsonl"] {
        assert!(failure(file, Exit::Code(0)).is_some(), "{file}");
    }
}

#[test]
fn trap_1_exit_0_with_a_refused_key_and_no_changes_is_a_failure() {
    for file in ["qwen.error-401.jsonl", "aider.error-401.txt"] {
        let (_, end) = replay(file, Usage::UNKNOWN, Exit::Code(0), "");
        let failure = end.failure(false).expect("nothing was done");
        assert_eq!((failure.class, failure.result()), (Some(Auth), JobResult::AuthError), "{file}");
        assert_eq!(end.failure(true), None, "{file}: work that was done disproves it");
    }
    for line in ["Error: 401 Unauthorized", "Invalid API key · Please run /login", "✗ authentication failed: bad key"]
    {
        let (_, end) = feed(Output::Text, Usage::UNKNOWN, line, Exit::Code(0), "");
        assert_eq!(end.failure(false).map(Failure::result), Some(JobResult::AuthError), "{line}");
        let (_, end) = feed(Output::Text, Usage::UNKNOWN, "hm", Exit::Code(0), line);
        assert_eq!(end.failure(false).map(Failure::result), Some(JobResult::AuthError), "on stderr: {line}");
    }
}

#[test]
fn trap_1_an_agent_that_talks_about_errors_has_not_failed() {
    for answer in [
        "I made the handler answer 401 Unauthorized when the API key is invalid.",
        "The quota exceeded case is covered by a test now; rate limit errors are retried.",
        "Nothing to do: requests with an invalid API key are refused already.",
    ] {
        let (_, end) = feed(Output::Text, Usage::UNKNOWN, answer, Exit::Code(0), "");
        assert_eq!(end.verdict, Verdict::Ok, "{answer}");
    }
    let said = "Error: 401 Unauthorized\nFLEET_NO_CHANGES {\"reason\": \"that is what it should say\"}";
    let (_, end) = feed(Output::Text, Usage::UNKNOWN, said, Exit::Code(0), "");
    assert_eq!(end.failure(false), None, "an agent that claims to be finished was able to work");
}

#[test]
fn trap_1_a_program_that_prints_no_events_at_all_is_judged_by_its_work() {
    for output in [Output::Claude, Output::Codex, Output::Gemini] {
        let (_, end) = feed(output, Usage::UNKNOWN, "a wrapper's words", Exit::Code(0), "");
        assert_eq!(end.failure(true), None, "{output:?}");
        assert!(end.failure(false).is_some(), "{output:?}");
        let (_, end) = feed(output, Usage::UNKNOWN, "Error: invalid api key", Exit::Code(0), "");
        assert_eq!(end.failure(false).map(Failure::result), Some(JobResult::AuthError), "{output:?}");
    }
}

#[test]
fn trap_3_standard_input_is_a_file_or_nothing() {
    let job = Job::new();
    for definition in Catalogue::builtin().iter() {
        let invocation = invocation(definition, &job.request()).expect("can be started");
        let expected = if definition.prompt == PromptMode::Stdin { Stdin::PromptFile } else { Stdin::Null };
        assert_eq!(invocation.stdin, expected, "{}", definition.name);
    }
    let argument = configured("command = ['a']\nprompt = 'argument'");
    assert_eq!(invocation(&argument, &job.request()).expect("starts").stdin, Stdin::Null);
}

#[test]
fn trap_4_a_resumed_run_is_charged_its_own_part_only() {
    let tokens = |usage: Usage| (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens);
    let first = Usage {
        basis: Basis::Measured,
        input_tokens: 2_425,
        cached_input_tokens: 1_200,
        output_tokens: 75,
        ..Usage::UNKNOWN
    };
    let (observations, end) = replay("codex.resume.jsonl", first, Exit::Code(0), "");
    assert_eq!(tokens(end.usage), (1_320, 1_300, 12));
    assert!(observations.contains(&Observation::Usage(end.usage)));

    // The current version tells both; the session's totals (4,275 + 12,900 tokens, 0.02522 USD) are not this run's.
    let first = replay("claude.session-id.jsonl", Usage::UNKNOWN, Exit::Code(0), "").1.usage;
    let second = replay("claude.resume.jsonl", first, Exit::Code(0), "").1.usage;
    assert_eq!(tokens(second), (4_420, 4_400, 12));
    // An older one tells totals only.
    let totals = r#"{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"ok","total_cost_usd":0.02522,
        "modelUsage":{"m":{"inputTokens":1275,"outputTokens":127,"cacheReadInputTokens":12900,"cacheCreationInputTokens":3000}}}"#;
    let (_, end) = feed(Output::Claude, first, &totals.replace('\n', ""), Exit::Code(0), "");
    assert_eq!(tokens(end.usage), (4_420, 4_400, 12));
    assert!((end.usage.cost_usd.expect("told") - 0.0012).abs() < 1e-9);
    assert_eq!(end.usage.turns, Some(1));
}

#[test]
fn trap_5_assistant_events_are_not_summed() {
    let (observations, end) = replay("claude.write.jsonl", Usage::UNKNOWN, Exit::Code(0), "");
    let inputs: Vec<_> = observations
        .iter()
        .filter_map(|observation| match observation {
            Observation::Usage(usage) => Some((usage.basis, usage.input_tokens)),
            _ => None,
        })
        .collect();
    // Five blocks of three model calls: each call counts once, as an estimate, until the result tells the truth.
    let estimates = [(Basis::Estimated, 4_200), (Basis::Estimated, 8_430), (Basis::Estimated, 12_755)];
    assert_eq!(inputs[..3], estimates);
    assert_eq!(inputs[3..], [(Basis::Measured, 12_755)]);
    assert_eq!(end.usage.basis, Basis::Measured);
}

#[test]
fn trap_5_a_run_without_result_is_estimated() {
    let usage = replay("claude.sigterm-in-tool.jsonl", Usage::UNKNOWN, Exit::Code(143), "").1.usage;
    assert_eq!((usage.basis, usage.input_tokens), (Basis::Estimated, 100));
}

#[test]
fn trap_6_the_run_ends_with_the_process_not_with_the_first_result() {
    for (file, results, summary) in [
        ("claude.subagent.jsonl", 2, "The sub-agent is done."),
        ("claude.stdin-two-turns.jsonl", 2, "Second turn, prompt was: second prompt"),
        ("claude.stdin-interrupt-then-go-on.jsonl", 2, "slept"),
    ] {
        let (observations, end) = replay(file, Usage::UNKNOWN, Exit::Code(0), "");
        let measured = observations
            .iter()
            .filter(|observation| matches!(observation, Observation::Usage(usage) if usage.basis == Basis::Measured))
            .count();
        assert!(measured >= results, "{file}");
        assert_eq!((end.summary.as_deref(), end.failure(false)), (Some(summary), None), "{file}");
    }
}

#[test]
fn trap_6_the_order_of_keys_does_not_matter() {
    let line = r#"{"result":"done","usage":{},"is_error":false,"session_id":"s","subtype":"success","type":"result"}"#;
    let (observations, end) = feed(Output::Claude, Usage::UNKNOWN, line, Exit::Code(0), "");
    assert_eq!(observations[0], Observation::Session("s".to_owned()));
    assert_eq!((end.verdict, end.summary.as_deref()), (Verdict::Ok, Some("done")));
}

#[test]
fn trap_7_retries_show_and_name_their_class() {
    let retries = |file| -> Vec<_> {
        let (observations, _) = replay(file, Usage::UNKNOWN, Exit::Code(1), "");
        observations.into_iter().filter(|o| matches!(o, Observation::Retrying { .. })).collect()
    };
    let ten = retries("claude.error-401-ten-retries.jsonl");
    assert_eq!(ten.len(), 10);
    let expected = Observation::Retrying {
        attempt: Some(1),
        of: Some(10),
        delay: Some(Duration::from_millis(615)),
        class: Some(Auth),
        message: "authentication_failed (401)".to_owned(),
    };
    assert_eq!(ten[0], expected);
    for (file, class) in [
        ("claude.error-529.jsonl", Some(Transient)),
        ("codex.error-503.jsonl", Some(Transient)),
        ("codex.error-401.jsonl", Some(Auth)),
        ("copilot.error-401.jsonl", Some(Auth)),
    ] {
        assert!(matches!(&retries(file)[0], Observation::Retrying { class: got, .. } if *got == class), "{file}");
    }
    let claude = invocation(&builtin("claude"), &Job::new().request()).expect("starts");
    let most: u32 = claude.env["CLAUDE_CODE_MAX_RETRIES"].parse().expect("a number");
    assert!((1..10).contains(&most));
}

#[test]
fn trap_8_a_silent_stream_is_told_as_a_retry_not_as_work() {
    let (observations, end) = replay("claude.silent-stream-300s.jsonl", Usage::UNKNOWN, Exit::Signal(9), "");
    assert_eq!(activities(&observations), [""; 0]);
    assert!(observations.iter().any(|o| matches!(o, Observation::Retrying { .. })), "{observations:?}");
    assert_eq!(end.failure(false).map(|failure| failure.cause), Some(Cause::Signal(9)));
}

#[test]
fn trap_9_an_agent_can_have_a_home_of_its_own() {
    let mut job = Job::new();
    job.environment.insert("XDG_CONFIG_HOME".to_owned(), "/home/ann/.config".to_owned());
    let own = invocation(&builtin("codex"), &Request { home: Some(Path::new("/run/1/home")), ..job.request() });
    let own = own.expect("starts").env;
    assert_eq!((own["HOME"].as_str(), own.get("XDG_CONFIG_HOME")), ("/run/1/home", None));
    let users = invocation(&builtin("codex"), &job.request()).expect("starts").env;
    assert_eq!((users["HOME"].as_str(), users["XDG_CONFIG_HOME"].as_str()), ("/home/ann", "/home/ann/.config"));
}

#[test]
fn trap_10_extra_traffic_is_off() {
    let job = Job::new();
    let started = |name| invocation(&builtin(name), &job.request()).expect("starts");
    let claude = started("claude").env;
    for name in ["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER"] {
        assert_eq!(claude[name], "1");
    }
    for setting in ["features.plugins=false", "analytics.enabled=false", "check_for_update_on_startup=false"] {
        assert!(started("codex").argv.iter().any(|argument| argument == setting), "{setting}");
    }
    assert_eq!(started("opencode").env["OPENCODE_DISABLE_AUTOUPDATE"], "1");
    for flag in ["--no-check-update", "--analytics-disable"] {
        assert!(started("aider").argv.iter().any(|argument| argument == flag), "{flag}");
    }
}

#[test]
fn trap_11_litter_goes_to_a_folder_of_the_run() {
    let mut job = Job::new();
    job.environment.insert("TMPDIR".to_owned(), "/tmp".to_owned());
    for definition in Catalogue::builtin().iter() {
        let env = invocation(definition, &job.request()).expect("starts").env;
        for name in ["TMPDIR", "TMP", "TEMP"] {
            assert_eq!(env[name], "/run/1/tmp", "{}", definition.name);
        }
    }
}
