//! The two streams: data on stdout, talk on stderr.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use super::{
    args::Colour,
    error::{CliError, Report},
    excerpt::Source,
    sanitise::Sgr,
    style::{self, paint},
};

/// What data looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Human,
    Json,
}

/// Whether anything is said beside data and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Talk {
    /// Lines for people.
    Plain,
    /// stderr carries one JSON object a line: talk becomes log lines.
    Logged,
    /// `--quiet`.
    Silent,
}

/// What a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// A person at a terminal.
    Terminal,
    /// A file, a pipe, cron.
    Program,
}

/// Where a command writes.
pub(super) struct Output {
    stdout: Mutex<Box<dyn Write + Send>>,
    stderr: Mutex<Box<dyn Write + Send>>,
    pub(super) format: Format,
    pub(super) talk: Talk,
    /// Who reads stdout.
    pub(super) audience: Audience,
    /// Who reads stderr.
    pub(super) listener: Audience,
    /// Cells of the terminal, where stdout is one.
    pub(super) width: Option<usize>,
    /// Whether colours of an agent's output may pass.
    pub(super) sgr: Sgr,
}

/// The streams of a command, put together by hand (tests).
#[cfg(test)]
pub(super) struct Streams {
    pub(super) stdout: Box<dyn Write + Send>,
    pub(super) stderr: Box<dyn Write + Send>,
    pub(super) format: Format,
}

impl Output {
    /// The process's own streams.
    pub(super) fn of_process(format: Format, colour: Colour, talk: Talk) -> Self {
        choose_colour(colour);
        let audience = |terminal: bool| if terminal { Audience::Terminal } else { Audience::Program };
        let audience_of_stdout = audience(io::stdout().is_terminal());
        let sgr = match anstream::AutoStream::choice(&io::stdout()) {
            anstream::ColorChoice::Never => Sgr::Strip,
            _ => Sgr::Keep,
        };
        Self {
            stdout: Mutex::new(Box::new(BufWriter::new(anstream::stdout()))),
            stderr: Mutex::new(Box::new(anstream::stderr())),
            format,
            talk,
            audience: audience_of_stdout,
            listener: audience(io::stderr().is_terminal()),
            width: match audience_of_stdout {
                Audience::Terminal => terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
                Audience::Program => None,
            },
            sgr,
        }
    }

    #[cfg(test)]
    pub(super) fn of_streams(streams: Streams) -> Self {
        Self {
            stdout: Mutex::new(streams.stdout),
            stderr: Mutex::new(streams.stderr),
            format: streams.format,
            talk: Talk::Plain,
            audience: Audience::Program,
            listener: Audience::Program,
            width: None,
            sgr: Sgr::Strip,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes data as it is.
    pub(super) fn data(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::Closed,
            _ => CliError::io("cannot write to stdout", &error),
        })
    }

    /// Writes a JSON document: spread out for a person at a terminal, one line for programs.
    pub(super) fn json(&self, document: &impl Serialize) -> Result<(), CliError> {
        let text = match self.audience {
            Audience::Terminal => serde_json::to_string_pretty(document),
            Audience::Program => serde_json::to_string(document),
        };
        self.data(&format!("{}\n", text.expect("views are plain data")))
    }

    /// Writes one JSON document of a stream, on one line.
    pub(super) fn json_line(&self, document: &impl Serialize) -> Result<(), CliError> {
        self.data(&format!("{}\n", serde_json::to_string(document).expect("views are plain data")))
    }

    /// Says something to a person.
    pub(super) fn say(&self, text: &str) {
        match self.talk {
            Talk::Plain => self.err(&format!("{text}\n")),
            // A record is for programs: no colours, not even escaped ones.
            Talk::Logged => tracing::info!("{}", anstream::adapter::strip_str(text)),
            Talk::Silent => {}
        }
    }

    /// Asks; the answer comes on the same line.
    pub(super) fn prompt(&self, question: &str) {
        self.err(&format!("{question} "));
    }

    /// Warns.
    pub(super) fn warn(&self, text: &str) {
        match self.talk {
            Talk::Plain => self.err(&format!("{} {text}\n", paint(style::WARN, "warning:"))),
            Talk::Logged => tracing::warn!("{}", anstream::adapter::strip_str(text)),
            Talk::Silent => {}
        }
    }

    /// Warns about places in a file: a line each.
    pub(super) fn warn_about(&self, source: &Source) {
        for marked in &source.marked {
            self.warn(&source.line(marked));
        }
    }

    /// Tells a failure: a block for people, one JSON object for programs.
    pub(super) fn tell(&self, report: &Report) {
        if self.is_json() || self.talk == Talk::Logged {
            self.err(&format!("{}\n", report.to_json()));
            return;
        }
        for warning in &report.warnings {
            self.warn(warning);
        }
        self.err(&shown(report));
    }

    fn err(&self, text: &str) {
        let mut stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to tell when stderr itself is gone.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

fn shown(report: &Report) -> String {
    if !report.sources.is_empty() {
        return report.sources.iter().map(|source| source.render()).collect();
    }
    let mut text = format!("{} {}\n", paint(style::BAD, "error:"), report.message);
    for cause in &report.causes {
        text.push_str(&format!("  cause: {cause}\n"));
    }
    if let Some(help) = &report.help {
        text.push_str(&format!("  {} {help}\n", paint(style::GOOD, "help:")));
    }
    text
}

/// Lets every stream of this process follow `--color`.
fn choose_colour(colour: Colour) {
    match colour {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}
