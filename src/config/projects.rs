//! `[projects.NAME]`: repositories by name, with what their jobs get that say nothing themselves.
//!
//! What a value must look like is the protocol's business: the same as in a task file. Here each mistake gets its place,
//! and a path its root. Whether the repository is there is looked at when a job names the project.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use fleet_protocol::{
    Project,
    manifest::anchored,
    project::{KEYS, Misread},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{
    document::Document,
    layers::{Entry, Layers},
    mistake::Mistake,
};

const SECTION: &str = "projects";

/// Reads every project of the file, in the order of their names; `path` is the file's.
pub(super) fn read(layers: &mut Layers<'_>, path: &Path) -> Vec<Project> {
    let Some(document) = layers.document else { return Vec::new() };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut projects = Vec::new();
    for (name, value) in document.table(SECTION).into_iter().flatten() {
        let Reading { found, mistakes, warnings } = one(document, name.get_ref(), name.span(), value.get_ref());
        layers.mistakes.extend(mistakes);
        layers.warnings.extend(warnings);
        let Some((mut project, entries)) = found else { continue };
        layers.entries.extend(entries);
        project.repo = rooted(&project.repo, folder);
        let repo = format!("{SECTION}.{}.repo", project.name);
        for entry in layers.entries.iter_mut().filter(|entry| entry.name == repo) {
            entry.value = Value::from(project.repo.as_str());
        }
        projects.push(project);
    }
    projects.sort_by(|one, other| one.name.cmp(&other.name));
    projects
}

/// What one table came to.
#[derive(Default)]
struct Reading {
    found: Option<(Project, Vec<Entry>)>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

fn one(document: &Document<'_>, name: &str, span: Range<usize>, value: &DeValue<'_>) -> Reading {
    let mut reading = Reading::default();
    let full = format!("{SECTION}.{name}");
    let header = document.origin(span);
    let (DeValue::Table(keys), Some(table)) = (value, plain(value)) else {
        let message = format!("{full}: expected a table, found {}", super::value::found(value));
        reading.mistakes.push(Mistake::new(header, message).help(format!("write [{full}]")));
        return reading;
    };
    for key in keys.keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref())) {
        let warning = Mistake::new(document.origin(key.span()), format!("unknown key `{full}.{}`", key.get_ref()));
        reading.warnings.push(match fleet_protocol::nearest(key.get_ref(), KEYS) {
            Some(near) => warning.help(format!("did you mean `{near}`?")),
            None => warning.help(format!("a project has {}", KEYS.join(", "))),
        });
    }
    match Project::read(name, &table) {
        Ok(project) => {
            let known = table.into_iter().filter(|(key, _)| KEYS.contains(&key.as_str()));
            let entry = |(key, value): (String, Value)| {
                let at = span_of(keys, &key).map_or_else(|| header.clone(), |span| document.origin(span));
                Entry { name: format!("{full}.{key}"), value, origin: at }
            };
            reading.found = Some((project, known.map(entry).collect()));
        }
        Err(wrong) => {
            reading.mistakes.extend(wrong.into_iter().map(|Misread { key, mistake }| {
                let at = key.and_then(|key| span_of(keys, &key)).map(|span| document.origin(span));
                let placed = Mistake::new(at.unwrap_or_else(|| header.clone()), format!("{full}: {}", mistake.message));
                let placed = if mistake.may_stand_on_a_secret() { placed.hidden() } else { placed };
                match mistake.help {
                    Some(help) => placed.help(help),
                    None => placed,
                }
            }));
        }
    }
    reading
}

/// The table as plain data.
fn plain(value: &DeValue<'_>) -> Option<Map<String, Value>> {
    let table = toml::Table::deserialize(ValueDeserializer::from(toml::Spanned::new(0..0, value.clone()))).ok()?;
    match serde_json::to_value(table) {
        Ok(Value::Object(table)) => Some(table),
        _ => None,
    }
}

fn span_of(keys: &DeTable<'_>, name: &str) -> Option<Range<usize>> {
    keys.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value.span())
}

/// A relative path from the folder of the file, without what leads nowhere (`./`); an address as it is.
fn rooted(repo: &str, folder: &Path) -> String {
    let anchored = anchored(repo, &folder.to_string_lossy());
    if anchored == repo {
        anchored
    } else {
        Path::new(&anchored).components().collect::<PathBuf>().to_string_lossy().into_owned()
    }
}
