//! The house keeps its shape: layers, sizes, obligations that would otherwise be remembered.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, with its text; paths are relative to the repository.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder's entries can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a source file can be read");
                files.push((relative(&path), text));
            }
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("a file of this repository").to_string_lossy().into_owned()
}

fn every_rust_file() -> Vec<(String, String)> {
    ["src", "protocol/src", "coordinator/src", "selftest", "benches"]
        .iter()
        .filter(|folder| root().join(folder).exists())
        .flat_map(|folder| rust_files(folder))
        .collect()
}

fn is_test(path: &str) -> bool {
    path.starts_with("selftest/") || path.contains("/tests") || path.contains("_tests")
}

/// The part of a file that ships: everything before its test module.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn files_hold_one_idea() {
    let big: Vec<String> = every_rust_file()
        .iter()
        .map(|(path, text)| (path, text.lines().count(), if is_test(path) { 600 } else { 400 }))
        .filter(|(_, lines, most)| lines > most)
        .map(|(path, lines, most)| format!("{path}: {lines} lines, at most {most}"))
        .collect();
    assert!(big.is_empty(), "split these:\n{}", big.join("\n"));
}

/// Which module must not know which: `(folder, words that its shipped code must not hold)`.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "protocol/src",
        &[
            "tokio",
            "std::fs",
            "std::env",
            "std::process",
            "SystemTime",
            "Timestamp::now",
            "rusqlite",
            "axum",
            "reqwest",
        ],
    ),
    ("coordinator/src", &["git2", "crossterm", "ratatui", "indicatif", "std::env", "std::process"]),
    (
        "coordinator/src/lifecycle",
        &["rusqlite", "std::fs", "tokio", "axum", "Timestamp::now", "crate::store", "crate::service"],
    ),
    (
        "coordinator/src/scheduler",
        &["rusqlite", "std::fs", "tokio", "axum", "Timestamp::now", "crate::store", "crate::service"],
    ),
    (
        "src/client",
        &[
            "crate::cli",
            "crate::worker",
            "crate::engine",
            "crate::runtime",
            "crate::queue",
            "crate::workspace",
            "crate::config",
        ],
    ),
    ("src/cli", &["crate::worker", "crate::engine", "crate::runtime", "fleet_coordinator", "rusqlite"]),
    (
        "src/engine",
        &[
            "std::fs",
            "tokio",
            "std::process",
            "std::env",
            "Instant::now",
            "crate::runtime",
            "crate::worker",
            "crate::client",
            "crate::cli",
            "crate::workspace",
        ],
    ),
    (
        "src/runtime",
        &[
            "crate::engine",
            "crate::worker",
            "crate::client",
            "crate::cli",
            "crate::queue",
            "crate::workspace",
            "crate::config",
        ],
    ),
    (
        "src/workspace",
        &[
            "crate::engine",
            "crate::runtime",
            "crate::worker",
            "crate::client",
            "crate::cli",
            "crate::queue",
            "crate::config",
        ],
    ),
    ("src/worker", &["crate::cli", "crate::queue", "crate::config", "rusqlite", "fleet_coordinator"]),
    ("src/queue", &["crate::cli", "crate::worker", "crate::engine", "crate::runtime", "fleet_coordinator"]),
    (
        "src/config",
        &["crate::cli", "crate::worker", "crate::engine", "crate::runtime", "crate::client", "crate::queue"],
    ),
];

#[test]
fn layers_point_one_way() {
    let mut wrong = Vec::new();
    for (folder, forbidden) in LAYERS {
        for (path, text) in rust_files(folder) {
            if is_test(&path) {
                continue;
            }
            for (number, line) in shipped(&text).lines().enumerate() {
                let code = line.split("//").next().unwrap_or("");
                for word in forbidden.iter().filter(|word| reaches(code, word)) {
                    wrong.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these lines reach where their layer must not:\n{}", wrong.join("\n"));
}

/// Whether the code holds the word and it ends there: `crate::cli` is not in `crate::client`.
fn reaches(code: &str, word: &str) -> bool {
    code.match_indices(word)
        .any(|(at, _)| !code[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn the_coordinator_names_no_engine() {
    let named: Vec<String> = rust_files("coordinator/src")
        .into_iter()
        .filter(|(path, text)| {
            !is_test(path)
                && ["\"claude\"", "\"codex\"", "\"devin\"", "\"copilot\""]
                    .iter()
                    .any(|name| shipped(text).contains(name))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn only_the_clock_tells_the_time() {
    let asking: Vec<String> = every_rust_file()
        .into_iter()
        .filter(|(path, _)| path != "coordinator/src/clock.rs" && !is_test(path))
        .filter(|(_, text)| ["Timestamp::now(", "SystemTime::now("].iter().any(|word| shipped(text).contains(word)))
        .map(|(path, _)| path)
        .collect();
    assert!(asking.is_empty(), "these read the wall clock: {asking:?}");
}

#[test]
fn module_files_say_what_the_module_is_and_hold_no_logic() {
    let wrong: Vec<String> = every_rust_file()
        .into_iter()
        .filter(|(path, text)| {
            path.ends_with("/mod.rs")
                && text.lines().any(|line| {
                    line.starts_with("fn ") || line.starts_with("pub(crate) fn ") || line.starts_with("impl ")
                })
        })
        .filter(|(path, _)| !is_test(path))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "move the logic of these into files named for it: {wrong:?}");
}

#[test]
fn every_file_opens_with_its_one_sentence() {
    let silent: Vec<String> =
        every_rust_file().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these do not say what they are: {silent:?}");
}

#[test]
fn no_test_is_forgotten_or_ignored() {
    let runner = fs::read_to_string(root().join("selftest/main.rs")).expect("the runner can be read");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("selftest")).expect("the folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_stem().expect("an entry has a name").to_string_lossy().into_owned();
        let is_module = path.extension().is_some_and(|end| end == "rs") || path.join("mod.rs").exists();
        if is_module && name != "main" && !runner.contains(&format!("mod {name};")) {
            wrong.push(format!("selftest/{name} is not in the runner"));
        }
    }
    let ignored = concat!("#[", "ignore");
    wrong.extend(
        every_rust_file()
            .into_iter()
            .filter(|(_, text)| text.contains(ignored))
            .map(|(path, _)| format!("{path} has an ignored test")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_house_stands_and_the_readme_knows_its_rooms() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    for room in [
        "Cargo.toml",
        "src",
        "profiles",
        "tasks",
        "coordinator",
        "protocol",
        "selftest",
        "demo",
        "docs",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ] {
        assert!(root().join(room).exists(), "{room} is missing");
        assert!(room == "README.md" || readme.contains(room), "the README does not mention {room}");
    }
}

#[test]
fn the_plan_of_the_house_shows_every_room_of_the_source() {
    let plan = fs::read_to_string(root().join("docs/architecture.md")).expect("the plan");
    let hidden: Vec<String> = fs::read_dir(root().join("src"))
        .expect("the source can be listed")
        .map(|entry| entry.expect("an entry can be read"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir()))
        .map(|(name, is_folder)| if is_folder { format!("{name}/") } else { name })
        .filter(|name| !plan.contains(&format!("\n  {name} ")))
        .collect();
    assert!(hidden.is_empty(), "docs/architecture.md does not show {hidden:?}");
}
