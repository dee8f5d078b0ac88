//! What checks say about what was seen. Each answers what it saw instead.

use std::fmt::Debug;

/// Why a check does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// What was seen instead.
    Seen(String),
    /// What this machine lacks to tell.
    Skip(String),
}

/// The judgement of one check.
pub(super) type Judgement = Result<(), Miss>;

/// The same.
pub(super) fn is<A: PartialEq<B> + Debug + ?Sized, B: Debug>(seen: &A, expected: B) -> Judgement {
    holds(*seen == expected, || format!("expected {expected:?}, saw {}", short(&format!("{seen:?}"))))
}

/// Another one.
pub(super) fn is_not<A: PartialEq<B> + Debug + ?Sized, B: Debug>(seen: &A, unexpected: B) -> Judgement {
    holds(*seen != unexpected, || format!("saw {unexpected:?}"))
}

/// Holds each of the words.
pub(super) fn says(text: &str, words: &[&str]) -> Judgement {
    match words.iter().find(|word| !text.contains(**word)) {
        Some(word) => Err(Miss::Seen(format!("expected `{word}` in {}", short(&format!("{text:?}"))))),
        None => Ok(()),
    }
}

/// Holds none of the words.
pub(super) fn says_not(text: &str, words: &[&str]) -> Judgement {
    match words.iter().find(|word| text.contains(**word)) {
        Some(word) => Err(Miss::Seen(format!("did not expect `{}` in {}", short(word), short(&format!("{text:?}"))))),
        None => Ok(()),
    }
}

/// These words in this order, others between them allowed.
pub(super) fn in_order(seen: &[String], expected: &[&str]) -> Judgement {
    let mut rest = seen.iter();
    let missing = expected.iter().find(|word| !rest.any(|seen| seen == *word));
    holds(missing.is_none(), || format!("expected {expected:?} in this order, saw {seen:?}"))
}

/// Anything else; `seen` says what was seen when it does not hold.
pub(super) fn holds(truth: bool, seen: impl FnOnce() -> String) -> Judgement {
    if truth { Ok(()) } else { Err(Miss::Seen(seen())) }
}

/// Enough of a text to see what is wrong with it.
fn short(text: &str) -> String {
    const ENOUGH: usize = 600;
    match text.char_indices().nth(ENOUGH) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
