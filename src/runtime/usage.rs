//! What a run's processes use, read from the process table.
//!
//! A process that ends while it is read counts for nothing.

use std::fs;

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde::{Deserialize, Serialize};

use super::process::Process;

/// What `getrusage` counts disks in, bytes.
const BLOCK: u64 = 512;

/// What a run has used so far; kept in its folder as `usage.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    /// When it was sampled, since the agent's start.
    pub(crate) at_ms: u64,
    pub(crate) processes: u32,
    /// Bytes held then.
    pub(crate) memory: u64,
    /// The most of it in any sample.
    pub(crate) peak_memory: u64,
    pub(crate) cpu_ms: u64,
}

/// Resident memory of one process, bytes; what it shares with others counts in full.
pub(super) fn resident(process: &Process) -> u64 {
    kibibytes(process, "status", "VmRSS:")
}

/// The part of resident memory that is one process's own, with its share of what it shares with others. Dear: the kernel
/// walks through all of its pages.
pub(super) fn proportional(process: &Process) -> u64 {
    match kibibytes(process, "smaps_rollup", "Pss:") {
        // Another user's: what can be told is then the best that is known.
        0 => resident(process),
        own => own,
    }
}

fn kibibytes(process: &Process, file: &str, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field)).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Processor time of one process and of all that it has waited for, milliseconds.
pub(super) fn cpu_ms(process: &Process) -> u64 {
    let stat = fs::read(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(4));
    let ticks: u64 = fields.into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks * 1_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// What the shim's own children had used when they were waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Collected {
    pub(super) cpu_ms: u64,
    /// Of the largest single process, bytes.
    pub(super) largest: u64,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
}

pub(super) fn collected() -> Option<Collected> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Some(Collected {
        cpu_ms: number((usage.user_time() + usage.system_time()).num_milliseconds()),
        largest: number(usage.max_rss()) * 1024,
        read_bytes: number(usage.block_reads()) * BLOCK,
        written_bytes: number(usage.block_writes()) * BLOCK,
    })
}
