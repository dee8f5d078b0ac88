//! Writing a task file that `parse` reads back to the same manifest and the same body.

use serde_json::{Map, Value};

use super::{fields::FIELDS, model::Manifest};
use crate::front_matter::{camel_case, split};

/// Columns up to which a list or mapping is written on one line.
const WIDE: usize = 100;

/// Writes a manifest and a body as a task file. Keys come in the order of `FIELDS`, the unknown ones last.
///
/// Front matter is left out when the manifest says nothing and the body cannot be mistaken for having one.
pub fn render(manifest: &Manifest, body: &str) -> String {
    let lines = front_matter(manifest);
    let body_is_plain = split(body).is_ok_and(|parts| parts.front.is_none());
    if lines.is_empty() && body_is_plain { body.to_owned() } else { format!("---\n{lines}---\n{body}") }
}

fn front_matter(manifest: &Manifest) -> String {
    let Ok(Value::Object(mut json)) = serde_json::to_value(manifest) else { return String::new() };
    if let Some(number) = json.remove("priorityNumber") {
        json.insert("priority".to_owned(), number);
    }
    let mut out = String::new();
    for field in FIELDS {
        if let Some(value) = json.get(&camel_case(field.key)) {
            entry(&mut out, field.key, value);
        }
    }
    for (key, value) in &manifest.extra {
        entry(&mut out, key, value);
    }
    out
}

fn entry(out: &mut String, key: &str, value: &Value) {
    let start = out.len();
    // A key longer than YAML's limit for a simple key needs the explicit form.
    let key = match text(key) {
        key if key.len() > 1000 => format!("? {key}\n"),
        key => key,
    };
    out.push_str(&format!("{key}: {}\n", flow(value)));
    let Value::Array(items) = value else { return };
    if out.len() - start > WIDE && !items.is_empty() {
        out.truncate(start);
        out.push_str(&format!("{key}:\n"));
        for item in items {
            out.push_str(&format!("  - {}\n", flow(item)));
        }
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(object) if object.is_empty() => "{}".to_owned(),
        Value::Object(object) => format!("{{ {} }}", mapping(object)),
    }
}

fn mapping(object: &Map<String, Value>) -> String {
    let entry = |(key, value): (&String, &Value)| match text(key) {
        key if key.len() > 1000 => format!("? {key} : {}", flow(value)),
        key => format!("{key}: {}", flow(value)),
    };
    object.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// Text as a scalar: bare where nobody can take it for anything else, else in double quotes.
fn text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether text may stand without quotes: words that begin with a letter or digit, the first with a letter, and hold
/// nothing that has a meaning in YAML, of any version.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '@' | '=' | '*');
    let words =
        text.split(' ').all(|word| word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(letter));
    let text_only = words && text.starts_with(|c: char| c.is_ascii_alphabetic());
    text_only && !WORDS.contains(&text.to_ascii_lowercase().as_str()) || is_plain_span(text)
}

/// Durations and sizes are common and read better without quotes.
fn is_plain_span(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'))
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_invisible(c) => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that YAML does not allow, or that would be lost or taken for a line break.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_misread_stands_without_quotes() {
        for plain in ["cargo test", "a-b_c.d/e", "45m", "4GiB", "1h30m", "src/**"] {
            assert_eq!(text(plain), plain);
        }
        for (odd, written) in [
            ("", "\"\""),
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("1e5", "\"1e5\""),
            ("0x1f", "\"0x1f\""),
            ("x -", "\"x -\""),
            ("-x", "\"-x\""),
            ("a: b", "\"a: b\""),
            ("a ", "\"a \""),
            ("*x", "\"*x\""),
            ("é", "\"é\""),
            ("a\"\\\n\u{85}", "\"a\\\"\\\\\\n\\U00000085\""),
        ] {
            assert_eq!(text(odd), written);
        }
    }
}
