//! A run's output, in and out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// Which output of a run.
    LogStream, "log stream" {
        Stdout = "stdout",
        Stderr = "stderr",
        Verify = "verify",
        /// What the worker itself did: preparing, committing leftovers, verifying.
        Worker = "worker",
    }
}

/// `POST /jobs/{id}/logs`: bytes `offset..offset+len` of one stream of one run. Overlap is stored once; a gap is 409 with
/// `expectedOffset`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogAppend {
    pub lease_epoch: u64,
    pub run: u32,
    pub stream: LogStream,
    pub offset: u64,
    pub data: String,
    #[serde(default)]
    pub encoding: Encoding,
}

/// Query of `POST /jobs/{id}/logs` whose body is the bytes themselves (`application/octet-stream`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogPlace {
    pub lease_epoch: u64,
    pub run: u32,
    pub stream: LogStream,
    pub offset: u64,
}

impl LogAppend {
    /// Where its bytes belong.
    pub const fn place(&self) -> LogPlace {
        LogPlace { lease_epoch: self.lease_epoch, run: self.run, stream: self.stream, offset: self.offset }
    }
}

words! {
    /// How `data` stands in JSON.
    #[derive(Default)]
    Encoding, "encoding" {
        #[default]
        Text = "text",
        Base64 = "base64",
    }
}

/// Answer to `POST …/logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogAppended {
    pub next_offset: u64,
}

/// Query of `GET …/logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogsQuery {
    /// The newest run when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// `stdout` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<LogStream>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes at most; 1 MiB when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// A piece of a stream. Bytes that are no UTF-8 are replaced and `lossy` says so; offsets count the stored bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogChunk {
    pub run: u32,
    pub stream: LogStream,
    pub data: String,
    pub next_offset: u64,
    /// Length of the stream so far.
    pub size: u64,
    #[serde(default)]
    pub lossy: bool,
    /// When the output of this run was let go because the job had finished long before. There was some, perhaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
}
