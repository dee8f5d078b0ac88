//! Cuts what others print into lines that a person can look at: of a very long one its beginning, and how much was cut.
//!
//! What is held of a line that has no end yet is bounded, however long it becomes.

/// What is shown of one line, bytes.
const LONGEST: usize = 16 * 1024;

/// One line without its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// 16 KiB at most.
    pub(super) text: String,
    /// Bytes of it that are not in `text`.
    pub(super) cut: usize,
}

/// Takes pieces of text, gives lines.
#[derive(Debug, Default)]
pub(super) struct LongLines {
    held: Line,
    begun: bool,
}

impl LongLines {
    /// The lines that end in `text`.
    pub(super) fn push(&mut self, text: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in text.split_inclusive('\n') {
            self.begun = true;
            match piece.strip_suffix('\n') {
                Some(end) => {
                    self.hold(end.strip_suffix('\r').unwrap_or(end));
                    lines.extend(self.finish());
                }
                None => self.hold(piece),
            }
        }
        lines
    }

    /// The line that has no end, if there is one.
    pub(super) fn finish(&mut self) -> Option<Line> {
        std::mem::take(&mut self.begun).then(|| std::mem::take(&mut self.held))
    }

    fn hold(&mut self, piece: &str) {
        // Once cut, nothing after the gap is shown.
        let room = if self.held.cut > 0 { 0 } else { LONGEST - self.held.text.len() };
        let fits = piece.floor_char_boundary(room);
        self.held.text.push_str(&piece[..fits]);
        self.held.cut += piece.len() - fits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, cut: usize) -> Line {
        Line { text: text.to_owned(), cut }
    }

    #[test]
    fn lines_come_whole_however_the_text_arrives() {
        for size in 1..9 {
            let mut lines = LongLines::default();
            let text: Vec<char> = "a\n\nbc\nlast".chars().collect();
            let mut given: Vec<Line> =
                text.chunks(size).flat_map(|piece| lines.push(&piece.iter().collect::<String>())).collect();
            given.extend(lines.finish());
            assert_eq!(given, ["a", "", "bc", "last"].map(|text| line(text, 0)), "{size}");
            assert_eq!(lines.finish(), None);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_by_how_much() {
        let mut lines = LongLines::default();
        assert_eq!(lines.push(&format!("{}\n", "x".repeat(LONGEST))), [line(&"x".repeat(LONGEST), 0)]);
        for _ in 0..1_000 {
            assert_eq!(lines.push(&"é".repeat(1_000)), []);
            assert!(lines.held.text.capacity() <= 2 * LONGEST, "memory stays bounded");
        }
        let cut = lines.push("!\nnext\n");
        assert_eq!(cut, [line(&"é".repeat(LONGEST / 2), 2_000_001 - LONGEST), line("next", 0)]);
    }
}
