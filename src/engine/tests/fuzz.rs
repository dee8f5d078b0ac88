//! Whatever an engine prints: its reader goes on, says little, and says it cleanly.

#[path = "../../../selftest/fuzz/harness.rs"]
mod harness;

use std::{cell::Cell, fs};

use harness::Fuzz;

use super::*;
use crate::engine::marker;

/// Recorded runs of these engines, cut into pieces of a few lines so that bending reaches all of them.
fn recorded(prefixes: &[&str]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("selftest/transcripts");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let of_engine = |path: &std::path::PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut pieces = Vec::new();
    for path in paths.into_iter().filter(of_engine) {
        let text = fs::read_to_string(&path).expect("text");
        let lines: Vec<&str> = text.lines().filter(|line| line.len() < 3_000).collect();
        pieces.extend(lines.chunks(4).map(|lines| lines.join("\n")));
    }
    assert!(!pieces.is_empty(), "{prefixes:?}");
    pieces
}

const WORDS: &[&str] = &[
    "{\"type\":\"result\"",
    "\"usage\":{\"input_tokens\":-5}",
    "\"total_cost_usd\":1e308",
    "\"session_id\":\"\"",
    "\"is_error\":true",
    "\"message\":{\"content\":[{\"type\":\"text\",\"text\":",
    "FLEET_PROGRESS {\"percent\": 400}",
    "FLEET_USAGE {\"inputTokens\": 1}",
    "FLEET_QUESTION {\"question\": \"?\"}",
    "FLEET_ARTIFACT {\"path\": \"../x\"}",
    "FLEET_STATUS ",
    "Tokens: 1.2k sent",
    "\"num_turns\":4294967296",
];

/// One line for people: short, and nothing in it that a terminal would take for an order.
fn is_line(text: &str) -> bool {
    text.chars().count() <= 500 && !text.contains(char::is_control)
}

fn check(output: Output, text: &str) {
    let mut reader = reader(output, Start { workspace: "/repo".to_owned(), before: Usage::UNKNOWN });
    let told = Cell::new(0_usize);
    for line in text.lines() {
        for seen in reader.line(Stream::Stdout, line) {
            told.set(told.get() + 1);
            match seen {
                Observation::Activity(line) => assert!(is_line(&line), "{line:?}"),
                Observation::Retrying { message, .. } => assert!(is_line(&message), "{message:?}"),
                Observation::Usage(usage) => {
                    assert!(usage.cost_usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0), "{usage:?}");
                }
                Observation::Session(session) => {
                    assert!(!session.is_empty() && session.len() <= text.len(), "{session:?}");
                }
                Observation::Marker(_) => {}
            }
        }
        drop(reader.line(Stream::Stderr, line));
    }
    assert!(told.get() <= text.len() + 8, "no more is told than was printed");
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Code(255), Exit::Signal(9)] {
        let Conclusion { verdict, usage, summary, session_id, artifacts, .. } =
            feed(output, Usage::UNKNOWN, text, exit, text).1;
        if let Verdict::Failed(failure) | Verdict::Doubtful(failure) = verdict {
            assert!(is_line(&failure.message) && !failure.message.is_empty(), "{:?}", failure.message);
        }
        assert!(usage.cost_usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0), "{usage:?}");
        assert!(summary.is_none_or(|summary| summary.len() <= text.len() + 64));
        assert!(session_id.is_none_or(|session| !session.is_empty()));
        assert!(artifacts.len() <= 1_000);
    }
}

#[test]
fn readers_go_on_whatever_is_printed() {
    for (target, output, prefixes) in [
        ("claude", Output::Claude, ["claude", "qwen"].as_slice()),
        ("codex", Output::Codex, &["codex"]),
        ("opencode", Output::Opencode, &["opencode"]),
        ("gemini", Output::Gemini, &["gemini"]),
        ("copilot", Output::Copilot, &["copilot"]),
        ("aider", Output::Aider, &["aider"]),
        ("text", Output::Text, &["aider"]),
        // What one engine prints, read as another's.
        ("claude", Output::Claude, &["codex", "gemini"]),
    ] {
        Fuzz { target, corpus: recorded(prefixes), words: WORDS }.run(|text| check(output, text));
    }
}

#[test]
fn marker_lines_are_read_or_noted_with_the_reason() {
    let corpus = [
        r#"FLEET_PROGRESS {"percent": 40, "step": 2, "of": 5, "status": "testing"}"#,
        r#"**FLEET_STATUS** `{"status": "x"}`"#,
        r#"- FLEET_QUESTION {"question": "which?", "options": ["a", "b"], "default": "a"}"#,
        r#"> FLEET_USAGE {"inputTokens": 900, "outputTokens": 40, "costUsd": 0.02, "turns": 1}"#,
        r#"FLEET_ARTIFACT {"path": "report.html"}"#,
        r#"FLEET_NO_CHANGES {"reason": "…"}"#,
    ];
    let corpus = corpus.map(str::to_owned).to_vec();
    let words =
        ["FLEET_", "_PROGRESS", "**", "`", "{\"percent\":", "{{{{", "[[[[", "\"status\":", "1e400", "\"step\":-1"];
    Fuzz { target: "marker", corpus, words: &words }.run(|text| {
        for line in text.lines() {
            match marker::read(line) {
                marker::Reading::Plain => {}
                marker::Reading::Malformed(why) => {
                    assert!(why.len() <= 300 && !why.contains(char::is_control), "{why:?}");
                }
                marker::Reading::Marker(Marker::Progress(progress)) => {
                    assert!(progress.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)), "{progress:?}");
                }
                marker::Reading::Marker(Marker::Usage(usage)) => {
                    assert!(usage.cost_usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0), "{usage:?}");
                }
                marker::Reading::Marker(Marker::Status(text) | Marker::Artifact(text)) => assert!(!text.is_empty()),
                marker::Reading::Marker(_) => {}
            }
        }
    });
}
