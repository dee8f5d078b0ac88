//! Tasks as they are named on the command line: files, standard input, or the sentence itself.

use std::io::{IsTerminal, Read};

use fleet_protocol::{
    ExitCode,
    manifest::{Manifest, Priority, parse, render},
};

use super::{context::Context, error::CliError, json_task};

/// A task as it is sent.
pub(super) struct Task {
    /// For messages: the path as typed, `-`, or the text's first words.
    pub(super) shown: String,
    /// The name its file had.
    pub(super) file: Option<String>,
    pub(super) text: String,
    pub(super) written: Written,
}

/// How the text came about, for messages that point into what the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// As it is.
    AsSent,
    /// In this file, which flags changed the fields of.
    Under { file: String, flags: Vec<&'static str> },
    /// Not as a task file: as JSON, or as the sentence itself.
    Otherwise,
}

/// What flags say instead of the task.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Fields {
    /// Project, whatever the task says: it gives the repository and what the task leaves out.
    #[arg(long, value_name = "NAME", conflicts_with = "repo")]
    pub(super) project: Option<String>,
    /// Engine, whatever the task says.
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Priority, whatever the task says: critical, high, medium or low.
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Keep it out of the queue until `fleet release`.
    #[arg(long)]
    hold: bool,
}

impl Fields {
    /// The keys that they give.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("project", self.project.is_some()),
            ("engine", self.engine.is_some()),
            ("priority", self.priority.is_some()),
            ("hold", self.hold),
        ];
        given.into_iter().filter_map(|(key, is_given)| is_given.then_some(key)).collect()
    }

    /// Writes what the flags say into the task. Without such flags it stays byte for byte.
    pub(super) fn laid_over(&self, task: Task) -> Task {
        let flags = self.given();
        if flags.is_empty() {
            return task;
        }
        // A task with mistakes is left alone: checking tells them, at the places the user knows.
        let Ok(parsed) = parse(&task.text, task.file.as_deref().unwrap_or("task.md")) else { return task };
        let mut manifest = parsed.manifest;
        manifest.title.get_or_insert(parsed.title);
        if self.project.is_some() {
            manifest.project.clone_from(&self.project);
        }
        if self.engine.is_some() {
            manifest.engine.clone_from(&self.engine);
        }
        if self.priority.is_some() {
            manifest.priority = self.priority;
        }
        if self.hold {
            manifest.hold = Some(true);
        }
        let written = match task.written {
            Written::AsSent => Written::Under { file: task.text, flags },
            written @ (Written::Under { .. } | Written::Otherwise) => written,
        };
        Task { text: render(&manifest, &parsed.body), written, shown: task.shown, file: task.file }
    }
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(what: &str, context: &Context) -> Result<Task, CliError> {
    if what == "-" {
        return read_stdin();
    }
    let path = context.config.cwd.join(what);
    let bytes = std::fs::read(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::IsADirectory {
            return CliError::usage(format!("{what} is a folder, not a task file"))
                .help(format!("to submit what is in it: fleet submit {}/*.md", what.trim_end_matches('/')));
        }
        let failed = CliError::io(format!("cannot read {what}"), &error);
        if what.contains(char::is_whitespace) {
            failed.help(format!("to submit a sentence as the task, say where: fleet submit --repo . \"{what}\""))
        } else {
            failed
        }
    })?;
    let file = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    json_task::understood(Task { shown: what.to_owned(), file, text: text_of(what, bytes)?, written: Written::AsSent })
}

fn read_stdin() -> Result<Task, CliError> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(CliError::usage("`-` reads the task from standard input, which is a terminal")
            .help("pipe a task in, or name a file: fleet submit task.md"));
    }
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).map_err(|error| CliError::io("cannot read standard input", &error))?;
    let text = text_of("standard input", bytes)?;
    Ok(Task { shown: "-".to_owned(), file: None, text, written: Written::AsSent })
}

fn text_of(name: &str, bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::new(ExitCode::Usage, "invalid_request", format!("{name} is not UTF-8 text (byte {at})"))
    })
}

/// A task that is the sentence itself.
pub(super) fn from_text(text: &str) -> Task {
    let first = text.lines().next().unwrap_or_default().trim();
    let mut title: String = first.chars().take(72).collect();
    if title.len() < first.len() {
        title.push('…');
    }
    let manifest = Manifest { title: Some(title.clone()), ..Manifest::default() };
    let text = render(&manifest, &format!("{text}\n"));
    Task { shown: title, file: None, text, written: Written::Otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_becomes_a_task_with_a_short_title() {
        let task = from_text(&format!("{}\nmore", "long ".repeat(40)));
        assert!(task.shown.ends_with('…') && task.shown.chars().count() == 73, "{}", task.shown);
        assert!(task.text.contains("more\n"));
    }

    #[test]
    fn what_flags_say_wins_over_the_task_and_leaves_its_body_alone() {
        let text = "---\nproject: old\nengine: codex\n---\n# T\r\n\r\nDo it.";
        let task =
            |shown: &str| Task { shown: shown.to_owned(), file: None, text: text.to_owned(), written: Written::AsSent };
        let fields = Fields { project: Some("shop".to_owned()), hold: true, ..Fields::default() };
        let laid = fields.laid_over(task("t.md"));
        let parsed = parse(&laid.text, "t.md").expect("a task");
        assert_eq!((parsed.manifest.project.as_deref(), parsed.manifest.hold), (Some("shop"), Some(true)));
        assert_eq!((parsed.manifest.engine.as_deref(), parsed.body.as_str()), (Some("codex"), "# T\r\n\r\nDo it."));
        let same = Fields::default().laid_over(task(""));
        assert_eq!((same.text.as_str(), same.written), (text, Written::AsSent));
        assert_eq!(laid.written, Written::Under { file: text.to_owned(), flags: vec!["project", "hold"] });
    }
}
