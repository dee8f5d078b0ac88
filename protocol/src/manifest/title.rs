//! A job's title: what the manifest says, else the first heading of the body, else the file's name.

/// The first heading of a markdown text that has words in it. Code and comments hold no headings.
pub(super) fn first_heading(body: &str) -> Option<String> {
    let mut skip = Skip::Nothing;
    let mut before: Option<&str> = None;
    for line in body.strip_prefix('\u{feff}').unwrap_or(body).lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let text = line.trim();
        if skip.goes_on(line) {
            before = None;
            continue;
        }
        let is_code = indent > 3 || line.starts_with('\t');
        if let Some(heading) = hash_heading(text).filter(|_| !is_code) {
            return Some(heading);
        }
        if let Some(above) = before.filter(|_| !is_code && is_underline(text)) {
            return Some(one_line(above));
        }
        before = Some(text).filter(|text| !is_code && starts_a_paragraph(text));
    }
    None
}

/// The file's name without its ending.
pub(super) fn from_file_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    };
    let title = one_line(stem);
    if title.is_empty() { "untitled".to_owned() } else { title }
}

/// What the lines being read belong to.
enum Skip {
    Nothing,
    /// A code block that ends with at least so many of the character.
    Fence(char, usize),
    Comment,
}

impl Skip {
    /// Whether `line` belongs to code or a comment.
    fn goes_on(&mut self, line: &str) -> bool {
        let text = line.trim();
        match *self {
            Self::Fence(mark, least) => {
                if text.chars().count() >= least && text.chars().all(|c| c == mark) {
                    *self = Self::Nothing;
                }
                true
            }
            Self::Comment => {
                if text.contains("-->") {
                    *self = Self::Nothing;
                }
                true
            }
            Self::Nothing => {
                *self = Self::beginning(line.trim_start());
                !matches!(self, Self::Nothing) || text.starts_with("<!--")
            }
        }
    }

    fn beginning(text: &str) -> Self {
        if let Some(comment) = text.strip_prefix("<!--") {
            return if comment.contains("-->") { Self::Nothing } else { Self::Comment };
        }
        for mark in ['`', '~'] {
            let length = text.chars().take_while(|c| *c == mark).count();
            // One line of `` ```code``` `` opens nothing.
            if length >= 3 && !(mark == '`' && text[length..].contains('`')) {
                return Self::Fence(mark, length);
            }
        }
        Self::Nothing
    }
}

fn hash_heading(text: &str) -> Option<String> {
    let rest = text.trim_start_matches('#');
    let level = text.len() - rest.len();
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim();
    // Hashes may close a heading when a space parts them from it.
    let open = rest.trim_end_matches('#');
    let title = one_line(if open.is_empty() || open.ends_with([' ', '\t']) { open } else { rest });
    (!title.is_empty()).then_some(title)
}

fn is_underline(text: &str) -> bool {
    text.len() >= 2 && (text.bytes().all(|b| b == b'=') || text.bytes().all(|b| b == b'-'))
}

fn starts_a_paragraph(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['#', '>', '-', '*', '+', '|', '='])
}

/// Runs of white space become one space; other control characters vanish.
fn one_line(text: &str) -> String {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_heading_is_found_where_markdown_has_one() {
        for (body, heading) in [
            ("# Title\n", Some("Title")),
            ("text\n\n##  Two\twords  ##\n", Some("Two words")),
            ("# Title\r\nmore\r\n", Some("Title")),
            ("#\n# \n### Third\n", Some("Third")),
            ("# C#\n", Some("C#")),
            ("   # Three spaces\n", Some("Three spaces")),
            ("    # code\n\t# code\n", None),
            ("#hashtag\n####### seven\n", None),
            ("```\n# not\n```\n# Yes\n", Some("Yes")),
            ("````\n```\n# not\n````\n# Yes\n", Some("Yes")),
            ("~~~ sh\n# not\n```\n# not\n~~~\n# Yes\n", Some("Yes")),
            ("```x```\n# Yes\n", Some("Yes")),
            ("```\n# never closed\n", None),
            ("<!-- # not -->\n<!--\n# not\n-->\n# Yes\n", Some("Yes")),
            ("Title\n=====\n", Some("Title")),
            ("Title\n-----\n", Some("Title")),
            ("\n---\n# Yes\n", Some("Yes")),
            ("- item\n---\n", None),
            ("\u{feff}# Title\n", Some("Title")),
            ("# a\u{7}b\n", Some("ab")),
            ("# Größe 日本\n", Some("Größe 日本")),
            ("", None),
        ] {
            assert_eq!(first_heading(body).as_deref(), heading, "{body:?}");
        }
    }

    #[test]
    fn a_file_name_gives_its_stem() {
        for (name, title) in [
            ("add-validation.md", "add-validation"),
            ("a.b.md", "a.b"),
            ("dir/x.md", "x"),
            (".md", ".md"),
            ("noext", "noext"),
            ("", "untitled"),
        ] {
            assert_eq!(from_file_name(name), title);
        }
    }
}
