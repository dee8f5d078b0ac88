//! Logs: `tracing` to stderr, set up once. Text for people on a terminal, one JSON object a line elsewhere.
//!
//! Prompts, file contents and secrets never come here.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{
    EnvFilter,
    filter::filter_fn,
    fmt,
    fmt::{
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    prelude::*,
};

mod line;

use line::JsonLine;

use crate::config::LogFormat;

/// How this process logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telemetry {
    /// A level or filter directives.
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

/// A filter that means nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is no log level: write error, warn, info, debug or trace, or directives such as fleet=debug")]
pub(crate) struct NotAFilter {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

impl Telemetry {
    /// Whether stderr carries one JSON object a line.
    pub(crate) fn is_json(&self) -> bool {
        match self.format {
            LogFormat::Json => true,
            LogFormat::Text => false,
            LogFormat::Auto => !stderr().is_terminal(),
        }
    }

    /// Starts logging. A second start in one process (tests) changes nothing.
    pub(crate) fn start(&self) -> Result<(), NotAFilter> {
        let filter = self.parse()?;
        let registry = tracing_subscriber::registry().with(filter);
        let started = if self.is_json() {
            let json = fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLine);
            registry.with(json.with_writer(stderr)).try_init()
        } else {
            let colour = anstream::AutoStream::choice(&stderr()) != anstream::ColorChoice::Never;
            let text = fmt::layer().with_target(false).with_timer(TimeOfDay).with_ansi(colour);
            // People read which run it is in the message; the spans around it are for programs.
            registry.with(text.with_writer(stderr).with_filter(filter_fn(|metadata| metadata.is_event()))).try_init()
        };
        // Only a subscriber that is already there can be in the way, and it does the same.
        drop(started);
        Ok(())
    }

    fn parse(&self) -> Result<EnvFilter, NotAFilter> {
        EnvFilter::builder().parse(&self.filter).map_err(|source| NotAFilter { filter: self.filter.clone(), source })
    }
}

/// The time of day in UTC: on a terminal the date is known, and the room is short.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let mut instant = String::new();
        SystemTime.format_time(&mut Writer::new(&mut instant))?;
        writer.write_str(time_of_day(&instant))
    }
}

/// `2026-11-20T09:03:03.063184Z` → `09:03:03`.
fn time_of_day(instant: &str) -> &str {
    let time = instant.split_once('T').map_or(instant, |(_, time)| time);
    time.split_once('.').map_or(time, |(time, _)| time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_on_a_terminal_begins_with_the_time_of_day() {
        assert_eq!(time_of_day("2026-11-20T09:03:03.063184Z"), "09:03:03");
        assert_eq!(time_of_day("soon"), "soon");
    }

    fn with(filter: &str) -> Telemetry {
        Telemetry { filter: filter.to_owned(), format: LogFormat::Auto }
    }

    #[test]
    fn levels_and_directives_are_filters() {
        for filter in ["warn", "TRACE", "fleet::worker=debug", "info,fleet=trace"] {
            assert!(with(filter).parse().is_ok(), "{filter}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_would_be_right() {
        let error = with("fleet=loud").parse().expect_err("no level");
        assert!(error.to_string().contains("error, warn, info, debug or trace"), "{error}");
    }
}
