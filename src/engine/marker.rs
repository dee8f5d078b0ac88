//! The marker protocol: lines by which any agent reports, whatever its engine.
//!
//! A marker is a line of its own: `FLEET_PROGRESS {"percent": 40}`. Models wrap such lines in emphasis, code ticks, list
//! dashes and quotes, so decoration around the name and the object is ignored. A name without a readable object is a
//! note in the log and changes nothing; keys that mean nothing are ignored.

use fleet_protocol::job::{Basis, Progress, Usage};
use serde_json::{Map, Value};

/// One report of the agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Marker {
    /// `FLEET_PROGRESS {"percent": 40}` or `{"step": 2, "of": 5, "status": "…"}`.
    Progress(Progress),
    /// `FLEET_STATUS {"status": "running the tests"}`.
    Status(String),
    /// `FLEET_QUESTION {"question": "…", "options": ["a", "b"]}`.
    Question(Question),
    /// `FLEET_USAGE {"inputTokens": 1, "cachedInputTokens": 0, "outputTokens": 2, "costUsd": 0.1, "turns": 1}`: of the run
    /// so far, not since the last one.
    Usage(Usage),
    /// `FLEET_ARTIFACT {"path": "report.html"}`, from the workspace's root.
    Artifact(String),
    /// `FLEET_NO_CHANGES {"reason": "…"}`: the task needs none.
    NoChanges { reason: Option<String> },
}

/// Something that the agent needs to know from a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) options: Vec<String>,
    pub(crate) default: Option<String>,
}

/// What a line is to the marker protocol.
#[derive(Debug, PartialEq)]
pub(super) enum Reading {
    /// Ordinary text.
    Plain,
    Marker(Marker),
    /// It begins like a marker; the reason why it is none.
    Malformed(String),
}

/// Reads one line.
pub(super) fn read(line: &str) -> Reading {
    let bare = line.trim_start_matches(|c: char| c.is_whitespace() || "*_`>-#~•".contains(c));
    let Some(name) = bare.split(|c: char| !c.is_ascii_uppercase() && c != '_').next() else {
        return Reading::Plain;
    };
    // `__FLEET_STATUS__` leaves its closing emphasis on the name.
    let (name, rest) = (name.trim_end_matches('_'), &bare[name.len()..]);
    let Some(kind) = Kind::named(name) else {
        return Reading::Plain;
    };
    let object = rest.trim_start_matches(|c: char| c.is_whitespace() || "*_`:~".contains(c));
    match object_in(object).and_then(|object| kind.marker(&object)) {
        Ok(marker) => Reading::Marker(marker),
        Err(why) => Reading::Malformed(format!("ignored a malformed {name} marker: {why}")),
    }
}

fn object_in(text: &str) -> Result<Map<String, Value>, String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    let Some(Ok(object)) = values.next() else {
        return Err("a JSON object must follow on the same line".to_owned());
    };
    let rest = &text[values.byte_offset()..];
    if rest.chars().all(|c| c.is_whitespace() || "*_`~.".contains(c)) {
        Ok(object)
    } else {
        Err("something follows the JSON object".to_owned())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Progress,
    Status,
    Question,
    Usage,
    Artifact,
    NoChanges,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "FLEET_PROGRESS" => Self::Progress,
            "FLEET_STATUS" => Self::Status,
            "FLEET_QUESTION" => Self::Question,
            "FLEET_USAGE" => Self::Usage,
            "FLEET_ARTIFACT" => Self::Artifact,
            "FLEET_NO_CHANGES" => Self::NoChanges,
            _ => return None,
        })
    }

    fn marker(self, object: &Map<String, Value>) -> Result<Marker, String> {
        let fields = Fields(object);
        Ok(match self {
            Self::Progress => Marker::Progress(fields.progress()?),
            Self::Status => Marker::Status(fields.needed(&["status", "text", "message"])?),
            Self::Question => Marker::Question(Question {
                text: fields.needed(&["question", "text"])?,
                options: fields.texts("options")?,
                default: fields.text(&["default"])?,
            }),
            Self::Usage => Marker::Usage(fields.usage()?),
            Self::Artifact => Marker::Artifact(fields.needed(&["path"])?),
            Self::NoChanges => Marker::NoChanges { reason: fields.text(&["reason", "text"])? },
        })
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn text(&self, keys: &[&str]) -> Result<Option<String>, String> {
        match keys.iter().find_map(|key| self.0.get(*key).map(|value| (key, value))) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some((key, _)) => Err(format!("`{key}` must be text")),
        }
    }

    fn needed(&self, keys: &[&str]) -> Result<String, String> {
        self.text(keys)?.ok_or_else(|| format!("`{}` is missing", keys[0]))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let Some(value) = self.0.get(key) else { return Ok(Vec::new()) };
        let texts =
            value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        texts.ok_or_else(|| format!("`{key}` must be a list of texts"))
    }

    /// A number that is not negative. Keys are camelCase, snake_case is taken too.
    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        match self.0.get(key).or_else(|| self.0.get(&snake(key))) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number >= 0.0 && number.is_finite() => Ok(Some(number)),
                _ => Err(format!("`{key}` must be a number, not negative")),
            },
        }
    }

    fn count<N: TryFrom<u64>>(&self, key: &str) -> Result<Option<N>, String> {
        let Some(value) = self.0.get(key).or_else(|| self.0.get(&snake(key))).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|count| N::try_from(count).ok());
        count.map(Some).ok_or_else(|| format!("`{key}` must be a whole number"))
    }

    fn progress(&self) -> Result<Progress, String> {
        let progress = Progress {
            percent: self.number("percent")?,
            step: self.count("step")?,
            of: self.count("of")?,
            status: self.text(&["status", "text", "message"])?,
        };
        match &progress {
            Progress { percent: Some(percent), .. } if *percent > 100.0 => Err("`percent` is above 100".to_owned()),
            Progress { percent: None, step: None, status: None, .. } => {
                Err("one of `percent`, `step` and `status` is needed".to_owned())
            }
            _ => Ok(progress),
        }
    }

    fn usage(&self) -> Result<Usage, String> {
        let (input, output) = (self.count("inputTokens")?, self.count("outputTokens")?);
        let cost_usd = self.number("costUsd")?;
        if input.is_none() && output.is_none() && cost_usd.is_none() {
            return Err("one of `inputTokens`, `outputTokens` and `costUsd` is needed".to_owned());
        }
        let estimated = self.text(&["basis"])?.is_some_and(|basis| basis == Basis::Estimated.as_str());
        Ok(Usage {
            input_tokens: input.unwrap_or(0),
            cached_input_tokens: self.count("cachedInputTokens")?.unwrap_or(0),
            output_tokens: output.unwrap_or(0),
            cost_usd,
            turns: self.count("turns")?,
            basis: if estimated { Basis::Estimated } else { Basis::Measured },
        })
    }
}

fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 2);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marker(line: &str) -> Marker {
        match read(line) {
            Reading::Marker(marker) => marker,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn each_marker_is_read() {
        assert_eq!(
            marker(r#"FLEET_PROGRESS {"percent": 40, "step": 2, "of": 5, "status": "testing"}"#),
            Marker::Progress(Progress {
                percent: Some(40.0),
                step: Some(2),
                of: Some(5),
                status: Some("testing".to_owned())
            })
        );
        assert_eq!(marker(r#"FLEET_STATUS {"status": "on it"}"#), Marker::Status("on it".to_owned()));
        assert_eq!(
            marker(r#"FLEET_QUESTION {"question": "Which?", "options": ["a", "b"], "default": "a"}"#),
            Marker::Question(Question {
                text: "Which?".to_owned(),
                options: vec!["a".to_owned(), "b".to_owned()],
                default: Some("a".to_owned())
            })
        );
        let usage = Usage {
            input_tokens: 10,
            cached_input_tokens: 4,
            output_tokens: 2,
            cost_usd: Some(0.5),
            turns: Some(1),
            basis: Basis::Measured,
        };
        let camel = r#"{"inputTokens":10,"cachedInputTokens":4,"outputTokens":2,"costUsd":0.5,"turns":1}"#;
        let snake = r#"{"input_tokens":10,"cached_input_tokens":4,"output_tokens":2,"cost_usd":0.5,"turns":1,"x":0}"#;
        assert_eq!(marker(&format!("FLEET_USAGE {camel}")), Marker::Usage(usage));
        assert_eq!(marker(&format!("FLEET_USAGE {snake}")), Marker::Usage(usage));
        assert_eq!(marker(r#"FLEET_ARTIFACT {"path": "out/a.html"}"#), Marker::Artifact("out/a.html".to_owned()));
        assert_eq!(marker("FLEET_NO_CHANGES {}"), Marker::NoChanges { reason: None });
    }

    #[test]
    fn decoration_that_models_add_is_ignored() {
        let plain = marker(r#"FLEET_STATUS {"status": "x_y"}"#);
        for line in [
            r#"  **FLEET_STATUS** {"status": "x_y"}"#,
            r#"**FLEET_STATUS {"status": "x_y"}**"#,
            r#"`FLEET_STATUS {"status": "x_y"}`"#,
            r#"- `FLEET_STATUS` `{"status": "x_y"}`"#,
            r#"> __FLEET_STATUS__: {"status": "x_y"} "#,
            r#"### *FLEET_STATUS*: {"status": "x_y"}"#,
            r#"FLEET_STATUS:{"status":"x_y"}."#,
        ] {
            assert_eq!(marker(line), plain, "{line}");
        }
    }

    #[test]
    fn malformed_markers_say_why_and_do_nothing() {
        for (line, why) in [
            ("FLEET_NO_CHANGES", "a JSON object must follow"),
            ("FLEET_NO_CHANGES because", "a JSON object must follow"),
            ("FLEET_PROGRESS {\"percent\": N}", "a JSON object must follow"),
            ("FLEET_PROGRESS {\"percent\": 140}", "above 100"),
            ("FLEET_PROGRESS {\"percent\": -1}", "not negative"),
            ("FLEET_PROGRESS {}", "is needed"),
            ("FLEET_STATUS [\"x\"]", "a JSON object must follow"),
            ("FLEET_STATUS {\"status\": 3}", "must be text"),
            ("FLEET_STATUS {\"status\": \"a\"} and more", "something follows"),
            ("FLEET_USAGE {\"inputTokens\": -5}", "whole number"),
            ("FLEET_USAGE {\"tokens\": 5}", "is needed"),
            ("FLEET_QUESTION {\"question\": \" \"}", "`question` is missing"),
            ("FLEET_QUESTION {\"question\": \"a\", \"options\": \"b\"}", "list of texts"),
            ("FLEET_ARTIFACT {}", "`path` is missing"),
        ] {
            match read(line) {
                Reading::Malformed(note) => assert!(note.contains(why), "{line}: {note}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn ordinary_text_is_plain() {
        for line in ["", "I will print FLEET_STATUS {\"status\": \"x\"} now", "FLEET_OTHER {}", "FLEETING", "*", "{}"] {
            assert_eq!(read(line), Reading::Plain, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reading(name in "FLEET_(USAGE|STATUS|PROGRESS|QUESTION)", rest in "\\PC{0,60}") {
            read(&format!("{name}{rest}"));
            read(&rest);
        }
    }
}
