//! What an earlier runner has read of an agent's output and told already. It is read again, because the reader must know
//! it, and not told again.

use fleet_protocol::job::Progress;

use crate::{engine::Stream, runtime::Chunk};

/// A part of the output that is no news.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    /// How far standard output reached when this runner came.
    pub(super) stdout: u64,
    pub(super) stderr: u64,
    /// As the coordinator knows it.
    pub(super) progress: Option<Progress>,
}

impl Replay {
    /// Takes note of what was read.
    pub(super) fn read(&mut self, stream: Stream, chunk: &Chunk) {
        let reached = chunk.offset + u64::try_from(chunk.bytes.len()).unwrap_or_default();
        let until = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if reached >= *until {
            *until = 0;
        }
    }

    /// Whether all of it was read.
    pub(super) const fn is_over(&self) -> bool {
        self.stdout == 0 && self.stderr == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_once_both_streams_were_read_as_far_as_they_reached() {
        let mut replay = Replay { stdout: 10, stderr: 3, progress: None };
        let chunk = |offset, length| Chunk { offset, bytes: vec![b'x'; length].into() };
        replay.read(Stream::Stdout, &chunk(0, 9));
        replay.read(Stream::Stderr, &chunk(0, 3));
        assert!(!replay.is_over());
        replay.read(Stream::Stdout, &chunk(9, 5));
        assert!(replay.is_over());
        assert!(Replay { stdout: 0, stderr: 0, progress: None }.is_over(), "nothing was printed yet");
    }
}
