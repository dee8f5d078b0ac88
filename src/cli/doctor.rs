//! `fleet doctor`: what could go wrong on this machine. Also how the lines of checks look, here and elsewhere.

use fleet_protocol::ExitCode;
use serde_json::json;

use super::{
    context::Context,
    error::CliError,
    progress::Progress,
    sanitise::plain,
    style::{self, paint},
};
use crate::wiring::{self, Check, Fault, Verdict};

/// Check this machine: engines, credentials, git, disk, queue.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet doctor
  fleet doctor --json | jq '.checks[] | select(.verdict != \"ok\")'")]
pub(super) struct Args {}

pub(super) async fn run(Args {}: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let mut lines = Lines::new(context);
    let outcome = wiring::doctor(&context.config, &mut |check| lines.take(check)).await;
    lines.end(outcome)
}

/// Prints each check as soon as it is done; as JSON, all of them at the end.
pub(super) struct Lines<'c> {
    context: &'c Context,
    progress: Progress<'c>,
    checks: Vec<Check>,
    /// Writing failed; told at the end.
    broken: Option<CliError>,
}

impl<'c> Lines<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self { context, progress: Progress::start(context), checks: Vec::new(), broken: None }
    }

    pub(super) fn take(&mut self, check: Check) {
        if !self.context.out.is_json() && self.broken.is_none() {
            let written = self.progress.aside(|| self.context.out.data(&line(&check)));
            self.broken = written.err();
        }
        self.checks.push(check);
    }

    /// Success unless a check failed.
    pub(super) fn end(self, outcome: Result<(), Fault>) -> Result<ExitCode, CliError> {
        outcome?;
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if self.context.out.is_json() {
            self.context.out.json(&json!({ "checks": self.checks }))?;
        }
        let failed = self.checks.iter().filter(|check| check.verdict == Verdict::Fail).count();
        drop(self.progress);
        self.context.out.say(&match failed {
            0 => format!("{} checks, none failed", self.checks.len()),
            failed => format!("{} checks, {failed} failed", self.checks.len()),
        });
        Ok(if failed == 0 { ExitCode::Success } else { ExitCode::Failed })
    }
}

fn line(check: &Check) -> String {
    let word = match check.verdict {
        Verdict::Ok => "ok  ",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
        Verdict::Skip => "skip",
    };
    let mut text = format!("{} {}", paint(style::of_verdict(check.verdict), word), plain(&check.name));
    let mut said = check.message.lines();
    if let Some(first) = said.next() {
        text.push_str(&format!(": {}", plain(first)));
    }
    text.push('\n');
    for more in said {
        text.push_str(&format!("     {} {}\n", paint(style::DIM, "|"), plain(more)));
    }
    if let Some(remedy) = &check.remedy {
        text.push_str(&format!("     {} {}\n", paint(style::GOOD, "help:"), plain(remedy)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_with_its_remedy_below() {
        let check = Check {
            name: "git identity".to_owned(),
            verdict: Verdict::Fail,
            message: "user.email is not set".to_owned(),
            remedy: Some("git config --global user.email you@example.org".to_owned()),
        };
        assert_eq!(
            anstream::adapter::strip_str(&line(&check)).to_string(),
            "FAIL git identity: user.email is not set\n     help: git config --global user.email you@example.org\n"
        );
    }
}
