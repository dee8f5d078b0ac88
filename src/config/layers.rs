//! One setting through all layers: default, file, environment, flag.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use toml::de::ValueDeserializer;

use super::{
    document::Document,
    env::Environment,
    keys::{Info, Key, Reach},
    mistake::{Mistake, Warning},
    origin::{Origin, Sourced},
    value::{Setting, found},
};

/// Settings given as flags, by the setting's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(BTreeMap<&'static str, (String, String)>);

impl Overrides {
    /// `flag` says how it was given, for origins and messages.
    pub(crate) fn set(&mut self, info: &'static Info, flag: impl Into<String>, value: impl Into<String>) {
        self.0.insert(info.name, (flag.into(), value.into()));
    }
}

/// A setting as `fleet config show` prints it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// `null` when unset; secrets are masked.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// What stands in place of a secret's value.
pub(super) const MASK: &str = "********";

/// Reads settings, and remembers mistakes and what it read.
pub(super) struct Layers<'a> {
    pub(super) document: Option<&'a Document<'a>>,
    pub(super) environment: &'a Environment,
    pub(super) overrides: &'a Overrides,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Warning>,
    pub(super) entries: Vec<Entry>,
}

impl Layers<'_> {
    /// A setting that may be unset.
    pub(super) fn optional<T: Setting>(&mut self, key: &Key<T>) -> Option<Sourced<T>> {
        let info = key.info;
        // All layers are read even when a later one wins: a mistake in the file does not hide behind a flag.
        let default = info.default.map(|text| Sourced {
            value: T::from_text(text).expect("each default is a value of its type"),
            origin: Origin::Default,
        });
        let in_file = self.in_file::<T>(info);
        let in_environment = self.in_environment::<T>(info);
        let in_flag = self.in_flag::<T>(info);
        let value = in_flag.or(in_environment).or(in_file).or(default);
        self.note(info, value.as_ref());
        value
    }

    /// A setting with a default. A mistake gives the default, and the mistake is remembered.
    pub(super) fn required<T: Setting>(&mut self, key: &Key<T>) -> Sourced<T> {
        self.optional(key).expect("a required key has a default")
    }

    fn in_file<T: Setting>(&mut self, info: &Info) -> Option<Sourced<T>> {
        let document = self.document?;
        let value = document.get(info.name)?;
        let origin = document.origin(value.span());
        if matches!(info.reach, Reach::NotInFile | Reach::Secret) {
            let message = format!("`{}` cannot be set in a file", info.name);
            let mistake = Mistake::new(origin, message).help(format!("set {}", info.variable.name));
            self.mistakes.push(if info.reach == Reach::Secret { mistake.hidden() } else { mistake });
            return None;
        }
        match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(value) => Some(Sourced { value, origin }),
            Err(_) => {
                let message = format!("{}: expected {}, found {}", info.name, info.expected, found(value.get_ref()));
                self.mistakes.push(Mistake::new(origin, message));
                None
            }
        }
    }

    fn in_environment<T: Setting>(&mut self, info: &Info) -> Option<Sourced<T>> {
        match self.environment.lookup(&info.variable) {
            Ok(None) => None,
            Ok(Some((name, text))) => self.read(info, text, Origin::Variable(name)),
            Err(error) => {
                self.mistakes.push(Mistake::new(Origin::Default, error.to_string()));
                None
            }
        }
    }

    fn in_flag<T: Setting>(&mut self, info: &Info) -> Option<Sourced<T>> {
        let (flag, text) = self.overrides.0.get(info.name)?;
        self.read(info, text, Origin::Flag(flag.clone()))
    }

    fn read<T: Setting>(&mut self, info: &Info, text: &str, origin: Origin) -> Option<Sourced<T>> {
        if let Some(value) = T::from_text(text) {
            return Some(Sourced { value, origin });
        }
        let message = format!("{}: expected {}, found `{}`", info.name, info.expected, text.escape_debug());
        self.mistakes.push(Mistake::new(origin, message));
        None
    }

    /// Shows a path as it was resolved instead of as it was written.
    pub(super) fn show_path(&mut self, info: &Info, path: &Path) {
        for entry in self.entries.iter_mut().filter(|entry| entry.name == info.name) {
            entry.value = Value::from(path.to_string_lossy());
        }
    }

    fn note<T: Setting>(&mut self, info: &Info, value: Option<&Sourced<T>>) {
        let (shown, origin) = match value {
            None => (Value::Null, Origin::Default),
            Some(value) if info.reach == Reach::Secret => (Value::from(MASK), value.origin.clone()),
            Some(value) => (serde_json::to_value(&value.value).expect("a setting is plain data"), value.origin.clone()),
        };
        self.entries.push(Entry { name: info.name.to_owned(), value: shown, origin });
    }
}
