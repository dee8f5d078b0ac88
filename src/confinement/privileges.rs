//! What root gives up with its confinement: powers over the kernel, devices and other processes that lead around Landlock.
//!
//! Landlock holds root as it holds anybody, but a kernel module, a new device or another process's memory is not a file to it.
//! What stays is about what a container's root has by default. Anybody else has nothing to give up: a confined process
//! never gains a privilege.

use rustix::{
    io::{Errno, Result},
    thread::{CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set, set_capabilities},
};

/// Powers over files that Landlock watches over anyway, over its own processes and over the network.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::AUDIT_WRITE);

/// Gives up all other powers for this thread and whatever it starts, for good.
pub(super) fn shed() -> Result<()> {
    let now = capabilities(None)?;
    if now.permitted.is_empty() {
        return Ok(());
    }
    if now.effective.contains(CapabilitySet::SETPCAP) {
        for power in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            if KEPT.contains(power) {
                continue;
            }
            match remove_capability_from_bounding_set(power) {
                // The kernel does not know such a one.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let (effective, permitted) = (now.effective.intersection(KEPT), now.permitted.intersection(KEPT));
    set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
}
