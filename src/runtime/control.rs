//! The words that a worker and a shim exchange over the socket in the run's folder, and the worker's side of it.
//!
//! One request and one answer for each connection, a line of JSON each. Every request with the right key also tells the
//! shim that it has an owner.

use std::{fs::File, io, os::fd::AsRawFd, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};

use super::{
    RuntimeError, Token,
    record::StopReason,
    run_dir::{CONTROL, RunDir},
};

/// No request and no answer is longer, in bytes.
pub(super) const LINE_LIMIT: u64 = 64 * 1024;
/// How long either side waits for the other's line.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) key: Token,
    #[serde(flatten)]
    pub(super) order: Order,
}

/// What a worker can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Order {
    /// Nothing but that the owner is there.
    Hello,
    /// Ends the tree: asked first, forced after the grace (the spec's if none is given). The first reason stays; a later
    /// stop can only shorten the grace.
    Stop {
        reason: StopReason,
        grace_ms: Option<u64>,
    },
    /// Ends the tree by force at once.
    Kill,
    Pause,
    Resume,
    Status,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Done; this is how the run stands now.
    Status(Status),
    /// Not done, and why.
    Refused(String),
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) label: String,
    pub(crate) state: State,
    /// Of the agent; it may have ended while the state is `ending`.
    pub(crate) agent_pid: i32,
    /// Since the agent's start.
    pub(crate) elapsed_ms: u64,
    /// The same without pauses.
    pub(crate) worked_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Working,
    Paused,
    /// Its processes are being ended.
    Ending,
}

/// Sends one order to the shim of this folder.
pub(super) async fn ask(dir: &RunDir, key: &Token, order: Order) -> Result<Status, RuntimeError> {
    let request = Request { key: key.clone(), order };
    let answer = timeout(PATIENCE, exchange(dir, &request))
        .await
        .map_err(|_| RuntimeError::NoAnswer { path: dir.path().to_owned(), waited: PATIENCE })?
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => RuntimeError::NotListening { path: dir.path().to_owned(), source },
            _ => RuntimeError::io("speak through", dir.file(CONTROL))(source),
        })?;
    match answer {
        Answer::Status(status) => Ok(status),
        Answer::Refused(why) => Err(RuntimeError::Refused { path: dir.path().to_owned(), why }),
    }
}

async fn exchange(dir: &RunDir, request: &Request) -> io::Result<Answer> {
    // A socket's address is short; the folder's handle makes a short name for a path of any length.
    let folder = File::open(dir.path())?;
    let stream = UnixStream::connect(format!("/proc/self/fd/{}/{CONTROL}", folder.as_raw_fd())).await?;
    let mut stream = BufReader::new(stream);
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut line = String::new();
    (&mut stream).take(LINE_LIMIT).read_line(&mut line).await?;
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed without an answer"));
    }
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_flat_object() {
        let key: Token = serde_json::from_str("\"k\"").unwrap();
        let stop = Order::Stop { reason: StopReason::LeaseLost, grace_ms: Some(5) };
        let text = serde_json::to_string(&Request { key, order: stop.clone() }).unwrap();
        assert_eq!(text, r#"{"key":"k","do":"stop","reason":"lease_lost","grace_ms":5}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap().order, stop);
        assert_eq!(serde_json::from_str::<Request>(r#"{"key":"k","do":"pause"}"#).unwrap().order, Order::Pause);
        assert!(serde_json::from_str::<Request>(r#"{"do":"pause"}"#).is_err());
    }
}
