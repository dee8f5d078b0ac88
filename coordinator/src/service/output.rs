//! A run's output: taken from its holder, shown to anyone.
//!
//! The epoch is judged while the stream's file is locked, so a former holder that waited for the file is refused. What
//! it can add at worst is the tail of its own run; a later run has files of its own.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use fleet_protocol::{
    ErrorCode, JobId, Problem, Run, Span, Stage,
    api::{Encoding, LogAppend, LogAppended, LogChunk, LogPlace, LogStream, LogsQuery},
};
use serde_json::json;

use super::{Failure, Service, blocking::blocking, caller::Caller, report::check_holder};
use crate::{
    lifecycle::{self, Input},
    logs::{LogError, PIECE, StreamName},
};

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Problem(match &error {
            LogError::Gap { expected } => {
                Problem::new(ErrorCode::Conflict, error.to_string()).with(json!({ "expectedOffset": expected }))
            }
            LogError::Io { source, .. } => {
                tracing::error!(%error, %source, "a log failed");
                Problem::new(ErrorCode::Unavailable, format!("{error}: {source}"))
            }
        })
    }
}

impl Service {
    /// Takes bytes of a stream. The offset makes a repeat harmless.
    pub(crate) async fn append_log(
        self: &Arc<Self>,
        caller: &Caller,
        id: &JobId,
        place: LogPlace,
        bytes: Bytes,
    ) -> Result<LogAppended, Failure> {
        let (service, caller, id) = (Arc::clone(self), caller.clone(), id.clone());
        let epoch = place.lease_epoch;
        let (judge, judged) = (caller.clone(), id.clone());
        // Waiting for a lock on a file may take a while; the threads that serve everybody do not.
        let outcome = blocking(move || service.append_locked(&judge, &judged, (&place, &bytes))).await;
        if matches!(&outcome, Err(Failure::Problem(problem)) if problem.code == ErrorCode::Fenced) {
            let job = self.load(&caller.product, &id)?.job;
            self.note_refusal(&caller, &job, Some(epoch), self.now()).await?;
        }
        outcome
    }

    fn append_locked(
        &self,
        caller: &Caller,
        id: &JobId,
        (place, bytes): (&LogPlace, &[u8]),
    ) -> Result<LogAppended, Failure> {
        let name = StreamName { job: id.clone(), run: place.run, stream: place.stream };
        if !self.logs.is_there(&name) {
            // Before a file is made for it.
            self.may_append(caller, id, place)?;
        }
        if !u64::try_from(bytes.len()).is_ok_and(|length| length <= PIECE) {
            let message = format!("more than {PIECE} bytes at once; send them in pieces");
            return Err(Problem::new(ErrorCode::TooLarge, message).into());
        }
        let now = self.now();
        let next_offset = self.logs.append(&name, (place.offset, bytes), now, || self.may_append(caller, id, place))?;
        Ok(LogAppended { next_offset })
    }

    /// Whether the sender may add to a run's output: it holds the job, or held it last and the job was not finished off.
    fn may_append(&self, caller: &Caller, id: &JobId, place: &LogPlace) -> Result<(), Failure> {
        let snapshot = self.load(&caller.product, id)?;
        let job = &snapshot.job;
        let probe = Input::Renew { lease_epoch: place.lease_epoch, ttl: Span::from_millis(0) };
        match lifecycle::step(job, snapshot.run.as_ref(), &probe, self.now()) {
            // The last lines of a run may come after its end.
            Err(problem)
                if problem.code != ErrorCode::InvalidTransition
                    || matches!(job.stage, Stage::Shipped | Stage::DeadLetter) =>
            {
                return Err(problem.into());
            }
            Ok(_) | Err(_) => {}
        }
        check_holder(caller, job)?;
        match snapshot.run {
            Some(run) if run.number == place.run && run.lease_epoch == place.lease_epoch => Ok(()),
            _ => Err(Problem::new(
                ErrorCode::InvalidRequest,
                format!("run {} is not the run of lease epoch {}", place.run, place.lease_epoch),
            )
            .into()),
        }
    }

    /// A piece of a stream; of the newest run's standard output unless the query says otherwise.
    pub(crate) async fn read_log(
        self: &Arc<Self>,
        caller: &Caller,
        id: &JobId,
        query: LogsQuery,
    ) -> Result<LogChunk, Failure> {
        let run = self.run(caller, id, query.run)?;
        let stream = query.stream.unwrap_or(LogStream::Stdout);
        let Some(run) = run else {
            return Ok(LogChunk {
                run: 0,
                stream,
                data: String::new(),
                next_offset: 0,
                size: 0,
                lossy: false,
                expired_at: None,
            });
        };
        let offset = query.offset.unwrap_or(0);
        let name = StreamName { job: id.clone(), run: run.number, stream };
        let logs = self.logs.clone();
        let limit = query.limit.unwrap_or(PIECE).max(4);
        let piece = blocking(move || logs.read(&name, offset, limit).map_err(Failure::from)).await?;
        let mut bytes = piece.bytes;
        let read_to = offset + u64::try_from(bytes.len()).expect("a length fits 64 bits");
        if run.ended_at.is_none() || read_to < piece.size {
            bytes.truncate(bytes.len() - cut_letter(&bytes));
        }
        let next_offset = offset + u64::try_from(bytes.len()).expect("a length fits 64 bits");
        let (data, lossy) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        };
        // What is there has not expired, so most readers need not ask.
        let expired_at = if piece.size == 0 { self.expired_at(caller, id, run.number)? } else { None };
        Ok(LogChunk { run: run.number, stream, data, next_offset, size: piece.size, lossy, expired_at })
    }

    /// The run that is asked for; none when the job has not run yet.
    fn run(&self, caller: &Caller, id: &JobId, number: Option<u32>) -> Result<Option<Run>, Failure> {
        let newest = self.load(&caller.product, id)?.run;
        let Some(number) = number.filter(|number| newest.as_ref().is_none_or(|run| run.number != *number)) else {
            return Ok(newest);
        };
        let runs = self.store.runs_list(&caller.product, id)?;
        match runs.into_iter().find(|run| run.number == number) {
            Some(run) => Ok(Some(run)),
            None => Err(Problem::new(ErrorCode::NotFound, format!("job `{id}` has no run {number}")).into()),
        }
    }
}

/// The bytes that stand in JSON.
pub(crate) fn decode(append: LogAppend) -> Result<Bytes, Problem> {
    match append.encoding {
        Encoding::Text => Ok(append.data.into()),
        Encoding::Base64 => BASE64_STANDARD
            .decode(&append.data)
            .map(Bytes::from)
            .map_err(|_| Problem::new(ErrorCode::InvalidRequest, "`data` is not base64, as `encoding` says")),
    }
}

/// How many bytes at the end begin a letter whose rest has not been read.
fn cut_letter(bytes: &[u8]) -> usize {
    (1..=3.min(bytes.len()))
        .find(|back| bytes[bytes.len() - back] & 0b1100_0000 != 0b1000_0000)
        .filter(|back| {
            let needed = match bytes[bytes.len() - back] {
                0b1100_0000..=0b1101_1111 => 2,
                0b1110_0000..=0b1110_1111 => 3,
                0b1111_0000..=0b1111_0111 => 4,
                _ => 1,
            };
            needed > *back
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_is_cut_waits_for_its_rest() {
        for text in ["aé", "a€", "a😀", "日本"] {
            let bytes = text.as_bytes();
            for end in 0..=bytes.len() {
                let kept = &bytes[..end - cut_letter(&bytes[..end])];
                assert!(std::str::from_utf8(kept).is_ok(), "{text} to {end}");
            }
            assert_eq!(cut_letter(bytes), 0, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_letters_are_not_held_back() {
        assert_eq!(cut_letter(&[0xff, 0xfe]), 0);
        assert_eq!(cut_letter(&[0x80, 0x80, 0x80, 0x80]), 0);
    }
}
