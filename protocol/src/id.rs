//! Names of things: job ids, and the slug of a branch.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The alphabet of a job id: digits and lower-case letters that cannot be mistaken for one another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a job id: 50 random bits.
const LENGTH: usize = 10;
/// The fewest characters that may stand for an id.
pub const MIN_PREFIX: usize = 4;

/// A job's id: ten characters of Crockford's base 32, random, so that four characters nearly always name one job and
/// the id can stand in file and branch names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

impl JobId {
    /// Makes an id from randomness that the caller brings; the upper 14 bits are not used.
    pub fn from_random(bits: u64) -> Self {
        let text = (0..LENGTH)
            .map(|i| {
                let five_bits = usize::try_from((bits >> (5 * i)) & 31).expect("five bits fit a usize");
                char::from(ALPHABET[five_bits])
            })
            .collect();
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

/// Text that is not a job id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a job id: it takes {LENGTH} of 0-9 and a-z without i, l, o, u")]
pub struct NotAJobId(String);

impl TryFrom<String> for JobId {
    type Error = NotAJobId;
    fn try_from(text: String) -> Result<Self, NotAJobId> {
        let right = text.len() == LENGTH && text.bytes().all(|b| ALPHABET.contains(&b));
        if right { Ok(Self(text)) } else { Err(NotAJobId(text)) }
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;
    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        Self::try_from(text.to_owned())
    }
}

/// Turns a title into the tail of a branch or file name: lower-case ASCII letters, digits and single dashes, at most
/// `max` characters, never empty.
///
/// Latin letters keep their shape where it is plain (`é` → `e`); everything else becomes a dash.
pub fn slug(title: &str, max: usize) -> String {
    let mut out = String::new();
    for c in title.chars() {
        let c = plain(c);
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= max {
            break;
        }
    }
    let kept = out.trim_matches('-');
    if kept.is_empty() { "job".to_owned() } else { kept.to_owned() }
}

fn plain(c: char) -> char {
    match c {
        'à'..='å' | 'À'..='Å' => 'a',
        'è'..='ë' | 'È'..='Ë' => 'e',
        'ì'..='ï' | 'Ì'..='Ï' => 'i',
        'ò'..='ö' | 'Ò'..='Ö' => 'o',
        'ù'..='ü' | 'Ù'..='Ü' => 'u',
        'ç' | 'Ç' => 'c',
        'ñ' | 'Ñ' => 'n',
        other => other,
    }
}

/// The branch that a job's work is collected on: `fleet/<job>-<slug>`.
pub fn branch_name(id: &JobId, title: &str) -> String {
    format!("fleet/{id}-{}", slug(title, 40))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ten_characters_and_parse_back() {
        for bits in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let id = JobId::from_random(bits);
            assert_eq!(id.as_str().len(), LENGTH);
            assert_eq!(id.as_str().parse::<JobId>().as_ref(), Ok(&id));
        }
    }

    #[test]
    fn traversal_and_odd_letters_are_no_ids() {
        for text in ["../../etc/", "ABCDEFGHJK", "short", "aaaaaaaaai", "aaaaaaaaaaa"] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_branch_of_any_title_is_a_plain_name_below_fleet(title in "\\PC{0,60}|[./~^:\\\\ @{}-]{0,20}", bits in proptest::num::u64::ANY) {
            let branch = branch_name(&JobId::from_random(bits), &title);
            let name = branch.strip_prefix("fleet/").expect("below fleet");
            proptest::prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
            proptest::prop_assert!(!name.ends_with('-') && !name.contains("--"), "{}", name);
        }

        #[test]
        fn text_that_is_taken_for_an_id_can_stand_in_a_path(text in "[a-z0-9./%]{10}|\\PC{0,12}") {
            if let Ok(id) = text.parse::<JobId>() {
                proptest::prop_assert!(id.as_str().bytes().all(|b| ALPHABET.contains(&b)));
            }
        }
    }

    #[test]
    fn slugs_are_safe_names() {
        for (title, expected) in [
            ("Add input validation!", "add-input-validation"),
            ("  --help  ", "help"),
            ("Überschrift für Größe", "uberschrift-fur-gro-e"),
            ("../..", "job"),
            ("日本語", "job"),
        ] {
            assert_eq!(slug(title, 40), expected, "{title}");
        }
        assert_eq!(slug("abcdef ghij", 7), "abcdef");
    }
}
