//! Puts asterisks in the place of secrets, one for each byte, so that offsets stay what they are. Line ends stay.
//!
//! What made a secret recognisable (`ghp_`, `Bearer `, the first line of a key) stays too: masking again changes nothing,
//! and what arrives later of a secret that was cut is still recognised.

use std::{fmt, ops::Range};

use super::{
    form::forms,
    scan::{self, Secret},
};

/// Shorter values are too common in ordinary text to be masked.
pub const SHORTEST: usize = 4;
/// What may be the beginning of a secret is waited for no longer than this, bytes; longer credentials are not known.
const LONGEST_OPEN: usize = 16 * 1024;
/// The same for values that are known.
const LONGEST_VALUE: usize = 64 * 1024;

/// Lines for people are not longer.
const LONGEST_CUT: usize = 1024;

/// Known values, in any form that they may have been written down in, and everything that has the shape of a credential.
#[derive(Clone, Default)]
pub struct Mask {
    /// By their first byte.
    forms: Vec<Vec<Vec<u8>>>,
    values: usize,
    longest: usize,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} values)", self.values)
    }
}

/// What stands in some bytes.
#[derive(Default)]
struct Sights {
    secrets: Vec<Secret>,
    /// Places from which more bytes could make a secret, or a longer one.
    open: Vec<usize>,
}

impl Mask {
    /// A mask for these values besides all shapes. Values that are too short are left out.
    pub fn new<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut mask = Self { forms: vec![Vec::new(); 256], ..Self::default() };
        let mut values: Vec<&str> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_unstable();
        values.dedup();
        mask.values = values.len();
        for form in values.into_iter().flat_map(forms) {
            mask.longest = mask.longest.max(form.len());
            mask.forms[usize::from(form[0])].push(form);
        }
        mask
    }

    /// Masks every secret in `bytes`, of which nothing is missing.
    pub fn bytes(&self, bytes: &mut [u8]) {
        let sights = self.look(bytes);
        sights.secrets.into_iter().for_each(|secret| fill(bytes, secret.masked));
    }

    /// The same text without any secret, nor the beginning of a known value that was cut off with an ellipsis.
    pub fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.bytes(&mut bytes);
        for (end, _) in text.match_indices('…') {
            let from = end.saturating_sub(LONGEST_CUT);
            if let Some(begun) = (from..end).find(|at| self.begins_value(&text.as_bytes()[*at..end])) {
                fill(&mut bytes, begun..end);
            }
        }
        String::from_utf8(bytes).expect("secrets begin and end where letters do")
    }

    /// Masks `bytes`, after which more will come, and says how many of them can be used now: the rest may be the beginning
    /// of a secret, and has to be looked at again together with what comes.
    pub fn growing(&self, bytes: &mut [u8]) -> usize {
        let Sights { secrets, open } = self.look(bytes);
        // A known value that is whole needs no more bytes, whatever its shape.
        let at_the_end = secrets.iter().map(|secret| &secret.masked).filter(|masked| masked.end == bytes.len());
        let known = at_the_end.filter(|masked| self.is_value(&bytes[masked.start..]));
        let settled = known.map(|masked| masked.start).min().unwrap_or(bytes.len());
        let longest = self.longest.clamp(LONGEST_OPEN, LONGEST_VALUE);
        let waiting = open.into_iter().filter(|at| *at < settled && bytes.len() - at <= longest);
        let mut now = waiting.min().unwrap_or(bytes.len());
        // A secret is not cut from what makes it one.
        while let Some(cut) = secrets.iter().find(|secret| secret.from < now && now < secret.masked.end) {
            now = cut.from;
        }
        if bytes.len() - now > LONGEST_VALUE {
            // Waiting for ever would lose the output instead.
            now = bytes.len();
        }
        secrets.into_iter().for_each(|secret| fill(bytes, secret.masked));
        now
    }

    fn look(&self, bytes: &[u8]) -> Sights {
        let mut sights = Sights::default();
        for at in 0..bytes.len() {
            let rest = &bytes[at..];
            for form in self.forms.get(usize::from(bytes[at])).into_iter().flatten() {
                if rest.starts_with(form) {
                    sights.secrets.push(Secret { from: at, masked: at..at + form.len() });
                } else if form.starts_with(rest) {
                    sights.open.push(at);
                }
            }
        }
        let shapes = scan::shapes(bytes);
        sights.secrets.extend(shapes.secrets);
        sights.open.extend(shapes.open);
        sights
    }

    /// Whether these bytes are the beginning of a known value, and enough of it to matter.
    fn begins_value(&self, bytes: &[u8]) -> bool {
        let known = bytes.first().and_then(|first| self.forms.get(usize::from(*first)));
        bytes.len() >= SHORTEST && known.is_some_and(|forms| forms.iter().any(|form| form.starts_with(bytes)))
    }

    fn is_value(&self, bytes: &[u8]) -> bool {
        let known = bytes.first().and_then(|first| self.forms.get(usize::from(*first)));
        known.is_some_and(|forms| forms.iter().any(|form| form == bytes))
    }
}

fn fill(bytes: &mut [u8], secret: Range<usize>) {
    bytes[secret].iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b'*');
}
