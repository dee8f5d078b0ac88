//! The time-limited right of one factory to one job.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// Whether a lease counts.
    LeaseStatus, "lease status" {
        Active = "active",
        Released = "released",
        Expired = "expired",
        Fenced = "fenced",
    }
}

words! {
    /// What the holder should do next; comes with each renewal.
    Directive, "directive" {
        Continue = "continue",
        Cancel = "cancel",
        Pause = "pause",
        Resume = "resume",
        Drain = "drain",
        Preempted = "preempted",
    }
}

/// A lease as the coordinator keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    pub holder_factory_id: String,
    pub lease_epoch: u64,
    /// By the coordinator's clock.
    pub expires_at: Timestamp,
    pub status: LeaseStatus,
}

/// A lease as it crosses the wire: durations, never instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseGrant {
    pub epoch: u64,
    pub ttl_ms: u64,
}
