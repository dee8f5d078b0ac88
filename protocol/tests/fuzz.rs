//! Whatever is written into a task file, a profile or a log: it is read, or refused with a place inside it.

#[path = "../../selftest/fuzz/harness.rs"]
mod harness;

use std::{fs, path::Path};

use fleet_protocol::{
    ByteSize, JobId, Span,
    capability::unmet,
    manifest::{self, Mistake},
    profile,
    secret::{Mask, find},
};
use harness::Fuzz;
use serde_json::Value;

/// Every markdown file of these folders of the repository.
fn markdown(folders: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).expect("a folder").flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).expect("text")).collect()
}

const KEYS: &[&str] = &[
    "---\n",
    "title: ",
    "engine: ",
    "verify: ",
    "deps: [a, b]\n",
    "retry: { max: 2, on: [timeout] }\n",
    "budget: { usd: 1 }\n",
    "# ",
    "? ",
    "- ",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!x ",
    "|\n",
    ">-\n",
    "|+2\n",
    "%YAML 1.2\n",
    "...\n",
    "\"\\x41\"",
    "'''",
    "{a: {b: [",
    "secrets: [A]\n",
    "allowed-scope: ['**']\n",
    "review-policy: manual\n",
    "timeout: 99999999999999999999d\n",
    "0x1F",
    "!!binary ",
];

/// Places are inside the text, and messages are for people: short, and on one line.
fn check(text: &str, mistakes: &[Mistake]) {
    let lines: Vec<&str> = text.split('\n').collect();
    for mistake in mistakes {
        let Mistake { line, column, key: _, message, help } = mistake;
        let line_text =
            lines.get(line.wrapping_sub(1)).unwrap_or_else(|| panic!("line {line} of {}: {message}", lines.len()));
        assert!(*column >= 1 && *column <= line_text.chars().count() + 1, "column {column} of line {line}: {message}");
        let said = format!("{message}{}", help.clone().unwrap_or_default());
        assert!(said.len() < 4_000 && !said.contains(char::is_control), "{said:?}");
    }
    assert!(mistakes.len() <= text.len() + 1, "no more mistakes than letters");
}

#[test]
fn task_files_are_read_or_refused_with_a_place_inside() {
    let corpus = markdown(&["tasks/examples", "docs"]);
    Fuzz { target: "task-file", corpus, words: KEYS }.run(|text| match manifest::parse(text, "name.md") {
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty(), "an error says why");
            check(text, &mistakes.0);
        }
        Ok(task) => {
            check(text, &task.warnings);
            assert!(text.ends_with(&task.body), "the body is the end of the file, byte for byte");
            assert!(!task.title.trim().is_empty() && task.title.len() <= text.len() + 64, "{:?}", task.title);
            assert_eq!(manifest::validate(&task.manifest), [], "what was read is right");
            let written = manifest::render(&task.manifest, &task.body);
            let again = manifest::parse(&written, "name.md").unwrap_or_else(|why| panic!("{why}\n{written}"));
            assert_eq!((again.manifest, again.body), (task.manifest, task.body), "written and read again");
        }
    });
}

#[test]
fn front_matter_alone_is_read_or_refused() {
    // Small inputs: more of them bend what is in between the lines.
    let corpus = [
        "---\ntitle: a\n---\nb",
        "---\ndeps: [a]\nretry: {max: 1}\n---\n",
        "---\nverify: |\n  a\n  b\n---\n",
        "---\n{a: 1}\n---\n",
    ];
    let corpus = corpus.map(str::to_owned).to_vec();
    Fuzz { target: "front-matter", corpus, words: KEYS }.run(|text| match manifest::parse(text, "x.md") {
        Err(mistakes) => check(text, &mistakes.0),
        Ok(task) => {
            let written = manifest::render(&task.manifest, &task.body);
            let again = manifest::parse(&written, "x.md").unwrap_or_else(|why| panic!("{why}\n{written}"));
            assert_eq!((again.manifest, again.body), (task.manifest, task.body));
        }
    });
}

#[test]
fn manifests_as_json_are_read_or_refused() {
    let examples = markdown(&["tasks/examples"]);
    let tasks = examples.iter().filter_map(|text| manifest::parse(text, "x.md").ok());
    let corpus = tasks.map(|task| serde_json::to_string(&task.manifest).expect("JSON")).collect();
    Fuzz {
        target: "json",
        corpus,
        words: &["\"title\":", "\"retry\":{\"max\":", "\"body\":\"x\",", "[[[[", "\"deps\":[", "\\u0000", "1.5"],
    }
    .run(|text| {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return };
        if let Ok(task) = manifest::from_json(&value, "x.md") {
            assert_eq!(manifest::validate(&task.manifest), [], "what was read is right");
        }
    });
}

#[test]
fn profiles_are_read_or_refused_with_a_place_inside() {
    Fuzz { target: "profile", corpus: markdown(&["profiles"]), words: KEYS }.run(|text| {
        match profile::parse(text, "name.md") {
            Err(mistakes) => check(text, &mistakes.0),
            Ok(profile) => assert!(!profile.persona.trim().is_empty(), "a profile says something"),
        }
    });
}

#[test]
fn single_values_are_read_or_refused() {
    let corpus = ["90s", "1h30m", "4GiB", "node>=20.1", "os:linux", "k3f9a0b1c2", "gpu:2"].map(str::to_owned).to_vec();
    Fuzz { target: "value", corpus, words: &["d", "h", "GiB", ">=", "<", "=", ".", "9999999999999999999"] }.run(
        |text| {
            if let Ok(span) = text.parse::<Span>() {
                assert_eq!(span.to_string().parse::<Span>().ok(), Some(span), "{text:?}");
            }
            if let Ok(size) = text.parse::<ByteSize>() {
                assert_eq!(size.to_string().parse::<ByteSize>().ok(), Some(size), "{text:?}");
            }
            if let Ok(id) = text.parse::<JobId>() {
                assert_eq!(id.as_str(), text);
            }
            let words: Vec<String> = text.split(',').map(str::to_owned).collect();
            assert!(unmet(&words, &words).len() <= words.len());
        },
    );
}

#[test]
fn secrets_are_masked_alike_however_the_text_arrives() {
    let tokens = [
        format!("ghp_{}", "0aZ9bY8cX7dW6eV5fU4g"),
        format!("Authorization: Bearer {}", "0aZ9bY8cX7dW6eV5fU4g"),
        format!("-----BEGIN {} KEY-----\n{}\n{}==\n-----END", "PRIVATE", "0aZ9+bY8".repeat(8), "Zm9v"),
        format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", "0aZ9bY8cX7dW6eV5fU4g", "0aZ9bY8cX7dW6eV5fU4g"),
        format!("NPM_TOKEN=\"{}\" https://ann:{}@host/", "0aZ9bY8cX7dW6eV5fU4g", "0aZ9bY8c"),
        "the value is hunter2-hunter3 and no other".to_owned(),
    ];
    let mask = Mask::new(["hunter2-hunter3", "2-hun\"ter\n3", "aZ9bY8cX7"]);
    let words = [
        "sk-",
        "AKIA",
        "eyJ",
        "://",
        "@",
        "token",
        "=",
        "Bearer ",
        "-----",
        "BEGIN ",
        "PRIVATE KEY",
        "hunter",
        "\\n",
        "*",
        "ghp_",
    ];
    Fuzz { target: "mask", corpus: tokens.to_vec(), words: &words }.run(|text| {
        let whole = mask.text(text);
        assert_eq!(whole.len(), text.len(), "offsets stay");
        assert!(!whole.contains("hunter2-hunter3"));
        assert_eq!(find(text), find(text));
        let mut bytes = text.as_bytes().to_vec();
        mask.bytes(&mut bytes);
        let mut sent = Vec::new();
        let mut waiting: Vec<u8> = Vec::new();
        for piece in text.as_bytes().chunks(1 + text.len() / 40) {
            waiting.extend_from_slice(piece);
            let mut seen = waiting.clone();
            let now = mask.growing(&mut seen);
            sent.extend_from_slice(&seen[..now]);
            waiting.drain(..now);
        }
        mask.bytes(&mut waiting);
        sent.extend_from_slice(&waiting);
        assert_eq!(String::from_utf8_lossy(&sent), String::from_utf8_lossy(&bytes), "in pieces as in one");
    });
}
