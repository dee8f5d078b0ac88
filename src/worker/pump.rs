//! Sends a run's output to the coordinator: what is in the file and not yet there.
//!
//! The file is the spool. A pump owns nothing but an offset, so that a lost answer, a restart or a gap is mended by
//! reading the same bytes again. A quiet stream's first bytes go at once; under load a send carries what came meanwhile.

use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::PathBuf,
};

use fleet_protocol::{
    ErrorCode, JobId, Problem,
    api::{LogPlace, LogStream},
};

use super::mask::Mask;
use crate::client::Client;

/// The most that one append carries, in bytes.
const MOST: usize = 256 * 1024;

/// Which stream of which run goes where.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) job: JobId,
    pub(crate) lease_epoch: u64,
    pub(crate) run: u32,
    pub(crate) stream: LogStream,
    pub(crate) mask: Mask,
}

/// Carries one file's bytes to one stream.
pub(crate) struct Pump {
    client: Client,
    target: Target,
    path: PathBuf,
    /// In the stream.
    offset: u64,
    /// Where in the stream the file's first byte stands: beyond 0 once the file was cut by whoever writes it.
    begins: u64,
}

/// Whether bytes of an unfinished character at the end are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// More may come.
    Open,
    /// Nothing more comes.
    Closed,
}

impl Pump {
    pub(crate) const fn new(client: Client, target: Target, path: PathBuf) -> Self {
        Self { client, target, path, offset: 0, begins: 0 }
    }

    /// Sends everything that the file holds beyond what was sent. Returns the offset reached.
    pub(crate) async fn drain(&mut self, tail: Tail) -> Result<u64, PumpError> {
        loop {
            let mut bytes = self.read()?;
            let most = sendable(&bytes, tail);
            let may_go_on = tail == Tail::Open || bytes.len() == MOST;
            // Whole values first: what is left at the end may then be the beginning of one.
            self.target.mask.bytes(&mut bytes[..most]);
            let begun = if may_go_on { self.target.mask.begun(&bytes[..most]) } else { 0 };
            bytes.truncate(most - begun);
            if bytes.is_empty() {
                return Ok(self.offset);
            }
            self.offset = self.send(bytes).await?;
        }
    }

    /// The next bytes of the file, if there are any.
    fn read(&mut self) -> Result<Vec<u8>, PumpError> {
        let wrong = |source| PumpError::Read { path: self.path.clone(), source };
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            // The agent has not been started yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(error)),
        };
        let length = file.metadata().map_err(wrong)?.len();
        self.begins = self.begins.min(self.offset);
        if length < self.offset - self.begins {
            self.begins = self.offset;
        }
        file.seek(SeekFrom::Start(self.offset - self.begins)).map_err(wrong)?;
        let left = length.saturating_sub(self.offset - self.begins).min(MOST as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(left).unwrap_or(MOST));
        file.take(MOST as u64).read_to_end(&mut bytes).map_err(wrong)?;
        Ok(bytes)
    }

    async fn send(&self, bytes: Vec<u8>) -> Result<u64, PumpError> {
        let Target { job, lease_epoch, run, stream, .. } = &self.target;
        let place = LogPlace { lease_epoch: *lease_epoch, run: *run, stream: *stream, offset: self.offset };
        match self.client.append_log(job, &place, bytes).await {
            Ok(next) => Ok(next),
            // The coordinator has less than we thought (its disk lost an unsynced tail): go on from there.
            Err(problem) => match problem.details["expectedOffset"].as_u64() {
                Some(expected) if problem.code == ErrorCode::Conflict && expected < self.offset => Ok(expected),
                _ => Err(PumpError::Refused(problem)),
            },
        }
    }
}

/// How many of `bytes` can go now: all, or all but an unfinished character.
fn sendable(bytes: &[u8], tail: Tail) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && (tail == Tail::Open || bytes.len() == MOST) => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// Why output could not be carried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PumpError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the coordinator refused output: {0}")]
    Refused(Problem),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_character_waits_for_its_rest_unless_nothing_more_comes() {
        let bytes = "ab\u{e9}".as_bytes();
        assert_eq!(sendable(&bytes[..3], Tail::Open), 2);
        assert_eq!(sendable(&bytes[..3], Tail::Closed), 3);
        assert_eq!(sendable(bytes, Tail::Open), 4);
        assert_eq!(sendable(b"a\xffb", Tail::Open), 3, "bytes that are no UTF-8 at all go as they are");
    }
}
