//! How much a disk still takes.

use std::{io, path::Path};

use nix::sys::statvfs::statvfs;

/// Bytes that this user may still write where `path` lies, or would lie.
pub(crate) fn free_space(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = statvfs(there)?;
    // Some are not made of space; their zero does not mean that they are full.
    if stat.blocks() == 0 {
        return Err(io::Error::other("the file system there has no size"));
    }
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}
