//! YAML into the tree.
//!
//! Only what a manifest needs is let in: one mapping of plain keys to scalars, lists and mappings. Anchors, aliases,
//! tags and further documents are refused, so a small file cannot unfold into a large one. After a syntax error the
//! keys before it are still given, so that their mistakes are reported in the same pass.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::{
    mistake::Mistake,
    reader::shown,
    tree::{At, Content, Entry, Key, Node, Scalar, Style},
};

/// Deeper nesting is refused, so that nobody who walks the tree needs more stack than this.
const MAX_DEPTH: usize = 32;

/// More keys of one mapping are refused: each is compared with those before it.
const MAX_KEYS: usize = 500;

const TOO_DEEP: &str = "this is nested too deeply";

/// Reads a block of YAML whose first line is line `first_line` of its file.
pub(crate) fn entries_from_yaml(yaml: &str, first_line: usize) -> (Vec<Entry>, Vec<Mistake>) {
    let mut builder = Builder { first_line, ..Builder::default() };
    if let Some(mistake) = control_character(yaml, first_line) {
        return (Vec::new(), vec![mistake]);
    }
    let mut parser = Parser::new_from_str(yaml);
    while let Some(event) = parser.next_event() {
        let proceed = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                builder.syntax_error(&error, yaml);
                false
            }
        };
        if !proceed {
            break;
        }
    }
    builder.finish()
}

/// A container that is still open.
enum Open {
    List { at: At, items: Vec<Node> },
    Map { at: At, entries: Vec<Entry>, key: Option<Key> },
}

#[derive(Default)]
struct Builder {
    first_line: usize,
    open: Vec<Open>,
    root: Option<Node>,
    mistakes: Vec<Mistake>,
}

impl Builder {
    /// Takes one event; false when there is no point in going on.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let at = self.at(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(at, anchor, tag.is_some());
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                self.close(Node { at, content: Content::Scalar(Scalar { text: text.into_owned(), style }) });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(at, anchor, tag.is_some());
                self.open.push(Open::List { at, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(at, anchor, tag.is_some());
                self.open.push(Open::Map { at, entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close_container(),
            Event::Alias(_) => {
                self.mistake(at, "an alias (`*name`) is not allowed", "write the value again");
                self.close(Node { at, content: Content::List(Vec::new()) });
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                self.mistake(at, "a second YAML document starts here", "keep everything in one block");
                return false;
            }
            Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => {}
        }
        if self.open.len() > MAX_DEPTH {
            self.mistake(at, TOO_DEEP, format!("stay within {MAX_DEPTH} levels"));
            return false;
        }
        if matches!(self.open.last(), Some(Open::Map { entries, .. }) if entries.len() > MAX_KEYS) {
            self.mistake(at, "these are too many keys", format!("stay within {MAX_KEYS}"));
            return false;
        }
        true
    }

    fn at(&self, span: Span) -> At {
        At { line: span.start.line() + self.first_line - 1, column: span.start.col() + 1 }
    }

    fn mistake(&mut self, at: At, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into());
        self.mistakes.push(Mistake { line: at.line, column: at.column, key: None, message: message.into(), help });
    }

    fn refuse_extras(&mut self, at: At, anchor: usize, tagged: bool) {
        if anchor > 0 {
            self.mistake(at, "an anchor (`&name`) is not allowed", "write the value where it is needed");
        }
        if tagged {
            self.mistake(at, "a tag (`!name`) is not allowed", "leave it out");
        }
    }

    fn close_container(&mut self) {
        match self.open.pop() {
            Some(Open::List { at, items }) => self.close(Node { at, content: Content::List(items) }),
            Some(Open::Map { at, entries, .. }) => self.close(Node { at, content: Content::Map(entries) }),
            None => {}
        }
    }

    /// Hangs a complete node where it belongs.
    fn close(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { key: open_key, entries, .. }) => match open_key.take() {
                Some(key) => match entries.iter().find(|entry| entry.key.text == key.text) {
                    Some(first) => {
                        let message =
                            format!("`{}` is given twice, first on line {}", shown(&key.text), first.key.at.line);
                        self.mistake(key.at, message, "keep one of them");
                    }
                    None => entries.push(Entry { key, value: node }),
                },
                None => {
                    let Node { at, content } = node;
                    let text = match content {
                        Content::Scalar(scalar) => scalar.text,
                        Content::List(_) | Content::Map(_) => {
                            *open_key = Some(Key { at, text: String::new() });
                            self.mistake(at, "a key must be a word", "write `key: value`");
                            return;
                        }
                    };
                    *open_key = Some(Key { at, text });
                }
            },
        }
    }

    fn syntax_error(&mut self, error: &ScanError, yaml: &str) {
        let marker = error.marker();
        let at = At { line: marker.line() + self.first_line - 1, column: marker.col() + 1 };
        let before = self.mistakes.len();
        for (index, line) in yaml.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if let Some(tab) = line[..indent].chars().position(|c| c == '\t') {
                let at = At { line: index + self.first_line, column: tab + 1 };
                self.mistake(at, "a tab indents this line", "indent with spaces");
            }
        }
        if self.mistakes.len() == before {
            let (message, help) = explain(error.info(), yaml.lines().nth(marker.line().saturating_sub(1)));
            self.mistake(at, message, help);
        }
    }

    /// The top-level entries that are complete, and what was wrong on the way.
    fn finish(mut self) -> (Vec<Entry>, Vec<Mistake>) {
        let root = match self.root.take() {
            Some(root) => root,
            None => match self.open.into_iter().next() {
                Some(Open::Map { at, entries, .. }) => Node { at, content: Content::Map(entries) },
                Some(Open::List { at, items }) => Node { at, content: Content::List(items) },
                None => return (Vec::new(), self.mistakes),
            },
        };
        match root.content {
            Content::Map(entries) => (entries, self.mistakes),
            Content::Scalar(_) | Content::List(_) => {
                let mistake = Mistake {
                    line: root.at.line,
                    column: root.at.column,
                    key: None,
                    message: "the front matter holds no keys".to_owned(),
                    help: Some("write `key: value` lines between the `---` lines".to_owned()),
                };
                self.mistakes.push(mistake);
                (Vec::new(), self.mistakes)
            }
        }
    }
}

/// The parser's own words, and advice where the cause is a common one.
fn explain(info: &str, line: Option<&str>) -> (String, String) {
    if info.contains("recursion limit") {
        // The scanner reads ahead and gives up before this module does.
        return (TOO_DEEP.to_owned(), format!("stay within {MAX_DEPTH} levels"));
    }
    let help = if info.contains("mapping values are not allowed") {
        "put a value that holds `: ` in quotes, and check the indentation"
    } else if info.contains("unexpected character") || info.contains("unprintable") {
        "put the value in quotes"
    } else if line.is_some_and(|line| line.contains('\t')) {
        "use spaces instead of tabs"
    } else {
        "check quotes, brackets and indentation from here upwards"
    };
    (format!("this is not YAML: {info}"), help.to_owned())
}

/// The first character that no text file has. (YAML parsers take a NUL for the end of the text.)
fn control_character(yaml: &str, first_line: usize) -> Option<Mistake> {
    yaml.lines().enumerate().find_map(|(index, line)| {
        let found = line.chars().position(|c| c.is_ascii_control() && c != '\t')?;
        Some(Mistake {
            line: index + first_line,
            column: found + 1,
            key: None,
            message: "a control character stands here".to_owned(),
            help: Some("remove it, or write it as an escape in double quotes".to_owned()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(yaml: &str) -> Vec<(usize, usize, String)> {
        entries_from_yaml(yaml, 1).1.into_iter().map(|m| (m.line, m.column, m.message)).collect()
    }

    #[test]
    fn positions_are_right_for_crlf_and_non_ascii() {
        for end in ["\n", "\r\n"] {
            let yaml = ["größe: 'é'", "日本: [ü, \"x\"]", "a:", "  b: 1", ""].join(end);
            let (entries, mistakes) = entries_from_yaml(&yaml, 2);
            assert_eq!(mistakes, []);
            let places: Vec<_> = entries.iter().map(|e| (e.key.at.line, e.value.at.line, e.value.at.column)).collect();
            assert_eq!(places, [(2, 2, 8), (3, 3, 5), (4, 5, 3)]);
        }
    }

    #[test]
    fn keys_before_a_syntax_error_are_still_given() {
        let (entries, mistakes) = entries_from_yaml("a: 1\nb: [x, y]\nc: [1,\n", 1);
        assert_eq!(entries.iter().map(|e| e.key.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(mistakes.len(), 1);
    }

    #[test]
    fn whatever_could_unfold_or_surprise_is_refused() {
        for (yaml, line, column, word) in [
            ("a: &x 1\n", 1, 4, "anchor"),
            ("a: &x [1]\nb: *x\n", 2, 4, "alias"),
            ("a: *nowhere\n", 1, 4, "unknown anchor"),
            ("a: !!str 1\n", 1, 4, "tag"),
            ("a: !!map {}\n", 1, 4, "tag"),
            ("? [a]\n: b\n", 1, 3, "key must be a word"),
            ("a: 1\n...\nb: 2\n", 3, 1, "second YAML document"),
            ("a: 1\n--- b\n", 2, 1, "second YAML document"),
            ("a: 1\na: 2\n", 2, 1, "twice"),
            ("a: {b: 1, b: 2}\n", 1, 11, "twice"),
            ("b:\n\tc: 1\n\td: 2\n", 2, 1, "tab"),
            ("a:\t1\n", 1, 4, "not YAML"),
            ("a: Fix: it\n", 1, 7, "not YAML"),
            ("a: x\u{0}\nb: 2\n", 1, 5, "control character"),
            ("- a\n", 1, 1, "no keys"),
            ("just text\n", 1, 1, "no keys"),
        ] {
            let found = mistakes(yaml);
            assert!(
                found.iter().any(|(l, c, m)| (*l, *c) == (line, column) && m.contains(word)),
                "{yaml:?}: {found:?}"
            );
        }
    }

    #[test]
    fn every_tab_that_indents_is_named() {
        let found = mistakes("b:\n\tc: 1\n \td: 2\n");
        assert_eq!(found.iter().map(|(l, c, _)| (*l, *c)).collect::<Vec<_>>(), [(2, 1), (3, 2)]);
    }

    #[test]
    fn a_tab_inside_a_block_of_text_is_text() {
        let (entries, mistakes) = entries_from_yaml("a: |\n  x\n  \ty\n", 1);
        assert_eq!(mistakes, []);
        let Content::Scalar(text) = &entries[0].value.content else { panic!("not a scalar") };
        assert_eq!(text.text, "x\n\ty\n");
    }

    #[test]
    fn a_crowd_of_keys_is_refused_and_not_followed() {
        let keys: String = (0..200_000).map(|nth| format!("k{nth}: 1\n")).collect();
        let (entries, mistakes) = entries_from_yaml(&keys, 1);
        assert!(entries.len() <= MAX_KEYS + 1 && mistakes.len() == 1, "{} keys, {mistakes:?}", entries.len());
        assert!(mistakes[0].message.contains("too many keys"), "{mistakes:?}");
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        for yaml in [format!("a: {}", "[".repeat(10_000)), "- ".repeat(10_000), format!("a: {}1", "{b: ".repeat(100))] {
            let found = mistakes(&yaml);
            assert!(found.iter().any(|(_, _, m)| m.contains("nested too deeply")), "{found:?}");
        }
    }
}
