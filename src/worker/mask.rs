//! Keeps secret values out of everything that leaves the run's folder: same-length asterisks stand in their place, so that
//! offsets stay what they are.

use std::sync::{Arc, OnceLock};

/// The values to mask. `Debug` shows how many.
#[derive(Clone, Default)]
pub(super) struct Mask(Arc<OnceLock<Vec<String>>>);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} values)", self.values().len())
    }
}

impl Mask {
    /// Sets the values, longest first, before anything that could hold one is written. The first call counts.
    pub(super) fn set(&self, values: &[String]) {
        let mut values: Vec<String> = values.iter().filter(|value| !value.is_empty()).cloned().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        // A second launch of the same run has the same secrets.
        drop(self.0.set(values));
    }

    fn values(&self) -> &[String] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// Masks every value in `bytes`, in place.
    pub(super) fn bytes(&self, bytes: &mut [u8]) {
        for value in self.values().iter().map(String::as_bytes) {
            let mut from = 0;
            while let Some(at) = find(&bytes[from..], value) {
                bytes[from + at..from + at + value.len()].fill(b'*');
                from += at + value.len();
            }
        }
    }

    /// The same text without any value.
    pub(super) fn text(&self, text: &str) -> String {
        self.values().iter().fold(text.to_owned(), |text, value| text.replace(value, &"*".repeat(value.len())))
    }

    /// How many bytes at the end of `bytes` may be the beginning of a value.
    pub(super) fn begun(&self, bytes: &[u8]) -> usize {
        let begun =
            |value: &[u8]| (1..value.len()).rev().find(|length| bytes.ends_with(&value[..*length])).unwrap_or(0);
        self.values().iter().map(|value| begun(value.as_bytes())).max().unwrap_or(0)
    }
}

fn find(bytes: &[u8], value: &[u8]) -> Option<usize> {
    bytes.windows(value.len()).position(|window| window == value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(values: &[&str]) -> Mask {
        let mask = Mask::default();
        mask.set(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
        mask
    }

    #[test]
    fn values_become_asterisks_of_their_length_and_the_longest_wins() {
        let mask = mask(&["tok", "token-1"]);
        assert_eq!(mask.text("a token-1, a tok"), "a *******, a ***");
        let mut bytes = *b"a token-1, a tok";
        mask.bytes(&mut bytes);
        assert_eq!(&bytes, b"a *******, a ***");
        assert_eq!(format!("{mask:?}"), "Mask(2 values)");
    }

    proptest! {
        #[test]
        fn nothing_gets_through_however_the_bytes_arrive(before in "[a-c]{0,6}", after in "[a-c]{0,6}", cut in 0usize..20) {
            let mask = mask(&["abcab"]);
            let text = format!("{before}abcab{after}");
            let cut = cut.min(text.len());
            // What a sender does: hold back what may have begun, and send it with the rest.
            let mut first = text.as_bytes()[..cut].to_vec();
            mask.bytes(&mut first);
            first.truncate(cut - mask.begun(&first));
            let mut rest = text.as_bytes()[first.len()..].to_vec();
            mask.bytes(&mut rest);
            let out = [first, rest].concat();
            prop_assert_eq!(find(&out, b"abcab"), None);
            prop_assert_eq!(out.len(), text.len());
        }
    }
}
