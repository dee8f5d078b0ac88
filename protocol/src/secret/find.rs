//! Text that has the shape of a credential, so that it is refused before it is stored or shown.
//!
//! Only shapes that say by themselves what they are: prose does not match, nor does the example of an address.

use super::{phrase, scan::begins_word, token};

/// A credential-shaped piece of text. The text itself is deliberately not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where it starts, in bytes.
    pub offset: usize,
    /// What it looks like, for people.
    pub shape: &'static str,
}

/// The first credential-shaped piece of `text`.
pub fn find(text: &str) -> Option<Found> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find_map(|offset| {
        let token = if begins_word(bytes, offset) { token::what(bytes, offset) } else { None };
        let key = || phrase::begins_private_key(bytes, offset).then_some("a private key");
        token.or_else(key).map(|shape| Found { offset, shape })
    })
}
