//! What an agent does, as one line for people.

use std::borrow::Cow;

use serde_json::Value;

/// Characters of an activity line.
const WIDTH: usize = 200;

/// One clean line: no control characters or terminal sequences, white space collapsed, cut at a fixed width.
pub(super) fn line(text: &str) -> String {
    // No character is longer: what comes after these bytes is cut off in any case.
    const ENOUGH: usize = WIDTH * 4;
    let mut clean = String::new();
    for word in plain(text).split_whitespace() {
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(word);
        if clean.len() > ENOUGH {
            break;
        }
    }
    if clean.len() <= WIDTH { clean } else { cut(&clean, WIDTH) }
}

/// What an engine says of its failure, which may be nothing.
pub(super) fn said(text: &str) -> String {
    let line = line(text);
    if line.is_empty() { "it does not say why".to_owned() } else { line }
}

/// The text without terminal sequences and control characters; white space stays.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    // Nearly every line of an agent that prints a lot.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                // CSI: parameters, then one final byte.
                Some('[') => while characters.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                // OSC: up to BEL or ESC.
                Some(']') => while characters.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\t' | '\n' | '\r' => clean.push(if character == '\n' { '\n' } else { ' ' }),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// At most `width` characters, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width - 1).chain(['…']).collect(),
    }
}

/// A tool call: `$ cargo test`, `Edit src/a.rs`, `Grep "x"`, or the tool's name alone.
pub(super) fn tool(name: &str, input: &Value, workspace: &str) -> String {
    let text = |keys: &[&str]| keys.iter().find_map(|key| input.get(key)?.as_str()).filter(|text| !text.is_empty());
    if let Some(command) = text(&["command", "cmd"]) {
        return shell(command);
    }
    let name = name.strip_prefix("mcp__").map_or_else(|| name.to_owned(), |rest| rest.replacen("__", "/", 1));
    if let Some(path) = text(&["file_path", "filePath", "notebook_path", "path"]) {
        return line(&format!("{name} {}", relative(path, workspace)));
    }
    if let Some(what) = text(&["pattern", "query", "url", "description", "prompt"]) {
        return line(&format!("{name} \"{}\"", cut(what, 80)));
    }
    line(&name)
}

/// A shell command: without the shell around it.
pub(super) fn shell(command: &str) -> String {
    let inner = ["/bin/bash -lc ", "/bin/sh -lc ", "bash -lc ", "sh -c "]
        .iter()
        .find_map(|shell| command.strip_prefix(shell))
        .map_or(command, |quoted| unquote(quoted));
    line(&format!("$ {inner}"))
}

/// The path from the workspace's root where it lies within.
pub(super) fn relative<'a>(path: &'a str, workspace: &str) -> &'a str {
    let inside = path.strip_prefix(workspace.trim_end_matches('/')).filter(|_| !workspace.is_empty());
    inside.and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
}

fn unquote(text: &str) -> &str {
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn tool_calls_read_like_what_they_do() {
        for (name, input, expected) in [
            ("Bash", json!({"command": "cargo test\n  --all"}), "$ cargo test --all"),
            ("Write", json!({"file_path": "/repo/src/a.rs", "content": "x"}), "Write src/a.rs"),
            ("Read", json!({"file_path": "/etc/hosts"}), "Read /etc/hosts"),
            ("write", json!({"filePath": "/repository/a"}), "write /repository/a"),
            ("Grep", json!({"pattern": "fn main"}), "Grep \"fn main\""),
            ("mcp__echo__report", json!({"status": 1}), "echo/report"),
            ("TodoWrite", json!({"todos": []}), "TodoWrite"),
            ("Odd", json!(null), "Odd"),
        ] {
            assert_eq!(tool(name, &input, "/repo"), expected);
        }
        assert_eq!(shell("/bin/bash -lc 'echo a; sleep 62'"), "$ echo a; sleep 62");
    }

    #[test]
    fn terminal_sequences_do_not_get_through() {
        assert_eq!(line("\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}x\ry\u{8}"), "red x y");
    }

    proptest! {
        #[test]
        fn a_line_is_one_short_clean_line(text in "\\PC{0,400}|[\\x00-\\x7f]{0,400}") {
            let line = line(&text);
            prop_assert!(line.chars().count() <= WIDTH);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
