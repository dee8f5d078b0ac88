//! Cuts a stream of bytes into lines: pure.
//!
//! Every byte belongs to exactly one line, its line end included: a line starts where the one before it ended. Memory is
//! bounded by the limit, however long a line is.

/// One line of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Without its end (`\n` or `\r\n`); bytes that are no UTF-8 are replaced.
    pub(crate) text: String,
    /// Offset of its first byte in the stream.
    pub(crate) start: u64,
    /// Offset after its last byte, the line end included.
    pub(crate) end: u64,
    /// It was longer than the limit; the rest of it is left out of `text`.
    pub(crate) cut: bool,
}

/// Takes chunks, gives lines.
#[derive(Debug)]
pub(crate) struct Lines {
    limit: usize,
    /// What is kept of the line that has no end yet.
    held: Vec<u8>,
    start: u64,
    end: u64,
}

impl Lines {
    /// A sensible limit for lines that people read, bytes. Lines that carry a whole event can be much longer.
    pub(crate) const USUAL_LIMIT: usize = 16 * 1024;

    /// The first chunk is at `offset` of the stream; `limit` is how much is kept of one line, in bytes without its end.
    pub(crate) fn new(offset: u64, limit: usize) -> Self {
        Self { limit, held: Vec::new(), start: offset, end: offset }
    }

    /// Where the line starts that has no end yet: what a reader that starts anew must begin with.
    #[cfg(test)]
    pub(crate) fn offset(&self) -> u64 {
        self.start
    }

    /// Takes the next bytes and gives the lines that end in them.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.hold(piece);
            if piece.ends_with(b"\n") {
                lines.push(self.take());
            }
        }
        lines
    }

    /// The last line, if the stream ended without a line end.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        (self.end > self.start).then(|| self.take())
    }

    fn hold(&mut self, piece: &[u8]) {
        // Room for the line end, which does not count.
        let room = (self.limit + 2).saturating_sub(self.held.len());
        self.held.extend_from_slice(&piece[..piece.len().min(room)]);
        self.end += u64::try_from(piece.len()).expect("a length fits in 64 bits");
    }

    fn take(&mut self) -> Line {
        let all = self.end - self.start == u64::try_from(self.held.len()).expect("a length fits in 64 bits");
        let mut text = self.held.as_slice();
        if all {
            text = text.strip_suffix(b"\n").map_or(text, |line| line.strip_suffix(b"\r").unwrap_or(line));
        }
        let cut = text.len() > self.limit;
        if cut {
            text = whole_characters(&text[..self.limit]);
        }
        let line = Line { text: String::from_utf8_lossy(text).into_owned(), start: self.start, end: self.end, cut };
        self.held.clear();
        self.start = self.end;
        line
    }
}

/// Leaves out a character that the cut went through.
fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_end_at_lf_or_crlf_and_the_last_one_needs_no_end() {
        let mut lines = Lines::new(100, 10);
        let whole = lines.push(b"a\nb\r\n\nc\rd");
        assert_eq!(texts(&whole), ["a", "b", ""]);
        assert_eq!((whole[1].start, whole[1].end), (102, 105));
        assert_eq!(lines.offset(), 106);
        assert_eq!(lines.finish().unwrap().text, "c\rd");
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_line_of_just_the_limit_is_whole_and_a_longer_one_is_cut() {
        for end in ["\n", "\r\n"] {
            let mut lines = Lines::new(0, 4);
            let given = lines.push(format!("abcd{end}abcde{end}abcdefghijk{end}x{end}").as_bytes());
            assert_eq!(texts(&given), ["abcd", "abcd", "abcd", "x"]);
            assert_eq!(given.iter().map(|line| line.cut).collect::<Vec<_>>(), [false, true, true, false], "{end:?}");
        }
    }

    #[test]
    fn a_cut_never_halves_a_character_and_other_bytes_are_replaced() {
        let mut lines = Lines::new(0, 4);
        assert_eq!(texts(&lines.push("abcü!\n".as_bytes())), ["abc"]);
        assert_eq!(texts(&lines.push(b"a\xffb\n")), ["a\u{fffd}b"]);
    }

    #[test]
    fn memory_stays_at_the_limit_for_a_line_without_end() {
        let mut lines = Lines::new(0, 100);
        for _ in 0..1_000 {
            assert!(lines.push(&[b'x'; 1_000]).is_empty());
        }
        assert!(lines.held.len() <= 102);
        let line = lines.finish().unwrap();
        assert_eq!((line.text.len(), line.end, line.cut), (100, 1_000_000, true));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_arrive_and_cover_all_of_them(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..200),
            size in 1..40_usize,
            limit in 1..20_usize,
        ) {
            let gather = |chunks: &[&[u8]]| {
                let mut lines = Lines::new(7, limit);
                let mut all: Vec<Line> = chunks.iter().flat_map(|chunk| lines.push(chunk)).collect();
                all.extend(lines.finish());
                all
            };
            let at_once = gather(&[&bytes]);
            prop_assert_eq!(&gather(&bytes.chunks(size).collect::<Vec<_>>()), &at_once);
            let mut offset = 7;
            for line in &at_once {
                prop_assert_eq!(line.start, offset);
                prop_assert!(line.end > line.start);
                offset = line.end;
            }
            prop_assert_eq!(offset, 7 + bytes.len() as u64);
        }
    }
}
