//! Everything secret is masked, nothing else is, and it does not matter how the bytes arrive.

use proptest::prelude::*;

use super::{
    corpus::{ORDINARY, credentials, private_keys},
    scan::LOOKED_AT,
    *,
};

fn masked(text: &str) -> String {
    Mask::default().text(text)
}

/// What a sender does: keeps what may go on, and looks at it again with what comes.
fn in_pieces(mask: &Mask, text: &str, cuts: &[usize]) -> String {
    let (mut sent, mut waiting) = (Vec::new(), Vec::new());
    let mut from = 0;
    for cut in cuts.iter().copied().chain([text.len()]) {
        let cut = cut.clamp(from, text.len());
        waiting.extend_from_slice(&text.as_bytes()[from..cut]);
        from = cut;
        let mut bytes = waiting.clone();
        let now = mask.growing(&mut bytes);
        sent.extend_from_slice(&bytes[..now]);
        waiting.drain(..now);
    }
    mask.bytes(&mut waiting);
    sent.extend_from_slice(&waiting);
    String::from_utf8(sent).expect("text")
}

#[test]
fn the_name_of_a_variable_says_whether_it_holds_a_secret() {
    for name in ["SERVICE_TOKEN", "OPENAI_API_KEY", "db-password", "GITHUB_PAT", "ENCRYPTION_KEY"] {
        assert!(names_secret(name), "{name}");
    }
    for name in ["TOKENIZERS_PARALLELISM", "MAX_THINKING_TOKENS", "KEYBOARD", "SSH_AUTH_SOCK", ""] {
        assert!(!names_secret(name), "{name}");
    }
}

#[test]
fn every_known_shape_is_masked_anywhere_in_a_text() {
    let samples = credentials();
    assert!(samples.len() >= 30);
    for sample in samples {
        for (before, after) in
            [("", ""), ("Use ", " for it."), ("é\nKEY=", "\n"), ("(\"", "\")"), ("{\"text\":\"", "\"}")]
        {
            let text = format!("{before}{}{after}", sample.text);
            let seen = masked(&text);
            assert!(!seen.contains(&sample.secret), "{text}");
            assert!(seen.starts_with(before) && seen.ends_with(after) && seen.len() == text.len(), "{text}: {seen}");
            let hidden = seen.matches('*').count();
            assert!(hidden >= sample.secret.len() - 1 && hidden <= sample.text.len(), "{text}: {seen}");
        }
    }
}

#[test]
fn private_keys_are_masked_to_their_last_line_and_keep_their_lines() {
    for key in private_keys() {
        let text = format!("here it is:\n{key}\nand the rest 0aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO8mN7nM6oL5pK\n");
        let seen = masked(&text);
        assert!(!seen.contains("aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0kP9lO8mN7nM6oL5pK4q"), "{seen}");
        assert!(!seen.contains("Zm9vYmFy"), "{seen}");
        assert!(seen.starts_with("here it is:\n-----BEGIN ") && seen.contains("and the rest 0aZ9"), "{seen}");
        assert_eq!((seen.len(), seen.lines().count()), (text.len(), text.lines().count()));
    }
}

#[test]
fn ordinary_text_stays_as_it_is() {
    for text in ORDINARY {
        assert_eq!(masked(text), *text);
    }
}

#[test]
fn prefixes_and_private_keys_are_refused_prose_is_not() {
    for text in ORDINARY.iter().filter(|text| !text.contains("-----BEGIN PRIVATE")) {
        assert_eq!(find(text), None, "{text}");
    }
    for sample in credentials().iter().filter(|sample| sample.text.starts_with("gh") || sample.text.starts_with("eyJ"))
    {
        let text = format!("é Use {} for it", sample.text);
        assert_eq!(find(&text).map(|found| found.offset), Some(7), "{text}");
    }
    for key in private_keys() {
        assert_eq!(find(&format!("é\n{key}")), Some(Found { offset: 3, shape: "a private key" }));
    }
}

#[test]
fn values_are_masked_in_every_form() {
    let value = "p\"ss wörd/+?>~\\7";
    let mask = Mask::new([value, "abc"]);
    assert_eq!(format!("{mask:?}"), "Mask(1 values)");
    let json = serde_json::to_string(value).expect("text");
    let twice = serde_json::to_string(&json).expect("text");
    for text in [value, &json, &twice, "p%22ss%20w%C3%B6rd%2F%2B%3F%3E~%5C7"] {
        let seen = mask.text(&format!("it is {text}."));
        assert!(!seen.contains("ss") && !seen.contains("rd"), "{seen}");
    }
    use base64::{Engine, prelude::*};
    for before in ["", "a", "ab", "abc"] {
        for encoded in [
            BASE64_STANDARD.encode(format!("{before}{value}xyz")),
            BASE64_URL_SAFE.encode(format!("{before}{value}xyz")),
        ] {
            let seen = mask.text(&encoded);
            assert!(seen.matches('*').count() >= value.len() * 8 / 6 - 4, "{seen}");
        }
    }
    assert_eq!(mask.text("abc is too short"), "abc is too short");
}

#[test]
fn of_overlapping_values_nothing_is_left() {
    let mask = Mask::new(["token-1", "1-secret", "tok\u{e9}n", "line one\nline two"]);
    assert_eq!(mask.text("a token-1-secret, a tok\u{e9}n"), "a **************, a ******");
    assert_eq!(mask.text("> line two <"), "> ******** <", "a value is read line by line too");
    assert_eq!(mask.text("line one\nline two"), "********\n********");
}

#[test]
fn the_beginning_of_a_value_that_was_cut_off_is_masked() {
    let mask = Mask::new(["hunter2-hunter3"]);
    assert_eq!(mask.text("$ echo hunter2-hun…"), "$ echo ***********…");
    assert_eq!(mask.text("Grep \"x hunt…\" and hun… and hunters…"), "Grep \"x ****…\" and hun… and hunters…");
}

#[test]
fn what_is_held_back_is_bounded() {
    let mask = Mask::new(["aB3aB3-and-so-on"]);
    for begin in ["eyJ", "-----BEGIN PRIVATE KEY-----\n", "ghp_", "NPM_TOKEN="] {
        let mut bytes = format!("{begin}{}", "aB3".repeat(100_000)).into_bytes();
        assert!(bytes.len() - mask.growing(&mut bytes) <= 64 * 1024, "{begin}");
    }
}

#[test]
fn hostile_text_takes_time_in_proportion_to_its_length() {
    let looked_at = |text: &str| {
        LOOKED_AT.set(0);
        assert_eq!(masked(text).len(), text.len());
        LOOKED_AT.get()
    };
    for piece in [
        "sk-",
        "eyJ",
        "eyJa.",
        "*eyJ",
        "a-",
        "token=",
        "://",
        "a://",
        "-----BEGIN PRIVATE KEY-----",
        "Bearer ",
        "\\n",
        "-",
        "-----BEGIN PRIVATE KEY-----Proc-Type:",
        "authorization:",
        "eyJaaaaaaaa.eyJ",
        "password: ",
        "https://a:",
    ] {
        let once = looked_at(&piece.repeat(20_000 / piece.len()));
        let ten_times = looked_at(&piece.repeat(200_000 / piece.len()));
        assert!(ten_times <= once * 11, "`{piece}` …: {once} bytes, then {ten_times}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_gets_through_however_the_bytes_arrive(
        before in "[a-c \n]{0,6}",
        which in 0usize..64,
        after in "[a-c \n]{0,6}",
        cuts in proptest::collection::vec(0usize..200, 0..12),
    ) {
        let samples = credentials();
        let sample = &samples[which % samples.len()];
        let text = format!("{before} {} {after}abcab", sample.text);
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mask = Mask::new(["abcab", "cab ab"]);
        let seen = in_pieces(&mask, &text, &cuts);
        prop_assert_eq!(&seen, &mask.text(&text));
        prop_assert!(!seen.contains(&sample.secret) && !seen.contains("abcab"));
    }

    #[test]
    fn a_private_key_does_not_get_through_in_pieces(which in 0usize..15, cuts in proptest::collection::vec(0usize..400, 0..12)) {
        let text = format!("x {} y", private_keys()[which]);
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(in_pieces(&Mask::default(), &text, &cuts), masked(&text));
    }

    #[test]
    fn masking_keeps_offsets_and_doing_it_again_changes_nothing(text in "\\PC{0,40}(sk-|ghp_|eyJ|Bearer |token=|://a:|@|\\.|\n){0,4}[a-zA-Z0-9.*_-]{0,60}\\PC{0,20}") {
        let mask = Mask::new(["abcab", "0123456"]);
        let once = mask.text(&text);
        prop_assert_eq!(once.len(), text.len());
        prop_assert_eq!(mask.text(&once), once);
    }
}
