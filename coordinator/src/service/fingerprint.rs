//! Tells one content from another.

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes, as text.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a string takes whatever is written");
    }
    text
}
