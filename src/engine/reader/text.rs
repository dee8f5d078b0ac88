//! Output for people: every line is an activity, marker lines take effect, the end is judged by exit and by words.

use fleet_protocol::job::{Basis, Usage};

use super::{Observation, Reader, Stream};
use crate::engine::{
    activity,
    conclusion::{Conclusion, Exit, Verdict},
    speech::{Speech, unexplained},
    usage,
    usage::price,
};

/// Reads plain text.
pub(super) struct Text {
    speech: Speech,
    /// The paragraph that is being said; the last one is the summary.
    paragraph: String,
    usage: Usage,
    counts: fn(&str) -> Option<Usage>,
}

impl Text {
    /// Any program.
    pub(super) fn plain() -> Self {
        Self::counting(|_| None)
    }

    /// Aider, which ends each model call with a line of token counts.
    pub(super) fn aider() -> Self {
        Self::counting(aider_tokens)
    }

    fn counting(counts: fn(&str) -> Option<Usage>) -> Self {
        Self { speech: Speech::default(), paragraph: String::new(), usage: Usage::UNKNOWN, counts }
    }
}

impl Reader for Text {
    fn line(&mut self, stream: Stream, line: &str) -> Vec<Observation> {
        let line = activity::plain(line);
        if line.trim().is_empty() {
            self.paragraph.clear();
            return Vec::new();
        }
        if stream == Stream::Stderr {
            return vec![Observation::Activity(activity::line(&line))];
        }
        if let Some(heeded) = self.speech.heed(&line) {
            return vec![heeded];
        }
        let activity = activity::line(&line);
        let mut observations = vec![Observation::Activity(activity.clone())];
        if let Some(used) = (self.counts)(&line) {
            self.usage = self.usage.plus(used);
            observations.push(Observation::Usage(self.usage));
            return observations;
        }
        self.speech.remember_activity(activity);
        if self.paragraph.len() < 4_000 {
            self.paragraph.push_str(line.trim_end());
            self.paragraph.push('\n');
            self.speech.last_words(&self.paragraph);
        }
        observations
    }

    fn end(self: Box<Self>, exit: Exit, stderr_tail: &str) -> Conclusion {
        let verdict = if exit.is_success() {
            self.speech.success(stderr_tail)
        } else {
            Verdict::Failed(unexplained(&self.speech, exit, stderr_tail))
        };
        self.speech.conclude(verdict, self.usage, None)
    }
}

/// `Tokens: 4.1k sent, 1.2k cache hit, 40 received. Cost: $0.02 message, $0.05 session.` of one model call. Rounded
/// numbers make it an estimate.
fn aider_tokens(line: &str) -> Option<Usage> {
    let rest = line.trim().strip_prefix("Tokens:")?;
    let (tokens, cost) = rest.split_once("Cost:").unwrap_or((rest, ""));
    let mut usage = usage::ZERO;
    for part in tokens.trim().trim_end_matches('.').split(',') {
        let (number, what) = part.trim().split_once(' ')?;
        let (count, rounded) = number_with_suffix(number)?;
        match what {
            "sent" => usage.input_tokens = usage.input_tokens.saturating_add(count),
            "cache hit" => usage.cached_input_tokens = count,
            "received" => usage.output_tokens = count,
            _ => continue,
        }
        if rounded {
            usage.basis = Basis::Estimated;
        }
    }
    let message = cost.split_once(" message").map(|(price, _)| price.trim().trim_start_matches('$'));
    usage.cost_usd = price(message.and_then(|price| price.parse().ok()));
    usage.turns = Some(1);
    Some(usage)
}

fn number_with_suffix(text: &str) -> Option<(u64, bool)> {
    let (digits, factor) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000.0),
        None => match text.strip_suffix('M') {
            Some(digits) => (digits, 1_000_000.0),
            None => return text.replace(',', "").parse().ok().map(|count| (count, false)),
        },
    };
    let number: f64 = digits.parse().ok().filter(|number: &f64| (0.0..1e9).contains(number))?;
    Some(((number * factor).round() as u64, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aider_s_line_of_counts_is_read() {
        let usage = aider_tokens("Tokens: 4.1k sent, 1.2k cache hit, 40 received. Cost: $0.02 message, $0.05 session.");
        assert_eq!(
            usage,
            Some(Usage {
                input_tokens: 4_100,
                cached_input_tokens: 1_200,
                output_tokens: 40,
                cost_usd: Some(0.02),
                turns: Some(1),
                basis: Basis::Estimated,
            })
        );
        assert_eq!(aider_tokens("Tokens: many"), None);
        assert_eq!(aider_tokens("Tokens are cheap"), None);
    }
}
