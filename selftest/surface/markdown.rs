//! Reading markdown as far as the checks of the documents need it: fenced blocks with their markers, links, tables.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
#[track_caller]
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

/// `README.md` and the pages of `docs/`, relative to the repository.
pub(super) fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    pages.extend(markdown_in("docs"));
    pages
}

/// The markdown files that lie directly in a folder.
pub(super) fn markdown_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("list {folder}: {error}"));
    let names = entries.map(|entry| entry.expect("an entry can be read").file_name().to_string_lossy().into_owned());
    let mut pages: Vec<String> =
        names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages.iter().map(|name| format!("{folder}/{name}")).collect()
}

/// What is to be done with a block of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    /// `<!-- test: NAME -->`
    Test(String),
    /// `<!-- not run: REASON -->`
    NotRun(String),
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// `README.md:20`, that of the opening fence.
    pub(super) place: String,
    pub(super) language: String,
    pub(super) text: String,
    /// What the line before it says.
    pub(super) marker: Option<Marker>,
}

/// The fenced blocks of a page, in order. Blocks within blocks are text.
pub(super) fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Block)> = None;
    let mut before = "";
    for (number, line) in text.lines().enumerate() {
        match &mut open {
            Some((fence, _)) if line.trim() == fence => blocks.extend(open.take().map(|(_, block)| block)),
            Some((_, block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {
                let fence: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
                if fence.len() >= 3 {
                    let language = line.trim().trim_start_matches('`').to_owned();
                    let place = format!("{page}:{}", number + 1);
                    open = Some((fence, Block { place, language, text: String::new(), marker: marker(before) }));
                }
            }
        }
        if !line.trim().is_empty() {
            before = line;
        }
    }
    assert!(open.is_none(), "{page}: a block is not closed");
    blocks
}

fn marker(line: &str) -> Option<Marker> {
    let inside = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let (kind, what) = inside.split_once(':')?;
    let what = what.trim().to_owned();
    match kind {
        "test" => Some(Marker::Test(what)),
        "not run" => Some(Marker::NotRun(what)),
        _ => None,
    }
}

/// The page without its fenced blocks.
pub(super) fn prose(text: &str) -> String {
    let mut fence: Option<String> = None;
    let mut prose = String::new();
    for line in text.lines() {
        let ticks: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line.trim() == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    prose
}

/// Where the links and pictures of a page lead.
pub(super) fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// What stands in code ticks.
pub(super) fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The name that a heading is linked by.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The cells of each row of the tables under a heading, without the head.
#[track_caller]
pub(super) fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split("\n#").find(|section| section.trim_start_matches('#').trim_start().starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no section `{heading}`"));
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

#[test]
fn blocks_are_found_with_the_marker_that_stands_before_them() {
    let text = "a\n\n<!-- test: one -->\n```sh\nls\n```\n````markdown\n```script\nx\n```\n````\n";
    let found = blocks("p", text);
    let texts: Vec<(&str, &str)> = found.iter().map(|block| (block.language.as_str(), block.text.as_str())).collect();
    assert_eq!(texts, [("sh", "ls\n"), ("markdown", "```script\nx\n```\n")]);
    assert_eq!(found[0].marker, Some(Marker::Test("one".to_owned())));
    assert_eq!(found[1].marker, None);
    assert_eq!(prose(text), "a\n\n<!-- test: one -->\n");
}

#[test]
fn anchors_and_tables_are_read_as_they_are_shown() {
    assert_eq!(anchor("What is saved, where, and when"), "what-is-saved-where-and-when");
    let text = "# A\n\n## Codes\n\n| a | b |\n| --- | --- |\n| `x` | one |\n\n## Next\n";
    assert_eq!(table(text, "Codes"), [["`x`", "one"]]);
}
