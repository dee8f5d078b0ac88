//! Goes through bytes once and finds what has the shape of a credential.

use std::ops::Range;

use super::{phrase, token};

/// What can be said of a place from which one reads on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// What has to be masked; it begins after whatever made it recognisable, so that it still is once it is masked.
    pub(super) secret: Option<Range<usize>>,
    /// More bytes could make it another one, or longer.
    pub(super) open: bool,
}

impl Sight {
    /// A secret that ends where the bytes do may go on.
    pub(super) fn secret(range: Range<usize>, bytes: &[u8]) -> Self {
        Self { open: range.end == bytes.len(), secret: Some(range) }
    }

    /// Too little to tell.
    pub(super) const OPEN: Self = Self { secret: None, open: true };
}

/// Something to mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    /// From here on it is recognised: with less before it, it would not be.
    pub(super) from: usize,
    pub(super) masked: Range<usize>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// In their order.
    pub(super) secrets: Vec<Secret>,
    /// The places from which more bytes could tell something else.
    pub(super) open: Vec<usize>,
}

type Look = fn(&[u8], usize) -> Option<Sight>;

/// Each looks at a bounded number of bytes unless it finds something.
const AT_WORDS: [Look; 4] = [token::look, token::look_web_token, phrase::assignment, phrase::authorisation];
const ANYWHERE: [Look; 2] = [phrase::address, phrase::private_key];

/// Finds every shape in `bytes`.
pub(super) fn shapes(bytes: &[u8]) -> Shapes {
    let mut found = Shapes::default();
    let mut at = 0;
    while at < bytes.len() {
        let mut next = at + 1;
        let looks = if begins_word(bytes, at) { AT_WORDS.as_slice() } else { &[] };
        let sights = looks.iter().chain(&ANYWHERE).filter_map(|look| look(bytes, at));
        for Sight { secret, open } in sights {
            if open {
                found.open.push(at);
            }
            if let Some(secret) = secret {
                next = next.max(secret.end);
                found.secrets.push(Secret { from: at, masked: secret });
            }
        }
        at = next;
    }
    found
}

/// `task-oriented` holds `sk-`, but as a part of a word. Other scripts write a token right after a word.
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    is_part(bytes[at]) && !at.checked_sub(1).is_some_and(|before| is_part(bytes[before]))
}

/// Where the bytes from `from` on stop being of this kind.
pub(super) fn run(bytes: &[u8], from: usize, of: impl Fn(u8) -> bool) -> usize {
    let end = bytes[from..].iter().position(|byte| !of(*byte)).map_or(bytes.len(), |length| from + length);
    #[cfg(test)]
    LOOKED_AT.with(|count| count.set(count.get() + end - from));
    end
}

/// Whether the bytes at `at` are `word`, whatever its case; none when they end within it.
pub(super) fn says(bytes: &[u8], at: usize, word: &str) -> Option<bool> {
    let rest = &bytes[at..];
    let common = rest.len().min(word.len());
    if !rest[..common].eq_ignore_ascii_case(&word.as_bytes()[..common]) {
        return Some(false);
    }
    (common == word.len()).then_some(true)
}

/// Letters, digits, `-`, `_`, and what a mask has put in their place.
pub(super) const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*')
}

#[cfg(test)]
thread_local! {
    /// Bytes that [`run`] went over: what a test of the time taken counts.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
