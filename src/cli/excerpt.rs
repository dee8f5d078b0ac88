//! Mistakes in files, shown with the line they stand on and a caret.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use fleet_protocol::manifest::Mistake;
use serde_json::{Value, json};

/// A text with mistakes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The file as the user named it, or a variable or flag.
    pub(super) name: String,
    /// Empty when there is no text, or when it must not be shown.
    pub(super) text: String,
    pub(super) marked: Vec<Marked>,
}

/// One mistake. Lines and columns count from 1, columns in characters; the span is in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) span: Range<usize>,
    /// Whose value it is, where it is a key's.
    pub(super) key: Option<String>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Whether its line may be shown, or may hold a secret.
    pub(super) line_is: LineIs,
}

/// What may be done with the line that a mistake stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineIs {
    Shown,
    Withheld,
}

impl Source {
    /// Mistakes of a task file or profile.
    pub(super) fn of_mistakes(name: &str, text: &str, mistakes: &[Mistake]) -> Self {
        let marked = mistakes
            .iter()
            .map(|mistake| Marked {
                line: mistake.line,
                column: mistake.column,
                span: word_at(text, mistake.line, mistake.column),
                key: mistake.key.clone(),
                message: mistake.message.clone(),
                help: mistake.help.clone(),
                line_is: if mistake.may_stand_on_a_secret() { LineIs::Withheld } else { LineIs::Shown },
            })
            .collect();
        Self { name: name.to_owned(), text: text.to_owned(), marked }
    }

    /// A mistake that stands in no file.
    pub(super) fn without_text(name: String, message: String, help: Option<String>) -> Self {
        Self {
            name,
            text: String::new(),
            marked: vec![Marked { line: 0, column: 0, span: 0..0, key: None, message, help, line_is: LineIs::Shown }],
        }
    }

    /// One of its marks on one line.
    pub(super) fn line(&self, marked: &Marked) -> String {
        let help = marked.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}:{}:{}: {}{help}", self.name, marked.line, marked.column, marked.message)
    }

    pub(super) fn to_json(&self) -> Vec<Value> {
        let one = |mistake: &Marked| {
            let place = |number: usize| (number > 0).then_some(number);
            let mut told = json!({
                "file": self.name,
                "line": place(mistake.line),
                "column": place(mistake.column),
                "message": mistake.message,
                "help": mistake.help,
            });
            if let Some(key) = &mistake.key {
                told["key"] = json!(key);
            }
            told
        };
        self.marked.iter().map(one).collect()
    }

    /// All mistakes, one block each, styled; the stream strips what it cannot show.
    pub(super) fn render(&self) -> String {
        let mut shown = String::new();
        for mistake in &self.marked {
            shown.push_str(&Renderer::styled().render(&[self.group(mistake)]));
            shown.push('\n');
        }
        shown
    }

    fn group<'s>(&'s self, mistake: &'s Marked) -> Group<'s> {
        let group = Group::with_title(Level::ERROR.primary_title(mistake.message.as_str()));
        let has_no_text = self.text.is_empty() || mistake.line_is == LineIs::Withheld;
        let group = match (has_no_text, self.name.is_empty()) {
            (false, _) => group.element(
                Snippet::source(self.text.as_str())
                    .path(self.name.as_str())
                    .annotation(AnnotationKind::Primary.span(mistake.span.clone())),
            ),
            (true, false) if mistake.line > 0 => {
                group.element(Origin::path(self.name.as_str()).line(mistake.line).char_column(mistake.column))
            }
            (true, false) => group.element(Origin::path(self.name.as_str())),
            (true, true) => group,
        };
        match &mistake.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}

/// The bytes of the word that starts at a line and column.
fn word_at(text: &str, line: usize, column: usize) -> Range<usize> {
    let line_start =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>().min(text.len());
    let rest = text[line_start..].lines().next().unwrap_or_default();
    let offset = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(offset, _)| offset);
    let word: &str = rest[offset..].split(char::is_whitespace).next().unwrap_or_default();
    let start = line_start + offset;
    start..start + word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_marked_where_it_stands() {
        let text = "---\npriority: hihg\n---\nDo it.\n";
        let mistake = Mistake {
            line: 2,
            column: 11,
            key: Some("priority".to_owned()),
            message: "unknown priority `hihg`".to_owned(),
            help: Some("one of critical, high, medium, low".to_owned()),
        };
        let shown = Source::of_mistakes("task.md", text, &[mistake]).render();
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string(), @r"
        error: unknown priority `hihg`
         --> task.md:2:11
          |
        2 | priority: hihg
          |           ^^^^
          |
          = help: one of critical, high, medium, low
        ");
    }

    #[test]
    fn words_are_found_in_any_text() {
        for (text, line, column, expected) in [
            ("a bc d", 1, 3, 2..4),
            ("é bc", 1, 3, 3..5),
            ("a\r\nbc\r\n", 2, 1, 3..5),
            ("a", 1, 9, 1..1),
            ("", 7, 7, 0..0),
            ("a\n", 5, 1, 2..2),
        ] {
            assert_eq!(word_at(text, line, column), expected, "{text:?} {line}:{column}");
        }
    }

    #[test]
    fn text_that_must_not_be_shown_is_not() {
        let source = Source {
            name: "fleet.toml".to_owned(),
            text: String::new(),
            marked: vec![Marked {
                line: 3,
                column: 5,
                span: 20..30,
                key: None,
                message: "no value here".to_owned(),
                help: None,
                line_is: LineIs::Shown,
            }],
        };
        let shown = anstream::adapter::strip_str(&source.render()).to_string();
        assert!(shown.contains("fleet.toml:3:5"), "{shown}");
    }
}
