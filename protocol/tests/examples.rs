//! The example task files and the built-in profiles of this repository are right, and show what there is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use fleet_protocol::{
    manifest::{self, FIELDS, Support, TaskFile},
    profile,
};

/// Every markdown file of a folder of this repository: its name and text.
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let paths = fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("text"))).collect()
}

fn examples() -> Vec<(String, TaskFile)> {
    let parse = |(name, text): (String, String)| {
        let task = manifest::parse(&text, &name).unwrap_or_else(|mistakes| panic!("{}", mistakes.in_file(&name)));
        (name, task)
    };
    files("tasks/examples").into_iter().map(parse).collect()
}

#[test]
fn every_example_is_right_and_reads_back_the_same() {
    let examples = examples();
    assert!(examples.len() >= 12, "{}", examples.len());
    for (name, task) in examples {
        assert_eq!(task.warnings, [], "{name}");
        let again = manifest::parse(&manifest::render(&task.manifest, &task.body), &name).expect("a task file");
        assert_eq!(again, task, "{name}");
    }
}

#[test]
fn examples_for_later_and_only_those_ask_for_what_is_not_supported() {
    for (name, task) in examples() {
        let unsupported = manifest::unsupported(&task.manifest);
        assert_eq!(!unsupported.is_empty(), name.starts_with("later-"), "{name}: {unsupported:?}");
    }
}

#[test]
fn the_examples_show_every_key_that_does_something() {
    let texts: String = files("tasks/examples").into_iter().map(|(_, text)| text).collect();
    let keys: BTreeSet<&str> = texts.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key).collect();
    for field in FIELDS.iter().filter(|field| field.support != Support::NotYet) {
        assert!(keys.contains(field.key), "no example has `{}`", field.key);
    }
}

#[test]
fn every_profile_is_right_and_named_like_its_file() {
    let names: Vec<String> = files("profiles")
        .into_iter()
        .map(|(file, text)| {
            let stem = file.trim_end_matches(".md");
            let profile = profile::parse(&text, stem).unwrap_or_else(|mistakes| panic!("{}", mistakes.in_file(&file)));
            assert_eq!(profile.name, stem);
            assert!(profile.description.is_some(), "{file}");
            profile.name
        })
        .collect();
    let starter = [
        "backend-engineer",
        "developer",
        "docs-writer",
        "frontend-engineer",
        "planner",
        "qa",
        "reviewer",
        "ui-designer",
        "ux-designer",
    ];
    assert_eq!(names, starter);
}

/// An engine that repeats its input would otherwise report what the persona only explains.
#[test]
fn no_line_of_a_profile_can_be_taken_for_a_marker() {
    for (file, text) in files("profiles") {
        for line in text.lines() {
            let bare = line.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            assert!(!bare.starts_with("FLEET_"), "{file}: {line}");
        }
    }
}
