//! How a value that is known may have been written down.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};

use super::mask::SHORTEST;

/// A line of a value is masked by itself when it is at least this long, for output is also read line by line.
const LEAST_LINE: usize = 8;
/// An encoded piece that is shorter is too common in ordinary text.
const LEAST_ENCODED: usize = 8;

/// The value, its longer lines, and both as they stand in JSON (in a string within a string too), in an address and in base 64.
pub(super) fn forms(value: &str) -> Vec<Vec<u8>> {
    if value.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![value.as_bytes().to_vec()];
    let escaped = escaped(value);
    forms.extend([self::escaped(&escaped).into_bytes(), escaped.into_bytes(), percent(value).into_bytes()]);
    forms.extend(within_base64(value.as_bytes()));
    if value.contains(['\n', '\r']) {
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= LEAST_LINE);
        forms.extend(lines.map(|line| line.as_bytes().to_vec()));
    }
    forms.sort();
    forms.dedup();
    forms
}

fn escaped(value: &str) -> String {
    let quoted = serde_json::to_string(value).expect("any text is a JSON string");
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// What is the same wherever the value begins in bytes that are encoded, in either alphabet.
fn within_base64(value: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for (before, changed) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&[0; 2][..before], value].concat();
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)] {
            // What follows the value has a say in the last character, unless it ends with one.
            let whole = bytes.len() * 8 / 6;
            pieces.extend(
                encoded
                    .get(changed..whole)
                    .filter(|piece| piece.len() >= LEAST_ENCODED)
                    .map(|piece| piece.as_bytes().to_vec()),
            );
        }
    }
    pieces
}
