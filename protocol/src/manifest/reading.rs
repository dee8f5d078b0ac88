//! A task file as far as it could be read, with every mistake so far and the place of each key, so that whoever knows more
//! (which engines, profiles and projects there are) adds to the same list what else is wrong.
//!
//! Mistakes stand in the order of the file; those that stand nowhere in it come last.

use std::collections::BTreeMap;

use super::model::Manifest;
use crate::front_matter::{At, Entry, Form, Mistake, Mistakes, Warning, camel_case};

/// A task file, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFile {
    pub manifest: Manifest,
    /// `title:`, else the first heading of the body, else the file's name.
    pub title: String,
    /// Everything after the front matter, byte for byte.
    pub body: String,
    pub warnings: Vec<Warning>,
}

/// Where the value of each key starts; empty for JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<String, At>);

impl Places {
    pub(super) fn of(entries: &[Entry]) -> Self {
        Self(entries.iter().map(|entry| (entry.key.text.clone(), entry.value.at)).collect())
    }
}

/// A task file as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What was understood: a key whose value is malformed is left out.
    pub task: TaskFile,
    form: Form,
    places: Places,
    mistakes: Vec<Mistake>,
}

impl Reading {
    pub(super) const fn new(task: TaskFile, form: Form, places: Places, mistakes: Vec<Mistake>) -> Self {
        Self { task, form, places, mistakes }
    }

    /// Line and column, from 1, at which the value of a key starts, in a task file that has it.
    pub fn place(&self, key: &str) -> Option<(usize, usize)> {
        self.places.0.get(key).map(|at| (at.line, at.column))
    }

    /// The key whose value starts there.
    pub fn key_at(&self, line: usize, column: usize) -> Option<&str> {
        self.places.0.iter().find(|(_, at)| (at.line, at.column) == (line, column)).map(|(key, _)| key.as_str())
    }

    /// Whether a mistake in the value of this key is known already: what else it says means nothing then, and may have
    /// to be kept to itself.
    pub fn is_wrong(&self, key: &str) -> bool {
        let label = self.label(key);
        self.mistakes.iter().any(|mistake| mistake.key.as_ref() == Some(&label))
    }

    /// Adds a mistake in the value of `key`, at the first of the keys in `stands_at` that the file has.
    pub fn fault(&mut self, key: &str, stands_at: &[&str], message: String, help: Option<String>) {
        let (line, column) = stands_at.iter().find_map(|key| self.place(key)).unwrap_or_default();
        self.mistakes.push(Mistake { line, column, key: Some(self.label(key)), message, help });
    }

    /// Every mistake so far.
    pub fn mistakes(&self) -> Mistakes {
        let mut mistakes = self.mistakes.clone();
        mistakes.sort_by_key(|mistake| (mistake.line == 0, mistake.line, mistake.column));
        Mistakes(mistakes)
    }

    /// The task, if nothing is wrong with it.
    pub fn finish(self) -> Result<TaskFile, Mistakes> {
        if self.mistakes.is_empty() { Ok(self.task) } else { Err(self.mistakes()) }
    }

    fn label(&self, key: &str) -> String {
        match self.form {
            Form::FrontMatter => key.to_owned(),
            Form::Json => camel_case(key),
        }
    }
}
