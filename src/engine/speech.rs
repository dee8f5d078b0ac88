//! What an agent said, engine by engine the same: markers, the last words, lines that look like errors.

use std::collections::VecDeque;

use fleet_protocol::{
    job::{Basis, Usage},
    run::ErrorClass,
};

use super::{
    activity,
    classify::{Symptom, classify, is_error_line},
    conclusion::{Cause, Conclusion, Exit, Failure, Verdict},
    marker::{self, Marker, Question, Reading},
    reader::Observation,
};

/// Artifacts that one run can name.
const MOST_ARTIFACTS: usize = 1_000;
/// Characters kept of the last words.
const SUMMARY: usize = 2_000;

/// So many last lines are looked at for signs of an error.
const REMEMBERED: usize = 40;

/// Gathers what is said while a run goes on.
#[derive(Debug, Default)]
pub(super) struct Speech {
    summary: Option<String>,
    status: Option<String>,
    question: Option<Question>,
    no_changes: bool,
    artifacts: Vec<String>,
    usage: Option<Usage>,
    recent: VecDeque<String>,
}

impl Speech {
    /// A whole message of the agent: markers take effect, the rest is one activity and the last words so far.
    pub(super) fn says(&mut self, text: &str) -> Vec<Observation> {
        let text = activity::plain(text);
        let mut observations = Vec::new();
        let mut words = Vec::new();
        for line in text.lines() {
            match self.heed(line) {
                Some(heeded) => observations.push(heeded),
                None => words.push(line),
            }
        }
        for line in &words {
            self.remember(line);
        }
        let words = words.join("\n");
        let words = words.trim();
        if !words.is_empty() {
            self.summary = Some(activity::cut(words, SUMMARY));
            observations.insert(0, Observation::Activity(activity::line(&format!("says: {words}"))));
        }
        observations
    }

    /// The observation if the line is a marker or a failed one; then it has taken effect.
    pub(super) fn heed(&mut self, line: &str) -> Option<Observation> {
        match marker::read(line) {
            Reading::Plain => None,
            Reading::Malformed(note) => Some(Observation::Activity(note)),
            Reading::Marker(marker) => {
                self.take(&marker);
                Some(Observation::Marker(marker))
            }
        }
    }

    /// Keeps an ordinary line for the judgement at the end.
    pub(super) fn remember(&mut self, line: &str) {
        if !line.trim().is_empty() {
            self.remember_activity(activity::line(line));
        }
    }

    /// The same for a line that is one activity already.
    pub(super) fn remember_activity(&mut self, line: String) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(line);
    }

    /// Replaces the last words.
    pub(super) fn last_words(&mut self, text: &str) {
        self.summary = Some(activity::cut(text.trim(), SUMMARY));
    }

    /// The last of the remembered lines that reads like an error of a known class.
    fn complaint(&self) -> Option<(String, ErrorClass)> {
        self.recent.iter().rev().find_map(|line| Some((line.clone(), complaint_in(line)?)))
    }

    /// The last remembered line.
    fn last_line(&self) -> Option<&str> {
        self.recent.back().map(String::as_str)
    }

    /// A success that may be none: see [`Verdict::Doubtful`].
    pub(super) fn success(&self, stderr_tail: &str) -> Verdict {
        let on_stderr = stderr_tail.lines().rev().find_map(|line| Some((activity::line(line), complaint_in(line)?)));
        match on_stderr.or_else(|| self.complaint()) {
            Some((message, class)) if class != ErrorClass::Permanent => {
                Verdict::Doubtful(Failure { cause: Cause::Engine, class: Some(class), message })
            }
            _ => Verdict::Ok,
        }
    }

    /// Ends the run. Where the engine measured nothing, the usage that the agent told by marker counts.
    pub(super) fn conclude(self, verdict: Verdict, usage: Usage, session_id: Option<String>) -> Conclusion {
        let usage = if usage.basis == Basis::Unknown { self.usage.unwrap_or(usage) } else { usage };
        Conclusion {
            verdict,
            usage,
            session_id,
            summary: self.summary,
            no_changes_claimed: self.no_changes,
            question: self.question,
            status: self.status,
            artifacts: self.artifacts,
        }
    }

    fn take(&mut self, marker: &Marker) {
        match marker {
            Marker::Progress(progress) => self.status = progress.status.clone().or(self.status.take()),
            Marker::Status(status) => self.status = Some(status.clone()),
            Marker::Question(question) => self.question = Some(question.clone()),
            Marker::Usage(usage) => self.usage = Some(*usage),
            Marker::Artifact(path) if self.artifacts.len() < MOST_ARTIFACTS && !self.artifacts.contains(path) => {
                self.artifacts.push(path.clone());
            }
            Marker::Artifact(_) => {}
            Marker::NoChanges { .. } => self.no_changes = true,
        }
    }
}

/// The failure of a run that said nothing structured about it: from its words, its error output and its exit.
pub(super) fn unexplained(speech: &Speech, exit: Exit, stderr_tail: &str) -> Failure {
    if let Exit::Signal(signal) = exit {
        return Failure { cause: Cause::Signal(signal), class: None, message: exit.to_string() };
    }
    let stderr: Vec<String> = stderr_tail.lines().map(activity::line).filter(|line| !line.is_empty()).collect();
    let complaint = stderr.iter().rev().find_map(|line| Some((line.clone(), complaint_in(line)?)));
    let known = complaint
        .or_else(|| speech.complaint())
        .or_else(|| stderr.iter().rev().find_map(|line| Some((line.clone(), class_of(line)?))));
    let (line, class) = match known {
        Some((line, class)) => (line, Some(class)),
        None => {
            let telling = stderr.iter().rev().find(|line| is_error_line(line)).or(stderr.last());
            let line = telling.map(String::as_str).or_else(|| speech.last_line()).unwrap_or_default();
            let exit_code = exit.code();
            (line.to_owned(), classify(&Symptom { exit_code, ..Symptom::default() }))
        }
    };
    let message = if line.is_empty() { exit.to_string() } else { format!("{line} ({exit})") };
    Failure { cause: Cause::Engine, class, message }
}

fn complaint_in(line: &str) -> Option<ErrorClass> {
    if is_error_line(line) { class_of(line) } else { None }
}

fn class_of(text: &str) -> Option<ErrorClass> {
    classify(&Symptom { text, ..Symptom::default() })
}
