//! Looking at tasks before the first one is queued: what is wrong with any of them is told at once, at its place in what
//! the user wrote. What only this machine and the coordinator know is looked at too; nothing is changed.

use std::collections::BTreeMap;

use fleet_protocol::{
    ErrorCode, ExitCode, Problem,
    api::{SubmitPreview, SubmitQuery},
    manifest::{self, Mistake, Mistakes, Reading},
};

use super::{
    context::Context,
    error::{CliError, Report},
    excerpt::Source,
    task::{Task, Written},
};
use crate::wiring;

/// What is wrong with tasks, by how each was named.
#[derive(Default)]
pub(super) struct Wrong(Vec<(String, CliError)>);

impl Wrong {
    pub(super) fn add(&mut self, shown: &str, error: CliError) {
        self.0.push((shown.to_owned(), error));
    }

    /// Everything and one more, after which nothing else can be looked at.
    pub(super) fn beside(&mut self, error: CliError) -> CliError {
        self.add("", error);
        std::mem::take(self).told().err().unwrap_or(CliError::Closed)
    }

    /// All of it as one failure; a single one as it is.
    fn told(mut self) -> Result<(), CliError> {
        if self.0.len() <= 1 {
            return self.0.pop().map_or(Ok(()), |(_, error)| Err(error));
        }
        let mut names: Vec<String> = Vec::new();
        let mut reports: Vec<Report> = Vec::new();
        for (name, error) in self.0 {
            let CliError::Report(mut report) = error else { return Err(error) };
            if report.sources.is_empty() {
                let message = std::iter::once(&report.message).chain(&report.causes).cloned().collect::<Vec<_>>();
                report.sources.push(Source::without_text(name.clone(), message.join(": "), report.help.take()));
            }
            names.extend((!name.is_empty()).then_some(name));
            reports.push(*report);
        }
        let exit = same(reports.iter().map(|report| report.exit)).unwrap_or(ExitCode::Usage);
        let code = same(reports.iter().map(|report| report.code.clone())).unwrap_or("invalid_request".to_owned());
        let warnings = reports.iter_mut().flat_map(|report| std::mem::take(&mut report.warnings)).collect();
        let sources = reports.into_iter().flat_map(|report| report.sources).collect();
        Err(CliError::mistakes(&code, nothing_submitted(&names), sources).ending(exit).beside(warnings))
    }
}

/// The one value that all of them are.
fn same<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|next| next == first).then_some(first)
}

fn nothing_submitted(names: &[String]) -> String {
    format!("nothing was submitted: mistakes in {}", names.join(", "))
}

/// Every task is checked before the first one is submitted; what is only odd is warned about. What each would run by.
pub(super) async fn check_all(
    tasks: &[Task],
    mut wrong: Wrong,
    query: &SubmitQuery,
    context: &Context,
) -> Result<Vec<SubmitPreview>, CliError> {
    let mut previews = Vec::new();
    let mut odd: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for task in tasks {
        match check(task, query, context).await {
            Ok((preview, warnings)) => {
                context.out.warn_about(&odd_in(task));
                for warning in warnings {
                    odd.entry(warning).or_default().push(&task.shown);
                }
                previews.push(preview);
            }
            Err(error) => wrong.add(&task.shown, error),
        }
    }
    wrong.told()?;
    // What this machine lacks is the same for most tasks, and told once.
    for (warning, names) in odd {
        context.out.warn(&format!("{}: {warning}", names.join(", ")));
    }
    Ok(previews)
}

async fn check(task: &Task, query: &SubmitQuery, context: &Context) -> Result<(SubmitPreview, Vec<String>), CliError> {
    if task.text.trim().is_empty() {
        return Err(CliError::usage(format!("{} is empty: there is nothing to do in it", task.shown))
            .help("write the task in markdown; `fleet help task-file` shows one"));
    }
    let Mistakes(in_text) = reading(task).mistakes();
    match preview(task, query, context).await {
        Ok(preview) if in_text.is_empty() => {
            let warnings = wiring::check_submission(&context.config, &preview)?;
            Ok((preview, warnings))
        }
        // What the text itself shows needs nobody's answer.
        Err(CliError::Report(report)) if report.sources.is_empty() && !in_text.is_empty() => {
            Err(invalid(task, &in_text, ErrorCode::InvalidRequest))
        }
        Ok(_) => Err(invalid(task, &in_text, ErrorCode::InvalidRequest)),
        Err(error) => Err(error),
    }
}

async fn preview(task: &Task, query: &SubmitQuery, context: &Context) -> Result<SubmitPreview, CliError> {
    let query = SubmitQuery { file: task.file.clone(), ..query.clone() };
    context.client()?.preview(&task.text, &query).await.map_err(|problem| refused(task, problem))
}

/// A refusal with its mistakes shown in the file, where the answer names them.
pub(super) fn refused(task: &Task, problem: Problem) -> CliError {
    let errors = problem.details.get("errors").cloned().unwrap_or_default();
    match serde_json::from_value::<Vec<Mistake>>(errors) {
        Ok(mistakes) if !mistakes.is_empty() => invalid(task, &mistakes, problem.code),
        Ok(_) | Err(_) => problem.into(),
    }
}

fn invalid(task: &Task, mistakes: &[Mistake], code: ErrorCode) -> CliError {
    let odd = odd_in(task);
    let warnings = odd.marked.iter().map(|marked| odd.line(marked)).collect();
    let message = nothing_submitted(std::slice::from_ref(&task.shown));
    CliError::mistakes(code.as_str(), message, sources(task, mistakes)).ending(code.exit()).beside(warnings)
}

fn odd_in(task: &Task) -> Source {
    let text = match &task.written {
        Written::Under { file, .. } => file,
        Written::AsSent | Written::Otherwise => &task.text,
    };
    Source::of_mistakes(&task.shown, text, &manifest::warnings(text))
}

fn reading(task: &Task) -> Reading {
    manifest::examine(&task.text, task.file.as_deref().unwrap_or("task.md"))
}

/// The mistakes of what was sent, where the user wrote them: in the file, or in a flag.
fn sources(task: &Task, mistakes: &[Mistake]) -> Vec<Source> {
    let one = |mistake: &Mistake| match &task.written {
        _ if mistake.line == 0 => nowhere(&task.shown, mistake),
        Written::AsSent => Source::of_mistakes(&task.shown, &task.text, std::slice::from_ref(mistake)),
        Written::Under { file, flags } => under_flags(task, (file, flags), mistake),
        Written::Otherwise => nowhere(&task.shown, mistake),
    };
    mistakes.iter().map(one).collect()
}

/// A mistake of a task that flags were laid over: what was sent has other lines than the file.
fn under_flags(task: &Task, (file, flags): (&str, &[&str]), mistake: &Mistake) -> Source {
    let sent = reading(task);
    let key = sent.key_at(mistake.line, mistake.column);
    if let Some(flag) = key.filter(|key| flags.contains(key)) {
        return nowhere(&format!("--{flag}"), mistake);
    }
    match key.and_then(|key| manifest::examine(file, &task.shown).place(key)) {
        Some((line, column)) => Source::of_mistakes(&task.shown, file, &[Mistake { line, column, ..mistake.clone() }]),
        None => nowhere(&task.shown, mistake),
    }
}

fn nowhere(name: &str, mistake: &Mistake) -> Source {
    Source::of_mistakes(name, "", &[Mistake { line: 0, column: 0, ..mistake.clone() }])
}
