//! Roles of colour. The stream decides whether they are shown; words never depend on them.

use anstyle::{AnsiColor, Style};
use fleet_protocol::Stage;

use crate::wiring::Verdict;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
pub(super) const ATTENTION: Style = AnsiColor::Magenta.on_default();
pub(super) const INFO: Style = AnsiColor::Cyan.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const STRONG: Style = Style::new().bold();
pub(super) const PLAIN: Style = Style::new();

/// Text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    if style == PLAIN { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// How a stage looks.
pub(super) const fn of_stage(stage: Stage) -> Style {
    match stage {
        Stage::Queued | Stage::Blocked => DIM,
        Stage::Assigned | Stage::Building => INFO,
        Stage::Waiting | Stage::Review => ATTENTION,
        Stage::Testing | Stage::Shipped => GOOD,
        Stage::Failed | Stage::DeadLetter => BAD,
    }
}

/// How the outcome of a check looks.
pub(super) const fn of_verdict(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Ok => GOOD,
        Verdict::Warn => WARN,
        Verdict::Fail => BAD,
        Verdict::Skip => DIM,
    }
}
