//! Tokens that say by how they begin what they are.

use super::scan::{Sight, run, word};

/// One kind of token.
struct Token {
    prefix: &'static str,
    /// Fewest characters after the prefix.
    least: usize,
    /// For people.
    what: &'static str,
    may_follow: fn(u8) -> bool,
}

const fn token(prefix: &'static str, least: usize, what: &'static str, may_follow: fn(u8) -> bool) -> Token {
    Token { prefix, least, what, may_follow }
}

const fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'*'
}

const fn upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'*'
}

const fn dotted(byte: u8) -> bool {
    word(byte) || byte == b'.'
}

const fn path(byte: u8) -> bool {
    word(byte) || byte == b'/'
}

const GITHUB: &str = "a GitHub token";
const GITLAB: &str = "a GitLab token";
const SLACK: &str = "a Slack token";
const STRIPE: &str = "a Stripe key";
const SHOPIFY: &str = "a Shopify token";
const AWS: &str = "an AWS access key";
const OCEAN: &str = "a DigitalOcean token";

const TOKENS: &[Token] = &[
    token("sk-", 16, "an API key (sk-…)", word),
    token("ghp_", 16, GITHUB, alphanumeric),
    token("gho_", 16, GITHUB, alphanumeric),
    token("ghu_", 16, GITHUB, alphanumeric),
    token("ghs_", 16, GITHUB, alphanumeric),
    token("ghr_", 16, GITHUB, alphanumeric),
    token("github_pat_", 16, GITHUB, word),
    token("glpat-", 16, GITLAB, dotted),
    token("gldt-", 16, GITLAB, word),
    token("glrt-", 16, GITLAB, word),
    token("glcbt-", 16, GITLAB, word),
    token("glptt-", 16, GITLAB, word),
    token("AKIA", 16, AWS, upper_or_digit),
    token("ASIA", 16, AWS, upper_or_digit),
    token("AIza", 30, "a Google API key", word),
    token("ya29.", 20, "a Google access token", word),
    token("GOCSPX-", 20, "a Google client secret", word),
    token("xoxb-", 10, SLACK, word),
    token("xoxp-", 10, SLACK, word),
    token("xoxa-", 10, SLACK, word),
    token("xoxr-", 10, SLACK, word),
    token("xoxs-", 10, SLACK, word),
    token("xapp-", 10, SLACK, word),
    token("hooks.slack.com/services/", 30, "a Slack webhook", path),
    token("discord.com/api/webhooks/", 40, "a Discord webhook", path),
    token("sk_live_", 16, STRIPE, alphanumeric),
    token("sk_test_", 16, STRIPE, alphanumeric),
    token("rk_live_", 16, STRIPE, alphanumeric),
    token("whsec_", 24, STRIPE, alphanumeric),
    token("npm_", 30, "an npm token", alphanumeric),
    token("pypi-Ag", 50, "a PyPI token", word),
    token("dckr_pat_", 20, "a Docker token", word),
    token("hf_", 30, "a Hugging Face token", alphanumeric),
    token("gsk_", 40, "a Groq key", alphanumeric),
    token("xai-", 40, "an xAI key", alphanumeric),
    token("r8_", 30, "a Replicate token", alphanumeric),
    token("pplx-", 30, "a Perplexity key", alphanumeric),
    token("nvapi-", 40, "an NVIDIA key", word),
    token("SG.", 60, "a SendGrid key", dotted),
    token("key-", 32, "a Mailgun key", alphanumeric),
    token("shpat_", 30, SHOPIFY, alphanumeric),
    token("shpss_", 30, SHOPIFY, alphanumeric),
    token("dop_v1_", 40, OCEAN, alphanumeric),
    token("doo_v1_", 40, OCEAN, alphanumeric),
    token("hvs.", 24, "a Vault token", word),
    token("lin_api_", 30, "a Linear key", alphanumeric),
    token("ntn_", 30, "a Notion token", alphanumeric),
    token("ATATT3", 40, "an Atlassian token", word),
    token("AGE-SECRET-KEY-1", 40, "an age key", upper_or_digit),
    token("dapi", 32, "a Databricks token", alphanumeric),
    token("PMAK-", 40, "a Postman key", word),
    token("glsa_", 32, "a Grafana token", word),
    token("tskey-", 20, "a Tailscale key", word),
];

/// The first bytes of all prefixes.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut nth = 0;
    while nth < TOKENS.len() {
        first[TOKENS[nth].prefix.as_bytes()[0] as usize] = true;
        nth += 1;
    }
    first
};

/// So much of a tail decides what it is.
const DECIDES: usize = 128;

/// A token that begins at `at`.
pub(super) fn look(bytes: &[u8], at: usize) -> Option<Sight> {
    if !FIRST[usize::from(bytes[at])] {
        return None;
    }
    let mut sight = None;
    for token in TOKENS {
        let rest = &bytes[at..];
        if rest.starts_with(token.prefix.as_bytes()) {
            let tail = at + token.prefix.len();
            sight = token.look(bytes, tail).or(sight);
            if sight.as_ref().is_some_and(|sight: &Sight| sight.secret.is_some()) {
                return sight;
            }
        } else if token.prefix.as_bytes().starts_with(rest) {
            sight = Some(Sight::OPEN);
        }
    }
    sight
}

impl Token {
    /// The token whose tail begins at `tail`.
    fn look(&self, bytes: &[u8], tail: usize) -> Option<Sight> {
        let window = &bytes[..bytes.len().min(tail + DECIDES)];
        let end = run(window, tail, self.may_follow);
        if end - tail >= self.least && !is_prose(&bytes[tail..end]) {
            return Some(Sight::secret(tail..run(bytes, end, self.may_follow), bytes));
        }
        (end == bytes.len()).then_some(Sight::OPEN)
    }
}

/// Words joined by dashes or slashes are short, and their digits come last; chance writes otherwise.
pub(super) fn is_prose(tail: &[u8]) -> bool {
    tail.split(|byte| matches!(byte, b'-' | b'_' | b'/')).all(|part| {
        let letters = run(part, 0, |byte| byte.is_ascii_alphabetic());
        let rest = part.get(1..letters).unwrap_or_default();
        let one_case = rest.iter().all(u8::is_ascii_lowercase) || part[..letters].iter().all(u8::is_ascii_uppercase);
        part.len() < 16 && one_case && part[letters..].iter().all(u8::is_ascii_digit)
    })
}

/// Begins any piece of JSON in base 64.
const OBJECT: &[u8] = b"eyJ";
const LEAST_PART: usize = 8;

/// A JSON web token: two objects and a signature. The first one only says how it is signed, and stays.
pub(super) fn look_web_token(bytes: &[u8], at: usize) -> Option<Sight> {
    // Only where such a part begins, so that a long one is not read again and again.
    if at.checked_sub(1).is_some_and(|before| word(bytes[before])) {
        return None;
    }
    let rest = &bytes[at..];
    if !rest.starts_with(OBJECT) {
        return OBJECT.starts_with(rest).then_some(Sight::OPEN);
    }
    let head = run(bytes, at, word);
    let claims = (head + 1).min(bytes.len());
    let signature = run(bytes, claims, word);
    let masked = bytes[claims..].starts_with(b"*");
    let end = if masked { signature } else { run(bytes, (signature + 1).min(bytes.len()), word) };
    let parts = [at..head, claims..signature, (signature + 1).min(end)..end];
    let dots = [head, signature].map(|dot| bytes.get(dot).is_none_or(|byte| *byte == b'.'));
    if !dots[0] || !masked && (!dots[1] || !OBJECT.starts_with(&bytes[claims..end.min(claims + OBJECT.len())])) {
        return None;
    }
    if masked || parts.iter().all(|part| part.len() >= LEAST_PART) {
        return Some(Sight::secret(claims..run(bytes, end, dotted), bytes));
    }
    (end == bytes.len()).then_some(Sight::OPEN)
}

/// What begins at `at`, if it is a token.
pub(super) fn what(bytes: &[u8], at: usize) -> Option<&'static str> {
    let is_token = |token: &&Token| {
        let here = bytes[at..].starts_with(token.prefix.as_bytes());
        let sight = here.then(|| token.look(bytes, at + token.prefix.len())).flatten();
        sight.is_some_and(|sight| sight.secret.is_some())
    };
    if let Some(token) = TOKENS.iter().find(is_token) {
        return Some(token.what);
    }
    let web = look_web_token(bytes, at)?;
    web.secret.map(|_| "a JSON web token")
}
