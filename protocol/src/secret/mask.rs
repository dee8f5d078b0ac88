//! Puts asterisks in the place of secrets, one for each byte, so that offsets stay what they are. Line ends stay.
//!
//! What made a secret recognisable (`ghp_`, `Bearer `, the first line of a key) stays too: masking again changes nothing,
//! and what arrives later of a secret that was cut is still recognised.

use std::{fmt, ops::Range};

use super::{form::forms, scan};

/// Shorter values are too common in ordinary text to be masked.
pub const SHORTEST: usize = 4;
/// What may be the beginning of a secret is waited for no longer than this, bytes; longer credentials are not known.
const LONGEST_OPEN: usize = 16 * 1024;
/// The same for values that are known.
const LONGEST_VALUE: usize = 64 * 1024;

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
    secrets: Vec<Range<usize>>,
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
        sights.secrets.into_iter().for_each(|secret| fill(bytes, secret));
    }

    /// The same text without any secret.
    pub fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.bytes(&mut bytes);
        String::from_utf8(bytes).expect("secrets begin and end where letters do")
    }

    /// Masks `bytes`, after which more will come, and says how many of them can be used now: the rest may be the beginning
    /// of a secret, and has to be looked at again together with what comes.
    pub fn growing(&self, bytes: &mut [u8]) -> usize {
        let Sights { secrets, open } = self.look(bytes);
        // A known value that is whole needs no more bytes, whatever its shape.
        let known =
            secrets.iter().filter(|secret| secret.end == bytes.len() && self.is_value(&bytes[(*secret).clone()]));
        let settled = known.map(|secret| secret.start).min().unwrap_or(bytes.len());
        let longest = self.longest.clamp(LONGEST_OPEN, LONGEST_VALUE);
        let waiting = open.into_iter().filter(|at| *at < settled && bytes.len() - at <= longest);
        let mut now = waiting.min().unwrap_or(bytes.len());
        // A secret is not cut either.
        while let Some(cut) = secrets.iter().find(|secret| secret.start < now && now < secret.end) {
            now = cut.start;
        }
        secrets.into_iter().for_each(|secret| fill(bytes, secret));
        now
    }

    fn look(&self, bytes: &[u8]) -> Sights {
        let mut sights = Sights::default();
        for at in 0..bytes.len() {
            let rest = &bytes[at..];
            for form in self.forms.get(usize::from(bytes[at])).into_iter().flatten() {
                if rest.starts_with(form) {
                    sights.secrets.push(at..at + form.len());
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

    fn is_value(&self, bytes: &[u8]) -> bool {
        let known = bytes.first().and_then(|first| self.forms.get(usize::from(*first)));
        known.is_some_and(|forms| forms.iter().any(|form| form == bytes))
    }
}

fn fill(bytes: &mut [u8], secret: Range<usize>) {
    bytes[secret].iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b'*');
}
