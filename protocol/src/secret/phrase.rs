//! Secrets that are known by what stands before them: a name, a header, an address, the first line of a key.

use super::{
    forge::FORGE_TOKENS,
    scan::{Sight, run, says, word},
    token::is_prose,
};

/// Endings of names whose values are secrets, without dashes and case.
const NAMES: [&str; 16] = [
    "token",
    "secret",
    "password",
    "passwd",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "secret_key",
    "secretkey",
    "private_key",
    "account_key",
    "accountkey",
    "encryption_key",
    "signing_key",
    "passphrase",
];
const LONGEST_NAME: usize = 32;
/// Spaces, quotes and the like between a name and its value.
const BETWEEN: usize = 12;
/// Fewest characters of a value that only its name gives away.
const LEAST_VALUE: usize = 16;
/// So much of a value decides what it is.
const DECIDES: usize = 128;

/// `NAME=value`, `"name": "value"`: a value by chance after a name that says so.
pub(super) fn assignment(bytes: &[u8], at: usize) -> Option<Sight> {
    // Only where a name begins, so that a long one is read once.
    let before = bytes[..at].iter().rposition(|byte| *byte != b'-');
    if before.is_some_and(|before| before + 1 < at && of_name(bytes[before])) {
        return None;
    }
    let end = run(bytes, at, of_name);
    if end == bytes.len() {
        return Some(Sight::OPEN);
    }
    let at = at.max(end.saturating_sub(LONGEST_NAME));
    if !ends_like_a_secret(&String::from_utf8_lossy(&bytes[at..end])) {
        return None;
    }
    match after_sign(bytes, end)? {
        After::Value(from) => value(bytes, from),
        After::Open => Some(Sight::OPEN),
    }
}

fn ends_like_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    NAMES.iter().any(|known| name.ends_with(known))
}

/// Whether the name of a variable says that its value is a secret.
pub fn names_secret(name: &str) -> bool {
    ends_like_a_secret(name) || FORGE_TOKENS.contains(&name)
}

const fn of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

enum After {
    /// Here the value begins.
    Value(usize),
    Open,
}

/// Skips what stands between a name and its value: one `=` or `:`, quotes (escaped ones too) and spaces.
fn after_sign(bytes: &[u8], from: usize) -> Option<After> {
    let window = &bytes[..bytes.len().min(from + BETWEEN)];
    let end = run(window, from, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\' | b':' | b'=' | b'>'));
    if end == bytes.len() {
        return Some(After::Open);
    }
    let signs: Vec<u8> = bytes[from..end].iter().copied().filter(|byte| matches!(byte, b':' | b'=')).collect();
    // Neither a comparison nor a path of modules.
    matches!(signs.as_slice(), b":" | b"=" | b":=").then_some(After::Value(end))
}

fn value(bytes: &[u8], from: usize) -> Option<Sight> {
    let of_value = |byte: u8| word(byte) || matches!(byte, b'+' | b'/' | b'=' | b'~');
    let window = &bytes[..bytes.len().min(from + DECIDES)];
    let decided = run(window, from, of_value);
    let seen = &bytes[from..decided];
    let mixed = seen.iter().any(u8::is_ascii_digit) && seen.iter().any(u8::is_ascii_alphabetic);
    let by_chance = mixed && !is_prose(seen) || seen.contains(&b'*');
    // A path, and the call of a function, are no values.
    let is_code = seen.starts_with(b"/") || bytes.get(decided).is_some_and(|next| matches!(next, b'(' | b'['));
    if seen.len() >= LEAST_VALUE && by_chance && !is_code {
        return Some(Sight::secret(from..run(bytes, decided, of_value), bytes));
    }
    (decided == bytes.len()).then_some(Sight::OPEN)
}

/// Characters of credentials in a header.
const fn credentials(byte: u8) -> bool {
    word(byte) || matches!(byte, b'+' | b'/' | b'=' | b'~' | b'.')
}

/// `Authorization: SCHEME CREDENTIALS`, and `Bearer CREDENTIALS` by itself.
pub(super) fn authorisation(bytes: &[u8], at: usize) -> Option<Sight> {
    let scheme = match header(bytes, at) {
        Some(After::Value(scheme)) => scheme,
        Some(After::Open) => return Some(Sight::OPEN),
        None => match says(bytes, at, "bearer") {
            Some(true) => at,
            Some(false) => return None,
            None => return Some(Sight::OPEN),
        },
    };
    let word_end = run(&bytes[..bytes.len().min(scheme + BETWEEN)], scheme, |byte| byte.is_ascii_alphabetic());
    let from = run(&bytes[..bytes.len().min(word_end + BETWEEN)], word_end, |byte| matches!(byte, b' ' | b'\t'));
    if from == bytes.len() {
        return Some(Sight::OPEN);
    }
    // Without a scheme of its own, the header's value is the credential.
    let (from, after_scheme) = if from > word_end && word_end > scheme { (from, true) } else { (scheme, false) };
    if from == at {
        return None;
    }
    let window = &bytes[..bytes.len().min(from + DECIDES)];
    let decided = run(window, from, credentials);
    let seen = &bytes[from..decided];
    let by_chance = seen.iter().any(|byte| byte.is_ascii_digit() || *byte == b'*');
    let named = scheme != at && after_scheme;
    if seen.len() >= LEAST_VALUE && by_chance || named && seen.len() >= LEAST_CREDENTIALS {
        return Some(Sight::secret(from..run(bytes, decided, credentials), bytes));
    }
    (decided == bytes.len()).then_some(Sight::OPEN)
}

/// Fewest characters of what follows the header and its scheme.
const LEAST_CREDENTIALS: usize = 8;

/// The place after `Authorization:`.
fn header(bytes: &[u8], at: usize) -> Option<After> {
    const NAME: &str = "authorization";
    match says(bytes, at, NAME) {
        Some(true) => after_sign(bytes, at + NAME.len()),
        Some(false) => None,
        None => Some(After::Open),
    }
}

/// Longest user and password together.
const LONGEST_USER: usize = 256;

/// The password in `://user:password@host`, whatever the scheme.
pub(super) fn address(bytes: &[u8], at: usize) -> Option<Sight> {
    const BEGIN: &str = "://";
    if bytes[at] != b':' {
        return None;
    }
    let from = match says(bytes, at, BEGIN) {
        Some(true) => at + BEGIN.len(),
        Some(false) => return None,
        None => return Some(Sight::OPEN),
    };
    let window = &bytes[..bytes.len().min(from + LONGEST_USER)];
    let end = run(window, from, |byte| byte.is_ascii_graphic() && !b"/@?#\"'`<>\\{}$[]".contains(&byte));
    if end == bytes.len() {
        return Some(Sight::OPEN);
    }
    let password = from + bytes[from..end].iter().position(|byte| *byte == b':')? + 1;
    (bytes[end] == b'@' && end > password).then_some(Sight { secret: Some(password..end), open: false })
}

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";
const LONGEST_LABEL: usize = 40;
/// Lines of a key that are no part of it.
const HEADERS: [&[u8]; 3] = [b"Proc-Type:", b"DEK-Info:", b"Comment:"];
const LONGEST_HEADER: usize = 200;
/// A line of a key is at least this long, but for its last.
const LEAST_LINE: usize = 40;

/// Whether `-----BEGIN … PRIVATE KEY-----` begins at `at`.
pub(super) fn begins_private_key(bytes: &[u8], at: usize) -> bool {
    label_end(bytes, at).is_some()
}

/// Where the first line of a private key that begins at `at` ends.
fn label_end(bytes: &[u8], at: usize) -> Option<usize> {
    let label = at + BEGIN.len();
    if !bytes[at..].starts_with(BEGIN) {
        return None;
    }
    let window = &bytes[..bytes.len().min(label + LONGEST_LABEL)];
    let end = run(window, label, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let is_key = bytes[label..end].windows(11).any(|part| part == b"PRIVATE KEY");
    (is_key && bytes[end..].starts_with(DASHES)).then(|| end + DASHES.len())
}

/// The lines of a private key, whatever stands between them: line ends, escaped ones, spaces.
pub(super) fn private_key(bytes: &[u8], at: usize) -> Option<Sight> {
    if bytes[at] != b'-' {
        return None;
    }
    let Some(from) = label_end(bytes, at) else {
        let rest = &bytes[at..];
        let may_begin = BEGIN.starts_with(rest) || rest.starts_with(BEGIN) && rest.len() < BEGIN.len() + LONGEST_LABEL;
        return may_begin.then_some(Sight::OPEN);
    };
    let mut end = from;
    let mut next = between(bytes, from);
    while next < bytes.len() {
        if let Some(header) = HEADERS.iter().find(|header| bytes[next..].starts_with(header)) {
            let window = &bytes[..bytes.len().min(next + LONGEST_HEADER)];
            let line = run(window, next + header.len(), |byte| !matches!(byte, b'\n' | b'\r' | b'\\'));
            next = between(bytes, line);
            continue;
        }
        let line = run(bytes, next, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'*'));
        let after = between(bytes, line);
        let is_last = after == bytes.len() || bytes[after..].starts_with(b"-");
        if line == next || line - next < LEAST_LINE && !is_last {
            break;
        }
        end = line;
        next = after;
    }
    let open = next == bytes.len();
    Some(Sight { secret: (end > from).then_some(from..end), open })
}

/// Skips white space, and line ends that are written out.
fn between(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'n' | b'r' | b't', ..] => at += 2,
            // A line end that is cut in two.
            [b' ' | b'\t' | b'\r' | b'\n', ..] | [b'\\'] => at += 1,
            _ => break,
        }
    }
    at
}
