//! Text of others (agents, task files) made harmless for a terminal.
//!
//! Escape sequences other than colours are removed whole, control characters too. A sequence never reaches past its
//! line, so that an unfinished one cannot swallow what follows.

/// What happens to colours (SGR sequences).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sgr {
    Keep,
    Strip,
}

/// One line without its end, harmless. Tabs stay; kept colours are switched off at the end.
pub(super) fn line(text: &str, sgr: Sgr) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\x1b' => {
                let (end, kind) = sequence(after);
                if kind == Kind::Sgr && sgr == Sgr::Keep {
                    clean.push('\x1b');
                    clean.push_str(&after[..end]);
                    coloured = true;
                }
                &after[end..]
            }
            // The eight-bit forms of CSI, and of the strings that end with ST.
            '\u{9b}' => &after[control_sequence(after).0..],
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => &after[string(after)..],
            '\t' => {
                clean.push('\t');
                after
            }
            c if c.is_control() || is_bidi(c) => after,
            c => {
                clean.push(c);
                after
            }
        };
    }
    if coloured {
        clean.push_str("\x1b[0m");
    }
    clean
}

/// Text of one line for a table or a message: no colours, no control characters, line ends become blanks.
pub(super) fn plain(text: &str) -> String {
    text.lines().map(|part| line(part, Sgr::Strip).replace('\t', " ")).collect::<Vec<_>>().join(" ")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sgr,
    Other,
}

/// How long the sequence after an ESC is, in bytes.
fn sequence(after: &str) -> (usize, Kind) {
    match after.chars().next() {
        Some('[') => {
            let (end, kind) = control_sequence(&after[1..]);
            (end + 1, kind)
        }
        Some(']' | 'P' | 'X' | '^' | '_') => (1 + string(&after[1..]), Kind::Other),
        // Intermediate bytes (charset selection and the like), then one final character.
        Some(' '..='/') => {
            let end = after.find(|c| !matches!(c, ' '..='/')).unwrap_or(after.len());
            (end + after[end..].chars().next().map_or(0, char::len_utf8), Kind::Other)
        }
        Some('\x1b') | None => (0, Kind::Other),
        Some(c) => (c.len_utf8(), Kind::Other),
    }
}

/// A control sequence after its introducer: parameters and intermediates, then a final byte.
fn control_sequence(after: &str) -> (usize, Kind) {
    let end = after.find(|c| !matches!(c, ' '..='?')).unwrap_or(after.len());
    let kind = |is_plain: bool| if is_plain { Kind::Sgr } else { Kind::Other };
    match after[end..].chars().next() {
        Some('m') => (end + 1, kind(after[..end].chars().all(|c| c.is_ascii_digit() || c == ';' || c == ':'))),
        Some(c @ '@'..='~') => (end + c.len_utf8(), Kind::Other),
        _ => (end, Kind::Other),
    }
}

/// A string (OSC, DCS, …) up to and with BEL or ST; to the end of the line when neither comes.
fn string(after: &str) -> usize {
    let ends = ["\x07", "\x1b\\", "\u{9c}"];
    ends.iter().filter_map(|end| Some(after.find(end)? + end.len())).min().unwrap_or(after.len())
}

/// Marks that reorder what is shown: they make text lie.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_removed_and_colours_kept_when_asked() {
        for (text, stripped, kept) in [
            ("plain\ttext", "plain\ttext", "plain\ttext"),
            ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m\x1b[0m"),
            ("a\x1b]0;title\x07b", "ab", "ab"),
            ("a\x1b]52;c;AAAA\x1b\\b", "ab", "ab"),
            ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb", "alinkb"),
            ("a\x1b[2J\x1b[Hb", "ab", "ab"),
            ("a\x1b[?1049hb", "ab", "ab"),
            ("a\x1b[>4;1mb", "ab", "ab"),
            ("a\x1bPq#0\x1b\\b", "ab", "ab"),
            ("a\u{9b}2Jb\u{9d}0;t\u{9c}c", "abc", "abc"),
            ("a\x1b(Bb\x1b7c\x1b", "abc", "abc"),
            ("a\x1b]0;unfinished", "a", "a"),
            ("bell\x07 back\x08 return\r", "bell back return", "bell back return"),
            ("\u{202e}evil", "evil", "evil"),
            ("ünïcode 日本", "ünïcode 日本", "ünïcode 日本"),
        ] {
            assert_eq!(line(text, Sgr::Strip), stripped, "{text:?}");
            assert_eq!(line(text, Sgr::Keep), kept, "{text:?}");
        }
    }

    #[test]
    fn a_message_becomes_one_line() {
        assert_eq!(plain("a\nb\x1b[1mc\td"), "a bc d");
    }

    proptest! {
        #[test]
        fn nothing_stripped_holds_a_control_character(text in "(\\PC|\x1b|\\[|\\]|[0-9;m]|\u{9b}|\x07|\\\\)*") {
            let clean = line(&text, Sgr::Strip);
            prop_assert!(clean.chars().all(|c| c == '\t' || !c.is_control()), "{clean:?}");
        }

        #[test]
        fn what_is_kept_holds_only_colours(text in "(\x1b|\\[|\\]|[0-9;?]|m|J|a|\x07|\\\\)*") {
            let clean = line(&text, Sgr::Keep);
            for piece in clean.split('\x1b').skip(1) {
                let end = piece.find('m').expect("each sequence is a colour");
                prop_assert!(piece[..end].chars().all(|c| c == '[' || c.is_ascii_digit() || c == ';'), "{clean:?}");
            }
        }
    }
}
