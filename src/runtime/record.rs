//! How a run ended, as the shim writes it down.

use serde::{Deserialize, Serialize};

use super::Token;

/// The exit record. Once it exists, no process of the run is left but the `survivors` it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    /// Of the launch that it belongs to.
    pub(crate) token: Token,
    pub(crate) reason: Reason,
    /// Why nothing was started; only with [`Reason::FailedToStart`].
    pub(crate) failure: Option<StartFailure>,
    /// The agent's, when it exited.
    pub(crate) exit_code: Option<i32>,
    /// The number of the signal that ended the agent.
    pub(crate) signal: Option<i32>,
    /// Which boot `started_ms` counts from.
    pub(crate) boot_id: String,
    /// When the agent was started, milliseconds since boot, time asleep included.
    pub(crate) started_ms: u64,
    /// From the agent's start until the last process was gone.
    pub(crate) duration_ms: u64,
    /// Processes that were still there when the agent itself had ended.
    pub(crate) leftovers: u32,
    /// Processes that did not end when asked and were killed.
    pub(crate) forced: u32,
    /// Processes that could not be ended even by force: stuck in the kernel, or another user's. Nearly always 0.
    pub(crate) survivors: u32,
    /// What kept the processes together.
    #[serde(default)]
    pub(crate) owned_by: OwnedBy,
    /// Which ceiling was reached; only with [`Reason::ResourceExceeded`].
    #[serde(default)]
    pub(crate) exceeded: Option<Exceeded>,
    /// The most memory that the processes held at one time, as far as it was sampled, bytes.
    #[serde(default)]
    pub(crate) peak_memory: Option<u64>,
    /// Processor time of all processes.
    #[serde(default)]
    pub(crate) cpu_ms: Option<u64>,
    /// Bytes read from and written to disks by processes that were waited for.
    #[serde(default)]
    pub(crate) read_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) written_bytes: Option<u64>,
}

/// How the processes of a run are held together and found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OwnedBy {
    /// By a control group of version 2.
    Cgroup2,
    /// By control groups of version 1.
    Cgroup1,
    /// By parents and the launch token.
    #[default]
    ProcessTable,
}

/// A ceiling, and what went over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exceeded {
    pub(crate) resource: Resource,
    /// Bytes of memory, or processes.
    pub(crate) used: u64,
    pub(crate) ceiling: u64,
}

/// What has a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Resource {
    Memory,
    Processes,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The agent ended by itself, well or badly.
    Exited,
    /// Nothing ran; the record's `failure` says why.
    FailedToStart,
    Timeout,
    Budget,
    /// No worker spoke to the shim for too long.
    OwnerGone,
    /// By request without a further reason, also a plain SIGTERM to the shim.
    Stopped,
    Cancelled,
    Drained,
    Preempted,
    LeaseLost,
    /// Nothing came from the agent for too long.
    Stalled,
    /// The tree went over one of its ceilings; the record's `exceeded` says which.
    ResourceExceeded,
}

/// What a worker can give as the reason of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StopReason {
    Stopped,
    Cancelled,
    /// A limit that the worker watches over, not the shim.
    Timeout,
    /// The cost cap: metered by the worker.
    Budget,
    Drained,
    Preempted,
    LeaseLost,
    /// Nothing came from the agent for too long.
    Stalled,
}

impl From<StopReason> for Reason {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Stopped => Self::Stopped,
            StopReason::Cancelled => Self::Cancelled,
            StopReason::Timeout => Self::Timeout,
            StopReason::Budget => Self::Budget,
            StopReason::Drained => Self::Drained,
            StopReason::Preempted => Self::Preempted,
            StopReason::LeaseLost => Self::LeaseLost,
            StopReason::Stalled => Self::Stalled,
        }
    }
}

/// Why an agent could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartFailure {
    pub(crate) kind: StartFailureKind,
    /// The path that was tried, or the bare name that was looked for.
    pub(crate) path: String,
    /// One sentence for people.
    pub(crate) message: String,
}

/// What kind of obstacle it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StartFailureKind {
    /// The program, or the interpreter that it names, does not exist.
    NotFound,
    /// It is there but may not be executed.
    Permission,
    /// The working directory is missing or closed.
    WorkingDirectory,
    Other,
}
