//! Recognising text that has the shape of a credential, so that it is refused before it is stored or shown.
//!
//! A short list of well-known shapes, chosen so that prose does not match. It proves nothing about text it lets pass.

/// A credential-shaped piece of text. The text itself is deliberately not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where it starts, in bytes.
    pub offset: usize,
    /// What it looks like, for people.
    pub shape: &'static str,
}

struct Shape {
    prefix: &'static str,
    /// Fewest characters after the prefix.
    least: usize,
    what: &'static str,
    may_follow: fn(char) -> bool,
}

const SHAPES: [Shape; 16] = [
    Shape { prefix: "sk-", least: 16, what: "an API key (sk-…)", may_follow: word },
    Shape { prefix: "ghp_", least: 16, what: "a GitHub token (ghp_…)", may_follow: alphanumeric },
    Shape { prefix: "gho_", least: 16, what: "a GitHub token (gho_…)", may_follow: alphanumeric },
    Shape { prefix: "ghu_", least: 16, what: "a GitHub token (ghu_…)", may_follow: alphanumeric },
    Shape { prefix: "ghs_", least: 16, what: "a GitHub token (ghs_…)", may_follow: alphanumeric },
    Shape { prefix: "ghr_", least: 16, what: "a GitHub token (ghr_…)", may_follow: alphanumeric },
    Shape { prefix: "github_pat_", least: 16, what: "a GitHub token (github_pat_…)", may_follow: word },
    Shape { prefix: "glpat-", least: 16, what: "a GitLab token (glpat-…)", may_follow: word },
    Shape { prefix: "AKIA", least: 16, what: "an AWS access key (AKIA…)", may_follow: upper_or_digit },
    Shape { prefix: "ASIA", least: 16, what: "an AWS access key (ASIA…)", may_follow: upper_or_digit },
    Shape { prefix: "AIza", least: 30, what: "a Google API key (AIza…)", may_follow: word },
    Shape { prefix: "xoxb-", least: 10, what: "a Slack token (xox…)", may_follow: word },
    Shape { prefix: "xoxp-", least: 10, what: "a Slack token (xox…)", may_follow: word },
    Shape { prefix: "xoxa-", least: 10, what: "a Slack token (xox…)", may_follow: word },
    Shape { prefix: "xoxr-", least: 10, what: "a Slack token (xox…)", may_follow: word },
    Shape { prefix: "xoxs-", least: 10, what: "a Slack token (xox…)", may_follow: word },
];

const fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

const fn upper_or_digit(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

const fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// The first credential-shaped piece of `text`.
pub fn find(text: &str) -> Option<Found> {
    let tokens = SHAPES.iter().filter_map(|shape| shape.find(text));
    tokens.chain(private_key(text)).min_by_key(|found| found.offset)
}

impl Shape {
    fn find(&self, text: &str) -> Option<Found> {
        text.match_indices(self.prefix)
            .map(|(offset, _)| offset)
            .find(|&offset| self.is_at(text, offset))
            .map(|offset| Found { offset, shape: self.what })
    }

    fn is_at(&self, text: &str, offset: usize) -> bool {
        // `task-oriented` holds `sk-`, but as a part of a word.
        let begins = !text[..offset].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let tail = &text[offset + self.prefix.len()..];
        let tail = &tail[..tail.find(|c| !(self.may_follow)(c)).unwrap_or(tail.len())];
        begins && tail.len() >= self.least && !is_prose(tail)
    }
}

/// Words joined by dashes are short and have no digits; a token is neither.
fn is_prose(tail: &str) -> bool {
    !tail.bytes().any(|b| b.is_ascii_digit()) && tail.split(['-', '_']).all(|part| part.len() < 16)
}

fn private_key(text: &str) -> Option<Found> {
    const BEGIN: &str = "-----BEGIN ";
    const KEY: &str = "PRIVATE KEY";
    text.match_indices(BEGIN)
        .find(|(offset, _)| {
            let line = text[offset + BEGIN.len()..].lines().next().unwrap_or_default();
            line.split_once("-----").is_some_and(|(label, _)| label.contains(KEY))
        })
        .map(|(offset, _)| Found { offset, shape: "a private key" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together at run time, so that scanners of source code have nothing to find here.
    fn samples() -> Vec<String> {
        let tail = "0123456789abcdefABCDEFghijklmnopqrstuv";
        let mut samples: Vec<String> =
            ["sk-", "sk-ant-api03-", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AIza", "xoxb-", "xoxp-"]
                .iter()
                .map(|prefix| format!("{prefix}{tail}"))
                .collect();
        samples.push(format!("AK{}", "IAIOSFODNN7EXAMPLE"));
        samples.push(format!("sk-{}", "abcdefghijklmnopqrstuvwx"));
        for kind in ["", "RSA ", "OPENSSH ", "ENCRYPTED ", "EC "] {
            samples.push(format!("-----BEGIN {kind}{} KEY-----", "PRIVATE"));
        }
        samples
    }

    #[test]
    fn every_shape_is_found_anywhere_in_a_text() {
        for sample in samples() {
            for (before, after) in [("", ""), ("Use ", " for it."), ("é\nKEY=", "\n"), ("(\"", "\")")] {
                let text = format!("{before}{sample}{after}");
                assert_eq!(find(&text).map(|found| found.offset), Some(before.len()), "{sample}");
            }
        }
    }

    #[test]
    fn prose_and_code_do_not_match() {
        for text in [
            "",
            "a task-oriented-approach-to-scheduling-work",
            "risk-1234567890abcdefghij is a ticket",
            "use sk-learn-compatible-estimators-only",
            "ghp_ is how they begin",
            "AKIA is how they begin, and AKIAshort",
            "glpat-xyz",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "xoxb-",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
