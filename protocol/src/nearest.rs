//! "Did you mean": the known word that is nearest to a misspelt one.

use strsim::damerau_levenshtein;

/// The known word nearest to `got`, unless none is near: at most a third of its letters differ. Case does not count, nor
/// does the difference between `_` and `-`.
pub fn nearest<'a>(got: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let got = got.to_lowercase().replace('_', "-");
    let budget = (got.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (damerau_levenshtein(&got, &word.to_lowercase().replace('_', "-")), word))
        .filter(|(distance, _)| *distance <= budget)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["verify", "timeout", "idempotency-key", "deps", "worker.max", "worker.memory"];
        for (got, meant) in [
            ("verfiy", Some("verify")),
            ("Verify", Some("verify")),
            ("timout", Some("timeout")),
            ("idempotency_key", Some("idempotency-key")),
            ("dep", Some("deps")),
            ("worker.mx", Some("worker.max")),
            ("worker.memroy", Some("worker.memory")),
            ("owner", None),
            ("", None),
        ] {
            assert_eq!(nearest(got, known), meant, "{got}");
        }
    }
}
