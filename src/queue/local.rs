//! Whether notifications of the file system can be relied on: a disk that other machines write to tells this one nothing.

use std::path::Path;

/// Whether every change below `folder` is made through this machine's system, as far as that is known.
#[cfg(target_os = "linux")]
pub(super) fn is_local(folder: &Path) -> bool {
    use nix::sys::statfs::{
        BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC, statfs,
    };
    // EXT4 shares its number with its forerunners. What is not named here is looked at often: that costs time only.
    let known = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC];
    statfs(folder).is_ok_and(|found| known.contains(&found.filesystem_type()))
}

/// Likewise; not known here.
#[cfg(not(target_os = "linux"))]
pub(super) const fn is_local(_: &Path) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_disk_of_this_machine_is_not_relied_on() {
        assert!(!is_local(Path::new("/proc")));
        assert!(!is_local(Path::new("/no/such/folder")));
    }
}
