//! A configuration file, parsed with the place of each value.

use std::{ops::Range, path::Path, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    keys,
    mistake::{Mistake, Warning},
    origin::Origin,
};

/// A parsed file.
pub(super) struct Document<'t> {
    path: Arc<Path>,
    text: &'t str,
    root: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Parses; every mistake of syntax is reported.
    pub(super) fn parse(path: &Path, text: &'t str) -> Result<Self, Vec<Mistake>> {
        let path: Arc<Path> = Arc::from(path);
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self { path, text, root: root.into_inner() };
        if errors.is_empty() {
            return Ok(document);
        }
        Err(errors.iter().map(|error| document.syntax_mistake(error)).collect())
    }

    fn syntax_mistake(&self, error: &toml::de::Error) -> Mistake {
        let span = error.span().unwrap_or(0..0);
        let start = span.start.min(self.text.len());
        let mistake = Mistake::new(self.origin(span), error.message().replace('\n', ", "));
        if self.may_hold_a_secret(start) { mistake.hidden() } else { mistake }
    }

    /// Whether a place that could not be parsed may be the value of a secret.
    fn may_hold_a_secret(&self, at: usize) -> bool {
        let line_end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        let until_here = &self.text[..line_end];
        let line = until_here.lines().next_back().unwrap_or_default().trim_start();
        let section = until_here.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
        section.is_some_and(|section| section.starts_with("[secrets"))
            || line.starts_with("secrets")
            || line.contains("token")
    }

    /// The value of `section.key` or `key`.
    pub(super) fn get(&self, name: &str) -> Option<&Spanned<DeValue<'t>>> {
        match name.split_once('.') {
            None => self.root.get(name),
            Some((section, key)) => self.table(section)?.get(key),
        }
    }

    /// A top-level table.
    pub(super) fn table(&self, section: &str) -> Option<&DeTable<'t>> {
        match self.root.get(section)?.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Where a piece of the text stands.
    pub(super) fn origin(&self, span: Range<usize>) -> Origin {
        let before = &self.text[..span.start.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin::File {
            path: Arc::clone(&self.path),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span,
        }
    }

    /// Sections that are something else than a table.
    pub(super) fn shape_mistakes(&self) -> Vec<Mistake> {
        sections()
            .filter_map(|section| {
                let value = self.root.get(section)?;
                (!value.get_ref().is_table()).then(|| {
                    let message =
                        format!("{section}: expected a table, found {}", super::value::found(value.get_ref()));
                    Mistake::new(self.origin(value.span()), message)
                        .help(format!("write [{section}] on a line of its own"))
                })
            })
            .collect()
    }

    /// Keys that mean nothing, each with the nearest that does.
    pub(super) fn unknown(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (key, value) in &self.root {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                _ if keys::FREE_TABLES.contains(&name) => {}
                DeValue::Table(table) if sections().any(|section| section == name) => {
                    for inner in table.keys() {
                        self.note_unknown(&format!("{name}.{}", inner.get_ref()), inner.span(), &mut warnings);
                    }
                }
                _ => self.note_unknown(name, key.span(), &mut warnings),
            }
        }
        warnings
    }

    fn note_unknown(&self, name: &str, span: Range<usize>, warnings: &mut Vec<Warning>) {
        if keys::find(name).is_some() {
            return;
        }
        let warning = Mistake::new(self.origin(span), format!("unknown key `{name}`"));
        let known = keys::ALL.iter().map(|info| info.name).chain(sections());
        warnings.push(match fleet_protocol::nearest(name, known) {
            Some(near) => warning.help(format!("did you mean `{near}`?")),
            None => warning.help("`fleet config show` lists the keys there are"),
        });
    }
}

/// Names of the tables that a file may have.
fn sections() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<&'static str> = keys::ALL
        .iter()
        .filter_map(|info| Some(info.name.split_once('.')?.0))
        .chain(keys::FREE_TABLES.iter().copied())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}
