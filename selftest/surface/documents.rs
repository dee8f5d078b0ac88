//! The documents say what is so: links lead somewhere, and lists are those of the program.

use std::{collections::BTreeSet, path::Path};

use fleet_protocol::{ErrorCode, ExitCode, JobResult, api::EmptyReason};

use super::markdown::{anchor, code, links, markdown_in, pages, prose, read, root, table};

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut all = pages();
    all.extend(["CHANGELOG.md".to_owned(), "demo/README.md".to_owned()]);
    all.extend(markdown_in("docs/adr"));
    let mut wrong = Vec::new();
    for page in &all {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&read(page)).into_iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').map_or((link.as_str(), None), |(path, name)| (path, Some(name)));
            let target = if path.is_empty() { page.clone() } else { format!("{folder}/{path}") };
            let target = target.trim_start_matches('/');
            if !root().join(target).exists() {
                wrong.push(format!("{page}: {link}"));
            } else if heading.is_some_and(|heading| !headings(&read(target)).contains(heading)) {
                wrong.push(format!("{page}: {link} (no such heading)"));
            }
        }
    }
    assert!(wrong.is_empty(), "these links lead nowhere:\n{}", wrong.join("\n"));
}

fn headings(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let linked: BTreeSet<String> = links(&read("README.md")).into_iter().collect();
    let lost: Vec<String> = markdown_in("docs").into_iter().filter(|page| !linked.contains(page.as_str())).collect();
    assert!(lost.is_empty(), "the README does not link to {lost:?}");
}

#[test]
fn the_engines_are_those_that_are_built_in() {
    let text = read("src/engine/builtin.toml");
    let built_in: Vec<&str> = text
        .split("[[engine]]")
        .skip(1)
        .filter_map(|engine| engine.lines().find_map(|line| line.strip_prefix("name = ")))
        .map(|name| name.trim_matches('"'))
        .collect();
    let page = read("docs/engines.md");
    let rows = table(&page, "Built-in engines");
    let documented: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(documented, built_in);
    let readme = read("README.md");
    for name in built_in.iter().filter(|name| **name != "scripted") {
        assert!(readme.contains(name), "the README does not name `{name}`");
    }
}

#[test]
fn the_profiles_that_are_named_are_there() {
    let built_in: BTreeSet<String> = markdown_in("profiles")
        .iter()
        .filter_map(|path| Some(path.strip_prefix("profiles/")?.strip_suffix(".md")?.to_owned()))
        .collect();
    for page in pages() {
        for line in read(&page).lines() {
            let Some(name) = line.trim().strip_prefix("profile: ") else { continue };
            let name = name.split('#').next().unwrap_or_default().trim();
            assert!(built_in.contains(name), "{page} names the profile `{name}`; there are {built_in:?}");
        }
    }
}

/// Words of the wire in a page's text, for example `verify_failed`.
fn wire_words(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let words = code(&prose).into_iter().filter(|word| word.contains('_'));
    words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_')).map(str::to_owned).collect()
}

#[test]
fn results_in_the_trouble_table_are_results_and_every_bad_one_has_advice() {
    let page = read("docs/troubleshooting.md");
    let known: BTreeSet<String> = JobResult::ALL.iter().map(|word| word.as_str().to_owned()).collect();
    let stages = ["dead_letter".to_owned()];
    let unknown: Vec<String> =
        wire_words(&page).into_iter().filter(|word| !known.contains(word) && !stages.contains(word)).collect();
    assert!(unknown.is_empty(), "no such result or stage: {unknown:?}");
    let rows = table(&page, "A job did not end as hoped");
    let advised: BTreeSet<String> =
        rows.iter().flat_map(|row| code(&row[0]).into_iter().map(str::to_owned).collect::<Vec<_>>()).collect();
    let silent: Vec<&String> = known.iter().filter(|word| *word != "ok" && !advised.contains(*word)).collect();
    assert!(silent.is_empty(), "no advice about {silent:?}");
}

#[test]
fn the_codes_of_errors_and_exits_are_those_of_the_program() {
    let rows = table(&read("docs/protocol.md"), "Errors");
    let documented: Vec<(String, String, String)> =
        rows.iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone(), row[2].clone())).collect();
    let right: Vec<(String, String, String)> = ErrorCode::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), code.status().to_string(), code.exit().code().to_string()))
        .collect();
    assert_eq!(documented, right);
    let rows = table(&read("docs/exit-codes.md"), "Exit codes");
    let codes: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(codes, ExitCode::ALL.iter().map(|code| code.code().to_string()).collect::<Vec<_>>());
}

#[test]
fn the_reasons_of_an_empty_claim_are_those_of_the_protocol() {
    let page = read("docs/scheduler.md");
    let rows = table(&page, "Obstacles");
    let named: BTreeSet<String> = rows.iter().map(|row| row[2].trim_matches('`').to_owned()).collect();
    // Nothing gives the one yet; the other is a runner's own reason not to claim, whatever the job.
    let later = ["budget_paused", "low_disk"];
    let known: BTreeSet<String> = EmptyReason::ALL
        .iter()
        .map(|word| word.as_str().to_owned())
        .filter(|word| !later.contains(&word.as_str()))
        .collect();
    assert_eq!(named, known);
    let source = read("coordinator/src/scheduler/obstacle.rs");
    let variants = source.split("pub enum Obstacle {").nth(1).and_then(|rest| rest.split("\n}").next());
    let variants = variants
        .expect("the list of obstacles")
        .lines()
        .filter(|line| line.trim_start().starts_with(char::is_uppercase));
    assert_eq!(rows.len(), variants.count(), "one row an obstacle");
}

#[test]
fn weights_and_limits_in_the_pages_are_the_defaults() {
    let settings = read("docs/configuration.md");
    let default = |key: &str| {
        let row = settings.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("no setting `{key}`"));
        row.split(" | ").nth(2).expect("a default").trim_matches('`').to_owned()
    };
    for (page, key) in [
        ("docs/scheduler.md", "coordinator.lease-ttl"),
        ("docs/scheduler.md", "coordinator.start-limit"),
        ("docs/scheduler.md", "worker.max"),
        ("docs/operations.md", "worker.checkpoint"),
    ] {
        let value = default(key);
        let says = read(page).contains(&format!("`{key}`, {value}"));
        assert!(says, "{page} must say: `{key}`, {value}");
    }
}

#[test]
fn the_tests_that_keep_the_promises_of_the_security_page_are_there() {
    let root = root();
    let mut sources = String::new();
    for folder in ["src", "protocol", "coordinator", "selftest"] {
        gather(&root.join(folder), &mut sources);
    }
    let page = read("docs/security.md");
    let table = page.split("| promise | planted bug | caught by |").nth(1).expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut named = 0;
    for row in rows {
        let caught_by = row.trim_end_matches([' ', '|']).rsplit(" | ").next().expect("a last column");
        for name in caught_by.split('`').skip(1).step_by(2) {
            assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
            named += 1;
        }
    }
    assert!(named > 30, "{named} tests are named");
}

/// All Rust sources below a folder, one after another.
fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            gather(&entry, sources);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&entry).expect("a source"));
        }
    }
}
