//! Finding the front matter: the lines between a first line `---` and the next such line.
//!
//! A file may also begin with a horizontal rule. Its `---` is followed by an empty line (or nothing), and the text after
//! that does not begin with a lower-case `key:`; everything is body then. What looks like front matter but is never
//! closed is a mistake and not a body: a manifest that is silently ignored would run the wrong thing.

use super::mistake::Mistake;

/// A markdown file, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    /// None when the file is all body.
    pub(crate) front: Option<Block<'a>>,
    /// Everything after the line that closes the front matter, byte for byte.
    pub(crate) body: &'a str,
}

/// The lines between the `---` lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    pub(crate) yaml: &'a str,
    /// Its first line, from 1.
    pub(crate) first_line: usize,
}

/// Takes a markdown file apart; fails when its front matter does not end.
pub(crate) fn split(text: &str) -> Result<Split<'_>, Mistake> {
    let all_body = Split { front: None, body: text };
    // Some editors begin a file with a byte order mark; it says nothing and would hide the first line.
    let Some(rest) = after_fence(text.strip_prefix('\u{feff}').unwrap_or(text)) else { return Ok(all_body) };
    if is_horizontal_rule(rest) {
        return Ok(all_body);
    }
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if after_fence(line).is_some() {
            let front = Block { yaml: &rest[..at], first_line: 2 };
            return Ok(Split { front: Some(front), body: &rest[at + line.len()..] });
        }
        at += line.len();
    }
    Err(Mistake {
        line: 1,
        column: 1,
        key: None,
        message: "the front matter that begins here does not end".to_owned(),
        help: Some("close it with a line `---`; for a horizontal rule leave an empty line below it".to_owned()),
    })
}

/// What follows a line `---` at the start of `text`, if there is one.
fn after_fence(text: &str) -> Option<&str> {
    let line = text.split_inclusive('\n').next()?;
    (line.trim_end() == "---").then(|| &text[line.len()..])
}

/// Whether a `---` followed by `rest` only draws a line.
fn is_horizontal_rule(rest: &str) -> bool {
    if rest.lines().next().is_some_and(|line| !line.trim().is_empty()) {
        return false;
    }
    let first = rest.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    !first.is_some_and(begins_with_key)
}

fn begins_with_key(line: &str) -> bool {
    let Some((key, value)) = line.split_once(':') else { return false };
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        && (value.is_empty() || value.starts_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The front matter, if any, and the body.
    fn parts(text: &str) -> Option<(Option<&str>, &str)> {
        split(text).ok().map(|split| (split.front.map(|front| front.yaml), split.body))
    }

    #[test]
    fn front_matter_and_body_are_parted_at_the_second_fence() {
        for (text, front, body) in [
            ("---\na: 1\n---\nbody\n", "a: 1\n", "body\n"),
            ("---\r\na: 1\r\n---\r\nbody\r\n", "a: 1\r\n", "body\r\n"),
            ("---\na: 1\n---", "a: 1\n", ""),
            ("---\n---\n", "", ""),
            ("---  \na: 1\n--- \t\n x", "a: 1\n", " x"),
            ("---\na: 1\n---\n---\nstill body\n---\n", "a: 1\n", "---\nstill body\n---\n"),
            ("---\n\na: 1\n---\nbody", "\na: 1\n", "body"),
            ("---\n\n# comment\na: 1\n---\n", "\n# comment\na: 1\n", ""),
            ("\u{feff}---\na: 1\n---\n\u{feff}body", "a: 1\n", "\u{feff}body"),
            ("---\na: |\n  ---\n---\n", "a: |\n  ---\n", ""),
        ] {
            assert_eq!(parts(text), Some((Some(front), body)), "{text:?}");
        }
    }

    #[test]
    fn a_file_without_front_matter_is_all_body() {
        for text in [
            "",
            "# Title\n---\nx\n---\n",
            "\n---\na: 1\n---\n",
            " ---\na: 1\n",
            "----\n",
            "---x\n",
            "--- a\n",
            "\u{feff}text",
        ] {
            assert_eq!(parts(text), Some((None, text)), "{text:?}");
        }
    }

    #[test]
    fn a_horizontal_rule_is_no_front_matter() {
        for text in [
            "---",
            "---\n",
            "---\n\n",
            "---\n\n# Title\n\nSome text.\n\n---\n\nMore.\n",
            "---\r\n\r\nNote: this is prose.\r\n---\r\n",
            "---\n\n- a: 1\n",
        ] {
            assert_eq!(parts(text), Some((None, text)), "{text:?}");
        }
    }

    #[test]
    fn front_matter_that_does_not_end_is_a_mistake() {
        for text in ["---\na: 1\n", "---\n\na: 1\nmore\n", "---\ntext\n ---\n"] {
            let mistake = split(text).expect_err(text);
            assert_eq!((mistake.line, mistake.column), (1, 1), "{text:?}");
        }
    }
}
