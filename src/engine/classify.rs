//! Names the kind of trouble an engine had, from status, error type, words and exit code.
//!
//! A used-up allowance comes first: it is told with 429, 403 and 400 alike, and only its words set it apart from a
//! passing rate limit. Then what the service said by type and status, then words, last the exit code.

use fleet_protocol::run::ErrorClass;

/// What is known of a failure.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Symptom<'a> {
    /// HTTP status.
    pub(crate) status: Option<u16>,
    /// The service's word for it: `overloaded_error`.
    pub(crate) kind: Option<&'a str>,
    /// What people were told.
    pub(crate) text: &'a str,
    pub(crate) exit_code: Option<i32>,
}

const QUOTA: [&str; 24] = [
    "insufficient_quota",
    "exceeded your current quota",
    "exceeded your quota",
    "quota exceeded",
    "quota_exceeded",
    "quota has been exceeded",
    "check quota",
    "credit balance is too low",
    "out of credits",
    "insufficient credits",
    "insufficient balance",
    "insufficient funds",
    "payment required",
    "billing_error",
    "billing hard limit",
    "usage limit",
    "hit your limit",
    "weekly limit",
    "5-hour limit",
    "monthly limit",
    "spending limit",
    "premium request allowance",
    "no premium requests",
    "budget has been exceeded",
];

const AUTH: [&str; 33] = [
    "authentication_error",
    "authentication_failed",
    "authenticationerror",
    "authentication error",
    "authentication failed",
    "authentication required",
    "failed to authenticate",
    "permission_error",
    "unauthenticated",
    "unauthorized",
    "unauthorised",
    "invalid api key",
    "invalid x-api-key",
    "invalid_api_key",
    "invalid bearer token",
    "invalid authentication",
    "incorrect api key",
    "api key not valid",
    "api key not found",
    "api key is required",
    "missing api key",
    "no api key",
    "api_key_invalid",
    "not logged in",
    "not signed in",
    "not authenticated",
    "please log in",
    "run /login",
    "login required",
    "set an auth method",
    "token has expired",
    "token expired",
    "could not load credentials",
];

const PERMANENT: [&str; 25] = [
    "invalid_request_error",
    "invalid request",
    "bad request",
    "not_found_error",
    "model_not_found",
    "model not found",
    "unknown model",
    "invalid model",
    "issue with the selected model",
    "does not exist",
    "no longer maintained",
    "prompt is too long",
    "input is too long",
    "context_length_exceeded",
    "context length",
    "context window",
    "request too large",
    "request_too_large",
    "content policy",
    "unexpected argument",
    "unknown argument",
    "unknown option",
    "unrecognized option",
    "unrecognized arguments",
    "command not found",
];

const TRANSIENT: [&str; 37] = [
    "rate limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "overloaded",
    "high demand",
    "at capacity",
    "temporarily unavailable",
    "service unavailable",
    "server_error",
    "server-side issue",
    "internal server error",
    "internalservererror",
    "bad gateway",
    "gateway timeout",
    "timed out",
    "timeout",
    "connection refused",
    "connection reset",
    "connection closed",
    "connection error",
    "apiconnectionerror",
    "unable to connect",
    "econnrefused",
    "econnreset",
    "etimedout",
    "enotfound",
    "eai_again",
    "getaddrinfo",
    "name resolution",
    "could not resolve host",
    "network error",
    "network is unreachable",
    "socket hang up",
    "stream disconnected",
    "fetch failed",
    "tls handshake",
];

/// The class of a failure; none when nothing known was recognised.
pub(crate) fn classify(symptom: &Symptom<'_>) -> Option<ErrorClass> {
    let text = symptom.text.to_lowercase();
    let kind = symptom.kind.map(str::to_lowercase).unwrap_or_default();
    let says = |patterns: &[&str]| patterns.iter().any(|pattern| text.contains(pattern));
    let typed = |patterns: &[&str]| patterns.iter().any(|pattern| kind.contains(pattern));

    if says(&QUOTA) || typed(&QUOTA) {
        return Some(ErrorClass::Quota);
    }
    if let Some(class) = symptom.status.or_else(|| status_in(&text)).and_then(of_status) {
        return Some(class);
    }
    let by_words =
        [(&AUTH[..], ErrorClass::Auth), (&PERMANENT, ErrorClass::Permanent), (&TRANSIENT, ErrorClass::Transient)];
    by_words
        .iter()
        .find(|(patterns, _)| typed(patterns))
        .or_else(|| by_words.iter().find(|(patterns, _)| says(patterns)))
        .map(|(_, class)| *class)
        .or_else(|| symptom.exit_code.and_then(of_exit_code))
}

/// Whether a line reads like the report of an error rather than talk about one: it begins with a word for an error, with an
/// exception's name, or with one of the phrases by which services refuse a key or an allowance.
pub(super) fn is_error_line(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || "[(*`✗✘×❌⚠■>".contains(c)).to_lowercase();
    let begins = |patterns: &[&str]| patterns.iter().any(|pattern| line.starts_with(pattern));
    if begins(&["error", "fatal", "failed", "api error", "litellm.", "panic", "exception", "http error"]) {
        return true;
    }
    let head = line.split([':', ' ']).next().unwrap_or_default();
    let names_error = line.contains(':') && (head.ends_with("error") || head.ends_with("exception"));
    names_error
        || begins(&AUTH)
        || begins(&QUOTA)
        || matches!(head, "401" | "402" | "403" | "429")
        || begins(&["you've hit"])
}

fn of_status(status: u16) -> Option<ErrorClass> {
    Some(match status {
        401 | 403 => ErrorClass::Auth,
        402 => ErrorClass::Quota,
        408 | 409 | 425 | 429 | 500..=599 => ErrorClass::Transient,
        400..=499 => ErrorClass::Permanent,
        _ => return None,
    })
}

/// 126 and 127 are a shell's: the program cannot be run or is not there.
fn of_exit_code(code: i32) -> Option<ErrorClass> {
    matches!(code, 126 | 127).then_some(ErrorClass::Permanent)
}

/// An HTTP status in running text: three digits that stand alone, shortly after a word that announces them or at the start.
fn status_in(text: &str) -> Option<u16> {
    const ANNOUNCES: [&str; 6] = ["status", "http", "error", "code", "rejected", "api"];
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(2)).find_map(|at| {
        let alone = |index: Option<usize>| {
            index.and_then(|index| bytes.get(index)).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')
        };
        if !bytes[at..at + 3].iter().all(u8::is_ascii_digit) || !alone(at.checked_sub(1)) || !alone(Some(at + 3)) {
            return None;
        }
        let status: u16 = text[at..at + 3].parse().ok()?;
        let before = text[..at].trim_start_matches(['[', ' ']);
        let near = before.char_indices().rev().nth(23).map_or(before, |(start, _)| &before[start..]);
        let announced = before.is_empty() || ANNOUNCES.iter().any(|word| near.contains(word));
        (announced && (400..600).contains(&status)).then_some(status)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_protocol::run::ErrorClass::{Auth, Permanent, Quota, Transient};
    use proptest::prelude::*;

    /// What people see when an engine fails, and what it is.
    const CORPUS: &[(&str, Option<ErrorClass>)] = &[
        // Rate limits and overload.
        ("API Error: Request rejected (429) · slow down", Some(Transient)),
        ("exceeded retry limit, last status: 429 Too Many Requests", Some(Transient)),
        ("litellm.RateLimitError: RateLimitError: OpenAIException - slow down", Some(Transient)),
        ("Rate limit reached for gpt-5 in organization org-x on tokens per min. Try again in 2s.", Some(Transient)),
        ("This request would exceed your organization's rate limit of 50,000 input tokens per minute", Some(Transient)),
        ("API Error: 529 Overloaded. This is a server-side issue, usually temporary", Some(Transient)),
        ("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", Some(Transient)),
        ("We’re currently experiencing high demand, which may cause temporary errors.", Some(Transient)),
        ("Selected model is at capacity. Please try a different model.", Some(Transient)),
        // Servers.
        (
            "unexpected status 503 Service Unavailable: Overloaded, url: http://127.0.0.1:8802/v1/responses",
            Some(Transient),
        ),
        ("API Error: 500 scripted failure. This is a server-side issue", Some(Transient)),
        ("HTTP error 502: Bad Gateway", Some(Transient)),
        ("504 Gateway Timeout", Some(Transient)),
        ("litellm.InternalServerError: OpenAIException - oops", Some(Transient)),
        ("The server is temporarily unavailable, try again later", Some(Transient)),
        // Network.
        ("API Error: Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)", Some(Transient)),
        ("Request timed out. If the API is slow to answer, set API_TIMEOUT_MS above 3000.", Some(Transient)),
        ("stream disconnected before completion: idle timeout waiting for SSE", Some(Transient)),
        (
            "stream disconnected before completion: Transport error: network error: error decoding response body",
            Some(Transient),
        ),
        ("TypeError: fetch failed", Some(Transient)),
        ("Error: read ECONNRESET", Some(Transient)),
        ("getaddrinfo ENOTFOUND api.example.com", Some(Transient)),
        ("fatal: unable to access: Could not resolve host: example.com", Some(Transient)),
        ("[Errno -3] Temporary failure in name resolution", Some(Transient)),
        ("socket hang up", Some(Transient)),
        ("remote error: tls handshake failure", Some(Transient)),
        // Allowance.
        ("Claude AI usage limit reached|1795150440", Some(Quota)),
        ("You've hit your limit · resets 3am (UTC)", Some(Quota)),
        ("You've hit your usage limit. Upgrade to Pro or try again in 3 days.", Some(Quota)),
        ("API Error: 400 Your credit balance is too low to access the API.", Some(Quota)),
        (
            "Error code: 429 - {'error': {'code': 'insufficient_quota', 'message': 'You exceeded your current quota'}}",
            Some(Quota),
        ),
        ("HTTP 402 Payment Required", Some(Quota)),
        ("Resource has been exhausted (e.g. check quota).", Some(Quota)),
        ("litellm.BadRequestError: Budget has been exceeded! Current cost: 5.1", Some(Quota)),
        ("You have no premium requests left this month", Some(Quota)),
        // Keys and logins.
        ("Invalid API key · Fix external API key", Some(Auth)),
        ("unexpected status 401 Unauthorized: invalid x-api-key, url: http://127.0.0.1:8802/v1/responses", Some(Auth)),
        ("[API Error: 401 invalid x-api-key]", Some(Auth)),
        (
            "[API Error: {\"error\":{\"code\":401,\"message\":\"API key not valid\",\"status\":\"UNAUTHENTICATED\"}}]",
            Some(Auth),
        ),
        ("litellm.AuthenticationError: AuthenticationError: OpenAIException - invalid", Some(Auth)),
        ("Authentication failed with provider at http://127.0.0.1:8802/v1 (HTTP 401).", Some(Auth)),
        ("Not logged in · Please run /login", Some(Auth)),
        ("OAuth token has expired. Please obtain a new token.", Some(Auth)),
        ("Please set an Auth method in your settings before running", Some(Auth)),
        ("API Error: 403 {\"error\":{\"type\":\"permission_error\"}}", Some(Auth)),
        ("openai.OpenAIError: Missing API key", Some(Auth)),
        // Requests that will never do.
        ("API Error: 400 messages: at least one message is required", Some(Permanent)),
        (
            "There's an issue with the selected model (nope). It may not exist or you may not have access.",
            Some(Permanent),
        ),
        ("The model `gpt-99` does not exist or you do not have access to it.", Some(Permanent)),
        ("Prompt is too long", Some(Permanent)),
        ("Your input exceeds the context window of this model.", Some(Permanent)),
        ("error: unexpected argument '--frobnicate' found", Some(Permanent)),
        ("API Error: 413 request_too_large", Some(Permanent)),
        ("unexpected status 404 Not Found", Some(Permanent)),
        // Nothing that is known.
        ("Something went wrong", None),
        ("I changed 401 files and 429 lines", None),
        ("build failed in 503.2 s", None),
        ("", None),
    ];

    #[test]
    fn the_corpus_is_classed_as_documented() {
        let wrong: Vec<_> = CORPUS
            .iter()
            .map(|(text, expected)| (text, expected, classify(&Symptom { text, ..Symptom::default() })))
            .filter(|(_, expected, got)| got != *expected)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(CORPUS.len() >= 40);
    }

    #[test]
    fn status_and_type_speak_louder_than_words() {
        let symptom = |status, kind, text| Symptom { status, kind, text, exit_code: Some(1) };
        for (symptom, expected) in [
            (symptom(Some(401), None, "try again, connection reset"), Some(Auth)),
            (symptom(Some(529), Some("overloaded_error"), "invalid request"), Some(Transient)),
            (symptom(None, Some("authentication_failed"), "it failed: timeout"), Some(Auth)),
            (symptom(None, Some("invalid_request_error"), "it failed"), Some(Permanent)),
            (symptom(Some(429), Some("rate_limit_error"), "You exceeded your current quota"), Some(Quota)),
            (symptom(Some(403), None, "insufficient_quota"), Some(Quota)),
            (symptom(Some(200), None, ""), None),
        ] {
            assert_eq!(classify(&symptom), expected, "{symptom:?}");
        }
        assert_eq!(classify(&Symptom { exit_code: Some(127), ..Symptom::default() }), Some(Permanent));
    }

    #[test]
    fn talk_about_an_error_is_no_error_line() {
        for line in [
            "Error: 401 Unauthorized",
            "litellm.AuthenticationError: invalid key",
            "[API Error: 401 invalid x-api-key]",
            "✗ Error: quota exceeded",
            "Invalid API key · Please run /login",
            "openai.RateLimitError: slow down",
            "401 Unauthorized",
            "You've hit your limit · resets 3am",
        ] {
            assert!(is_error_line(line), "{line}");
        }
        for line in [
            "I made the handler answer 401 Unauthorized when the API key is missing.",
            "The test `rejects_invalid_api_key` passes now.",
            "Added error handling: a rate limit is retried.",
            "Done: errors are shown.",
            "",
        ] {
            assert!(!is_error_line(line), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_classed(text in "\\PC{0,80}", digits in "[3-6][0-9]{2}") {
            classify(&Symptom { text: &text, ..Symptom::default() });
            classify(&Symptom { text: &format!("{text} status {digits} {text}"), ..Symptom::default() });
            is_error_line(&text);
        }
    }
}
