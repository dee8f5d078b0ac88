//! How a command fails: what, why, what would be right; a stable code and an exit code.

use std::{error::Error, io};

use fleet_protocol::{ExitCode, Problem};
use serde_json::{Value, json};

use super::{
    command::NotASwitch,
    excerpt::{LineIs, Marked, Source},
};
use crate::{
    config::{self, ConfigError, Excerpt, Origin},
    telemetry::NotAFilter,
    wiring::Fault,
};

/// Why a command ends without success.
#[derive(Debug)]
pub(super) enum CliError {
    /// To be told.
    Report(Box<Report>),
    /// Whoever read our output went away (`fleet logs | head`): nothing to tell, nothing wrong.
    Closed,
}

/// A failure as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    pub(super) exit: ExitCode,
    /// Stable.
    pub(super) code: String,
    /// Lower case, no full stop.
    pub(super) message: String,
    /// What led to it, nearest first.
    pub(super) causes: Vec<String>,
    /// What would be right, if possible something one can run.
    pub(super) help: Option<String>,
    pub(super) details: Value,
    /// Mistakes in files, told instead of the message.
    pub(super) sources: Vec<Source>,
    /// What is only odd, told before.
    pub(super) warnings: Vec<String>,
}

impl CliError {
    pub(super) fn new(exit: ExitCode, code: &str, message: impl Into<String>) -> Self {
        Self::Report(Box::new(Report {
            exit,
            code: code.to_owned(),
            message: message.into(),
            causes: Vec::new(),
            help: None,
            details: json!({}),
            sources: Vec::new(),
            warnings: Vec::new(),
        }))
    }

    /// Wrong usage.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, "usage", message)
    }

    /// A file or folder that does not let us; `what` names verb and path.
    pub(super) fn io(what: impl Into<String>, source: &io::Error) -> Self {
        let exit = if source.kind() == io::ErrorKind::NotFound { ExitCode::Usage } else { ExitCode::Failed };
        Self::new(exit, "io", what).caused_by(source)
    }

    /// Mistakes in files. `message` is for those who do not see the excerpts.
    pub(super) fn mistakes(code: &str, message: impl Into<String>, sources: Vec<Source>) -> Self {
        let details = json!({ "errors": sources.iter().flat_map(Source::to_json).collect::<Vec<_>>() });
        Self::new(ExitCode::Usage, code, message).change(|report| {
            report.details = details;
            report.sources = sources;
        })
    }

    /// The same with another exit code.
    #[must_use]
    pub(super) fn ending(self, exit: ExitCode) -> Self {
        self.change(|report| report.exit = exit)
    }

    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        self.change(|report| report.help = Some(help.into()))
    }

    /// Adds what is odd in the same files.
    #[must_use]
    pub(super) fn beside(self, warnings: Vec<String>) -> Self {
        self.change(|report| {
            if !warnings.is_empty() {
                report.details["warnings"] = json!(warnings);
            }
            report.warnings = warnings;
        })
    }

    #[must_use]
    pub(super) fn caused_by(self, source: &(dyn Error + 'static)) -> Self {
        self.change(|report| {
            let mut next = Some(source);
            while let Some(error) = next {
                report.causes.push(error.to_string());
                next = error.source();
            }
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Report)) -> Self {
        if let Self::Report(report) = &mut self {
            change(report);
        }
        self
    }

    /// The exit code of the program.
    pub(super) const fn exit(&self) -> ExitCode {
        match self {
            Self::Report(report) => report.exit,
            Self::Closed => ExitCode::Success,
        }
    }
}

impl Report {
    /// The failure as one JSON object, in the shape of the API's errors.
    pub(super) fn to_json(&self) -> Value {
        json!({ "error": {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "causes": self.causes,
            "help": self.help,
            "exit": self.exit.code(),
        }})
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let possible = problem.details.get("actions").and_then(Value::as_array).map(|actions| {
            let words: Vec<&str> = actions.iter().filter_map(Value::as_str).collect();
            possible_now(&words)
        });
        let possible = possible.filter(|possible| !problem.message.contains(possible));
        Self::new(problem.code.exit(), problem.code.as_str(), problem.message).change(|report| {
            report.details = problem.details;
            report.help = possible;
        })
    }
}

/// What an operator may do now, as a hint.
fn possible_now(actions: &[&str]) -> String {
    if actions.is_empty() {
        "nothing can be done to it now".to_owned()
    } else {
        format!("possible now: {}", actions.join(", "))
    }
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Problem(problem) => problem.into(),
            Fault::AlreadyRunning { .. } => Self::new(ExitCode::AlreadyRunning, "already_running", fault.to_string())
                .help("nothing to do: it takes new tasks in by itself (`fleet status`)"),
            Fault::Clock(ref source) => Self::new(ExitCode::Usage, "test_clock", fault.to_string()).caused_by(source),
            Fault::Other { exit, message, help, source } => {
                let error = Self::new(exit, code_of(exit), message).change(|report| report.help = help);
                match &source {
                    Some(source) => error.caused_by(source.as_ref()),
                    None => error,
                }
            }
        }
    }
}

const fn code_of(exit: ExitCode) -> &'static str {
    match exit {
        ExitCode::Success => "ok",
        ExitCode::Failed => "failed",
        ExitCode::Usage => "invalid_request",
        ExitCode::NotFound => "not_found",
        ExitCode::Conflict => "conflict",
        ExitCode::Unreachable => "unavailable",
        ExitCode::Unauthorised => "unauthorized",
        ExitCode::AlreadyRunning => "already_running",
        ExitCode::Refused => "forbidden",
        ExitCode::TimedOut => "timed_out",
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let message = error.to_string();
        match error {
            ConfigError::Read { source, .. } => {
                Self::new(ExitCode::Usage, "invalid_config", message).caused_by(&source)
            }
            ConfigError::Invalid(invalid) => {
                let text = invalid.text.as_str();
                let warnings = invalid.warnings.iter().map(config::Warning::with_help).collect();
                let sources = invalid
                    .mistakes
                    .into_iter()
                    .map(|mistake| match mistake.origin {
                        Origin::File { ref path, line, column, ref span } => Source {
                            name: path.display().to_string(),
                            text: match mistake.excerpt {
                                Excerpt::Show => text.to_owned(),
                                Excerpt::Hide => String::new(),
                            },
                            marked: vec![Marked {
                                line,
                                column,
                                span: span.clone(),
                                key: None,
                                message: mistake.message,
                                help: mistake.help,
                                line_is: LineIs::Shown,
                            }],
                        },
                        ref origin => Source::without_text(
                            match origin {
                                Origin::Default => String::new(),
                                origin => origin.to_string(),
                            },
                            mistake.message,
                            mistake.help,
                        ),
                    })
                    .collect();
                Self::mistakes("invalid_config", message, sources).beside(warnings)
            }
            ConfigError::Environment(_) => Self::new(ExitCode::Usage, "invalid_config", message),
            ConfigError::NoPlace => Self::new(ExitCode::Usage, "no_fleet_here", message)
                .help("go into a git repository, or make a fleet here with `fleet init`"),
        }
    }
}

impl From<NotAFilter> for CliError {
    fn from(error: NotAFilter) -> Self {
        Self::new(ExitCode::Usage, "invalid_config", error.to_string())
    }
}

impl From<NotASwitch> for CliError {
    fn from(error: NotASwitch) -> Self {
        Self::usage(error.to_string())
    }
}
