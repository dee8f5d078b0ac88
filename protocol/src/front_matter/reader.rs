//! Typed values from the tree; whatever is wrong is collected, so that one pass finds every mistake.
//!
//! Each method answers `None` after it has noted why. A field that wants text takes a scalar as written; only numbers
//! and truth values must be plain.

use std::str::FromStr;

use super::{
    json::camel_case,
    mistake::{Mistake, Mistakes, Warning},
    tree::{At, Content, Entry, Node, Scalar, Style},
};
use crate::words::UnknownWord;

/// Where a manifest came from; decides how its keys are spelled in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Front matter: `idempotency-key`.
    FrontMatter,
    /// JSON: `idempotencyKey`.
    Json,
}

/// What is wrong with a value, without the key and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) problem: String,
    pub(crate) help: String,
}

impl Fault {
    pub(crate) fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { problem: problem.into(), help: help.into() }
    }
}

/// A value as it may stand in a message: short, on one line.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let escaped: String = text
        .chars()
        .take(MOST)
        .flat_map(|c| {
            let escape = c.is_control().then(|| c.escape_default());
            escape.into_iter().flatten().chain((!c.is_control()).then_some(c))
        })
        .collect();
    if text.chars().nth(MOST).is_some() { format!("{escaped}…") } else { escaped }
}

/// Takes values from the tree and notes what is wrong.
pub(crate) struct Reader {
    form: Form,
    mistakes: Vec<Mistake>,
    warnings: Vec<Warning>,
}

impl Reader {
    pub(crate) fn new(form: Form, mistakes: Vec<Mistake>) -> Self {
        Self { form, mistakes, warnings: Vec::new() }
    }

    /// The warnings, or the mistakes if there is one; both in the order of the file.
    pub(crate) fn finish(self) -> Result<Vec<Warning>, Mistakes> {
        let (mistakes, warnings) = self.into_parts();
        if mistakes.is_empty() { Ok(warnings) } else { Err(Mistakes(mistakes)) }
    }

    /// The mistakes and the warnings, each in the order of the file.
    pub(crate) fn into_parts(mut self) -> (Vec<Mistake>, Vec<Warning>) {
        let place = |mistake: &Mistake| (mistake.line, mistake.column);
        self.mistakes.sort_by_key(place);
        self.warnings.sort_by_key(place);
        (self.mistakes, self.warnings)
    }

    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    /// A key as the writer spells it.
    pub(crate) fn label(&self, key: &str) -> String {
        match self.form {
            Form::FrontMatter => shown(key),
            Form::Json => shown(&camel_case(key)),
        }
    }

    /// Notes a mistake in the value of `key`.
    pub(crate) fn fault(&mut self, key: &str, at: At, fault: Fault) {
        let mistake = self.about(key, at, fault);
        self.mistakes.push(mistake);
    }

    /// Notes something that is probably not meant.
    pub(crate) fn warn(&mut self, key: &str, at: At, fault: Fault) {
        let warning = self.about(key, at, fault);
        self.warnings.push(warning);
    }

    fn about(&self, key: &str, at: At, fault: Fault) -> Mistake {
        let key = self.label(key);
        let message = format!("`{key}`: {}", fault.problem);
        Mistake { line: at.line, column: at.column, key: Some(key), message, help: Some(fault.help) }
    }

    /// Notes a key that means nothing here and is kept.
    pub(crate) fn warn_unknown(&mut self, at: At, key: &str, help: String) {
        let key = shown(key);
        let message = format!("unknown key `{key}`: it is kept and has no effect");
        self.warnings.push(Warning { line: at.line, column: at.column, key: Some(key), message, help: Some(help) });
    }

    /// Forgets what was noted about the values at these places, and notes `faults` about them instead. For values that
    /// must not be shown.
    pub(crate) fn replace(&mut self, faults: Vec<(String, At, Fault)>) {
        self.mistakes.retain(|m| !faults.iter().any(|(_, at, _)| (at.line, at.column) == (m.line, m.column)));
        self.warnings.retain(|w| !faults.iter().any(|(_, at, _)| (at.line, at.column) == (w.line, w.column)));
        for (key, at, fault) in faults {
            self.fault(&key, at, fault);
        }
    }

    fn scalar<'n>(&mut self, key: &str, node: &'n Node, wanted: &str) -> Option<&'n Scalar> {
        let got = match &node.content {
            Content::Scalar(scalar) if scalar.is_null() => "nothing",
            Content::Scalar(scalar) => return Some(scalar),
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        };
        self.fault(key, node.at, Fault::new(format!("takes {wanted}, not {got}"), format!("write {wanted}")));
        None
    }

    /// Text, as written.
    pub(crate) fn text(&mut self, key: &str, node: &Node) -> Option<String> {
        self.scalar(key, node, "text").map(|scalar| scalar.text.clone())
    }

    /// Text that keeps to a rule.
    pub(crate) fn checked(&mut self, key: &str, node: &Node, rule: fn(&str) -> Result<(), Fault>) -> Option<String> {
        let text = self.text(key, node)?;
        match rule(&text) {
            Ok(()) => Some(text),
            Err(fault) => {
                self.fault(key, node.at, fault);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &str, node: &Node) -> Option<bool> {
        let scalar = self.scalar(key, node, "true or false")?;
        let truth = scalar.as_bool();
        if truth.is_none() {
            let problem = format!("`{}` is neither true nor false", shown(&scalar.text));
            self.fault(key, node.at, Fault::new(problem, "write true or false, without quotes"));
        }
        truth
    }

    /// A number of `T`, at least `least`, plain.
    pub(crate) fn number<T: FromStr + PartialOrd>(
        &mut self,
        key: &str,
        node: &Node,
        least: T,
        wanted: &str,
    ) -> Option<T> {
        let scalar = self.scalar(key, node, wanted)?;
        let plain = scalar.style == Style::Plain && scalar.text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let number = if plain { scalar.text.parse::<T>().ok().filter(|number| *number >= least) } else { None };
        if number.is_none() {
            let problem = format!("`{}` is not {wanted}", shown(&scalar.text));
            self.fault(key, node.at, Fault::new(problem, format!("write {wanted}, without quotes")));
        }
        number
    }

    /// Anything that is parsed from text: `wanted` names it, `help` says how it is written.
    pub(crate) fn parsed<T: FromStr>(&mut self, key: &str, node: &Node, wanted: &str, help: &str) -> Option<T> {
        let text = self.text(key, node)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.fault(key, node.at, Fault::new(format!("`{}` is not {wanted}", shown(&text)), help));
        }
        value
    }

    /// One of a closed set of words.
    pub(crate) fn word<T: FromStr<Err = UnknownWord>>(&mut self, key: &str, node: &Node) -> Option<T> {
        let text = self.text(key, node)?;
        match text.parse::<T>() {
            Ok(word) => Some(word),
            Err(unknown) => {
                self.fault(key, node.at, unknown_word(&unknown));
                None
            }
        }
    }

    /// A list; one scalar is a list of one, nothing is an empty list. Items that are wrong are left out after they are noted.
    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        node: &Node,
        item: impl Fn(&mut Self, &str, &Node) -> Option<T>,
    ) -> Vec<T> {
        match &node.content {
            Content::List(items) => items.iter().filter_map(|node| item(self, key, node)).collect(),
            Content::Scalar(_) => item(self, key, node).into_iter().collect(),
            Content::Map(_) => {
                self.fault(
                    key,
                    node.at,
                    Fault::new("takes a list, not a mapping", "write [one, two], or one `- item` a line"),
                );
                Vec::new()
            }
        }
    }

    /// The entries of a mapping whose keys are all known; the unknown ones are mistakes.
    pub(crate) fn entries<'n>(&mut self, key: &str, node: &'n Node, known: &[&str]) -> Vec<&'n Entry> {
        let Content::Map(entries) = &node.content else {
            let help = format!("write {{ {}: … }}", known.join(": …, "));
            self.fault(key, node.at, Fault::new("takes a mapping", help));
            return Vec::new();
        };
        let (right, wrong): (Vec<_>, Vec<_>) = entries.iter().partition(|e| known.contains(&e.key.text.as_str()));
        for entry in wrong {
            let fault = unknown_key(&entry.key.text, known);
            self.fault(key, entry.key.at, fault);
        }
        right.into_iter().filter(|entry| !self.is_left_out(&format!("{key}.{}", entry.key.text), entry)).collect()
    }

    /// Whether an entry has no value; warned about, because a template's empty line is no decision.
    pub(crate) fn is_left_out(&mut self, key: &str, entry: &Entry) -> bool {
        let null = entry.value.is_null();
        // In JSON `null` is how a program leaves something out on purpose.
        if null && self.form == Form::FrontMatter {
            self.warn(
                key,
                entry.key.at,
                Fault::new("has no value and is left out", "give it a value or remove the line"),
            );
        }
        null
    }
}

/// An unknown key, with the one that was probably meant or all there are.
pub(crate) fn unknown_key(got: &str, known: &[&str]) -> Fault {
    let help = match crate::nearest(got, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Fault::new(format!("unknown key `{}`", shown(got)), help)
}

fn unknown_word(unknown: &UnknownWord) -> Fault {
    let all = format!("known: {}", unknown.known.join(", "));
    let help = match crate::nearest(&unknown.got, unknown.known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    };
    Fault::new(format!("unknown {} `{}`", unknown.what, shown(&unknown.got)), help)
}
