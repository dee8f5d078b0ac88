//! What a run prints beyond what is kept of a stream: it is counted, and the log says at its end how much it was.
//!
//! The count is made once, of the file itself, when nothing more comes; so there is nothing to remember meanwhile, and a runner
//! that takes over counts the same.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// How much of a file is looked at in one go, bytes.
const PIECE: usize = 64 * 1024;

/// What was not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    bytes: u64,
    /// Line ends among them.
    lines: u64,
}

impl Dropped {
    /// Counts what `file` holds from `at` on.
    pub(super) fn count(mut file: File, at: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(at))?;
        let mut buffer = vec![0; PIECE];
        let mut dropped = Self::default();
        loop {
            let piece = match file.read(&mut buffer) {
                Ok(0) => return Ok(dropped),
                Ok(count) => &buffer[..count],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let ends = piece.iter().filter(|byte| **byte == b'\n').count();
            dropped.bytes += u64::try_from(piece.len()).expect("a length fits in 64 bits");
            dropped.lines += u64::try_from(ends).expect("a number fits in 64 bits");
        }
    }

    /// The last line of a log of which `kept` bytes are kept; none when nothing was dropped.
    pub(super) fn told(self, kept: u64) -> Option<String> {
        let Self { bytes, lines } = self;
        (bytes > 0).then(|| {
            format!("\n[fleet: {bytes} bytes more, {lines} lines, were dropped; logs.max-stream keeps {kept} bytes]\n")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_lines_are_counted_from_a_place_on_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        std::fs::write(&path, "kept\n".to_owned() + &"line\n".repeat(50_000)).unwrap();
        let count = |at| Dropped::count(File::open(&path).unwrap(), at).unwrap();
        assert_eq!(count(5), Dropped { bytes: 250_000, lines: 50_000 }, "more than one piece");
        assert_eq!(count(250_004), Dropped { bytes: 1, lines: 1 });
        assert_eq!((count(250_005).told(5), count(300_000).told(5)), (None, None));
        assert!(count(5).told(5).unwrap().contains("250000 bytes more, 50000 lines"));
    }
}
