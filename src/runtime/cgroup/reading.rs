//! What a group has used.

use std::path::Path;

use super::{
    files::{entry, number},
    group::Group,
};

impl Group {
    /// Memory that its processes hold now, bytes; the page cache does not count. None where no controller counts it.
    pub(crate) fn memory(&self) -> Option<u64> {
        if let Some(folder) = &self.unified
            && let Some(own) = entry(folder, "memory.stat", "anon")
        {
            return Some(own + entry(folder, "memory.stat", "shmem").unwrap_or(0));
        }
        let folder = self.legacy.get("memory")?;
        let own = entry(folder, "memory.stat", "total_rss")?;
        Some(own + entry(folder, "memory.stat", "total_shmem").unwrap_or(0))
    }

    /// How many of its processes the kernel ended because the ceiling on memory was reached.
    pub(crate) fn out_of_memory(&self) -> u64 {
        let kills = |folder: Option<&Path>, file| folder.and_then(|folder| entry(folder, file, "oom_kill"));
        let new = kills(self.unified.as_deref(), "memory.events");
        let old = kills(self.legacy.get("memory").map(|folder| folder.as_path()), "memory.oom_control");
        new.unwrap_or(0) + old.unwrap_or(0)
    }

    /// Processor time of everything that ever ran in it, milliseconds.
    pub(crate) fn cpu_ms(&self) -> Option<u64> {
        let new = self.unified.as_deref().and_then(|folder| entry(folder, "cpu.stat", "usage_usec"));
        new.map(|micros| micros / 1_000)
            .or_else(|| number(self.legacy.get("cpuacct")?, "cpuacct.usage").map(|nanos| nanos / 1_000_000))
    }
}
