//! Sends a run's output to the coordinator: what is in the file and not yet there.
//!
//! The file is the spool. A pump owns nothing but an offset, so that a lost answer, a restart or a gap is mended by
//! reading the same bytes again. A quiet stream's first bytes go at once; under load a send carries what came meanwhile.
//! A stream is kept byte for byte up to a limit; what is beyond it is counted, and the count ends the stream.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use fleet_protocol::{
    ErrorCode, JobId, Problem,
    api::{LogPlace, LogStream, LogsQuery},
};

use super::{flood::Dropped, mask::Mask, save::blocking};
use crate::client::Client;

/// The most that one append carries, in bytes.
const MOST: usize = 256 * 1024;

/// No value that is to be masked is longer, in bytes.
const LONGEST_VALUE: usize = 64 * 1024;

/// Which stream of which run goes where.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) job: JobId,
    pub(crate) lease_epoch: u64,
    pub(crate) run: u32,
    pub(crate) stream: LogStream,
    /// How many bytes of it are kept.
    pub(crate) most: u64,
    pub(crate) mask: Mask,
}

/// Carries one file's bytes to one stream.
pub(crate) struct Pump {
    client: Client,
    target: Target,
    path: PathBuf,
    from: From,
    /// In the stream.
    offset: u64,
    /// Where in the stream the file's first byte stands: beyond 0 once the file was cut by whoever writes it.
    begins: u64,
    /// What was sent last may have been cut off in the middle of a value that is to be masked.
    cut_off: bool,
}

/// Where a stream is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Beginning,
    /// Where the coordinator's copy ends: another runner sent that.
    WhatArrived,
}

/// Keeps `begins` beside a file that was cut, for the next runner: `stdout.begins`.
pub(crate) fn begins_beside(file: &Path) -> PathBuf {
    file.with_extension("begins")
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
    pub(crate) const fn new(client: Client, target: Target, path: PathBuf, from: From) -> Self {
        Self { client, target, path, from, offset: 0, begins: 0, cut_off: false }
    }

    /// Sends everything that the file holds beyond what was sent. Returns the offset reached.
    pub(crate) async fn drain(&mut self, tail: Tail) -> Result<u64, PumpError> {
        if self.from == From::WhatArrived {
            self.take_up().await?;
        }
        loop {
            let room = self.target.most.saturating_sub(self.offset);
            if room == 0 {
                let reached = self.offset;
                self.tell_dropped(tail).await?;
                if self.offset >= reached {
                    return Ok(self.offset);
                }
                continue;
            }
            let (mut bytes, known) = self.read()?;
            let may_go_on = tail == Tail::Open || bytes.len() - known == MOST;
            bytes.truncate(known + sendable(&bytes[known..], tail));
            let now = if may_go_on {
                self.target.mask.growing(&mut bytes)
            } else {
                self.target.mask.bytes(&mut bytes);
                bytes.len()
            };
            if now <= known {
                return Ok(self.offset);
            }
            // Only now, when what begins before the limit and ends beyond it is masked.
            bytes.truncate(now.min(known.saturating_add(usize::try_from(room).unwrap_or(usize::MAX))));
            let send = bytes.split_off(known);
            let reached = self.offset + send.len() as u64;
            self.offset = self.send(send).await?;
            self.cut_off = self.offset < reached;
        }
    }

    /// Begins where the coordinator's copy ends, whatever an earlier runner believed to have sent.
    async fn take_up(&mut self) -> Result<(), PumpError> {
        let Target { job, run, stream, .. } = &self.target;
        let query = LogsQuery { run: Some(*run), stream: Some(*stream), offset: Some(0), limit: Some(0) };
        self.offset = self.client.logs(job, &query).await.map_err(PumpError::Refused)?.size;
        let begins = fs::read_to_string(begins_beside(&self.path)).unwrap_or_default();
        self.begins = begins.trim().parse().unwrap_or(0);
        self.from = From::Beginning;
        self.cut_off = true;
        Ok(())
    }

    /// Ends a stream that is as long as it may be with what was dropped of it. One that is longer says so already.
    async fn tell_dropped(&mut self, tail: Tail) -> Result<(), PumpError> {
        if tail == Tail::Open || self.offset > self.target.most {
            return Ok(());
        }
        let Some((file, at, _)) = self.open()? else { return Ok(()) };
        let counted = blocking(move || Dropped::count(file, at)).await;
        let dropped = counted.map_err(|source| PumpError::Read { path: self.path.clone(), source })?;
        if let Some(note) = dropped.told(self.target.most) {
            let Target { job, run, stream, .. } = &self.target;
            tracing::warn!(job.id = %job, run, %stream, ?dropped, "not all that a run printed is kept");
            let before = self.offset;
            self.offset = self.send(note.into_bytes()).await?;
            self.cut_off = self.offset < before;
        }
        Ok(())
    }

    /// The next bytes of the file, if there are any. After a send that was cut off some go before them that were sent
    /// already, because a value may have begun there; how many those are.
    fn read(&mut self) -> Result<(Vec<u8>, usize), PumpError> {
        let Some((mut file, at, length)) = self.open()? else { return Ok((Vec::new(), 0)) };
        let wrong = |source| PumpError::Read { path: self.path.clone(), source };
        let known = if self.cut_off { LONGEST_VALUE.min(usize::try_from(at).unwrap_or(usize::MAX)) } else { 0 };
        file.seek(SeekFrom::Start(at - known as u64)).map_err(wrong)?;
        let left = usize::try_from(length.saturating_sub(at)).unwrap_or(MOST).min(MOST);
        let mut bytes = Vec::with_capacity(known + left);
        file.take((known + MOST) as u64).read_to_end(&mut bytes).map_err(wrong)?;
        let known = known.min(bytes.len());
        Ok((bytes, known))
    }

    /// The file, where in it the stream goes on, and its length; none while there is no file.
    fn open(&mut self) -> Result<Option<(File, u64, u64)>, PumpError> {
        let wrong = |source| PumpError::Read { path: self.path.clone(), source };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            // The agent has not been started yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error)),
        };
        let length = file.metadata().map_err(wrong)?.len();
        self.begins = self.begins.min(self.offset);
        if length < self.offset - self.begins {
            self.begins = self.offset;
            fs::write(begins_beside(&self.path), self.begins.to_string()).map_err(wrong)?;
        }
        Ok(Some((file, self.offset - self.begins, length)))
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
