//! Every command in the documents is run, or says why not.
//!
//! A block of a language that somebody can carry out has a marker on the line before it: `<!-- test: NAME -->` or
//! `<!-- not run: REASON -->`. The tested blocks of a page are followed from top to bottom, in one repository.

use std::collections::BTreeSet;

use super::{
    markdown::{Block, Marker, blocks, pages, read},
    reader::Reader,
};
use crate::world::World;

/// Languages that a reader would copy and use.
const USED: [&str; 4] = ["sh", "crontab", "markdown", "toml"];

/// The blocks of a page that are to be followed, with their names.
fn tested(page: &str) -> Vec<(Block, String)> {
    blocks(page, &read(page))
        .into_iter()
        .filter_map(|block| match block.marker.clone() {
            Some(Marker::Test(name)) => Some((block, name)),
            _ => None,
        })
        .collect()
}

fn follow(page: &str) {
    let tested = tested(page);
    if tested.is_empty() {
        return;
    }
    let reader = Reader::new();
    for (block, name) in &tested {
        reader.follow(block, name);
    }
}

#[test]
fn every_block_that_can_be_used_is_tested_or_says_why_not() {
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&page, &read(&page)) {
            match &block.marker {
                Some(Marker::Test(name)) if !names.insert(name.clone()) => {
                    wrong.push(format!("{}: another block is called `{name}`", block.place));
                }
                Some(Marker::NotRun(reason)) if reason.is_empty() => wrong.push(format!("{}: why not?", block.place)),
                None if USED.contains(&block.language.as_str()) => wrong.push(format!("{}: no marker", block.place)),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for name in ["demo", "quickstart", "decide", "folder", "cron", "task"] {
        assert!(names.contains(name), "no document shows `{name}` any more");
    }
}

#[test]
fn the_readme_can_be_followed_from_top_to_bottom() {
    follow("README.md");
}

#[test]
fn so_can_every_page() {
    for page in pages().iter().filter(|page| *page != "README.md") {
        follow(page);
    }
}

#[test]
fn the_examples_in_help_topics_work_too() {
    let topic = |name: &str| World::bare().run(&["help", name]).exits(0).stdout;
    let block = |name: &str, language: &str, text: String| Block {
        place: format!("fleet help {name}"),
        language: language.to_owned(),
        text,
        marker: None,
    };
    let indented = |text: &str| -> String {
        let lines = text.lines().filter_map(|line| line.strip_prefix("  ")).map(|line| format!("{line}\n"));
        lines.collect()
    };
    let cron = topic("cron");
    let reader = Reader::new();
    reader.follow(&block("cron", "crontab", indented(&cron)), "cron");

    let task = topic("task-file");
    let (_, rest) = task.split_once("  ---\n").expect("an example");
    let (front, rest) = rest.split_once("  ---\n").expect("an example with front matter");
    let body = rest.split("\n\n").next().expect("a body");
    let example = format!("---\n{}---\n{}", indented(front), indented(body));
    reader.follow(&block("task-file", "markdown", example), "task-file");
}
