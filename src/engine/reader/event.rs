//! What all readers of JSON lines need: an event, its members, and lines that are none.

use serde_json::Value;

use super::{Observation, Stream};
use crate::engine::{
    activity,
    conclusion::{Cause, Failure, Verdict},
    speech::Speech,
};

/// The event that a line of standard output is.
pub(super) fn object(stream: Stream, line: &str) -> Option<Value> {
    if stream != Stream::Stdout || !line.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(line).ok()
}

/// A line that is no event: a wrapper's word, a warning, half of something. Markers in it count.
pub(super) fn stray(speech: &mut Speech, stream: Stream, line: &str) -> Vec<Observation> {
    let clean = activity::line(line);
    if clean.is_empty() {
        return Vec::new();
    }
    if stream == Stream::Stdout {
        if let Some(heeded) = speech.heed(line) {
            return vec![heeded];
        }
        speech.remember(line);
    }
    vec![Observation::Activity(clean)]
}

/// The verdict over a run that ended well but without the event that says so. One that printed events broke off; one that
/// printed none at all is not what it was taken for, and is judged by its words and its work.
pub(super) fn without_ending(speech: &Speech, seen: bool, stderr_tail: &str) -> Verdict {
    let message = "it ended without saying how".to_owned();
    let failure = Failure { cause: Cause::Engine, class: None, message };
    match speech.success(stderr_tail) {
        Verdict::Ok if seen => Verdict::Failed(failure),
        Verdict::Ok => Verdict::Doubtful(failure),
        Verdict::Doubtful(complaint) | Verdict::Failed(complaint) if seen => Verdict::Failed(complaint),
        doubtful => doubtful,
    }
}

/// A member's text; empty where it is absent or something else.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// A member that names a session; none where it could not be given back as an argument.
pub(super) fn session(value: &Value, key: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let id = text(value, key);
    let usable =
        !id.is_empty() && id.len() <= LONGEST && !id.starts_with('-') && id.bytes().all(|b| b.is_ascii_graphic());
    usable.then(|| id.to_owned())
}

/// A member's count; zero where it is absent or something else.
pub(super) fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or(0)
}

/// A member that is an HTTP status.
pub(super) fn status(value: &Value, key: &str) -> Option<u16> {
    value[key].as_u64().and_then(|status| u16::try_from(status).ok())
}
