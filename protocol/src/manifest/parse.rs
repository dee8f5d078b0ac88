//! The ways in: a task file, JSON, and a manifest that is already one. All three keep to the rules of `read`.

use serde_json::{Map, Value};

use super::{
    model::{Manifest, Priority},
    read,
    reading::{Places, Reading, TaskFile},
    title,
};
use crate::front_matter::{
    At, Fault, Form, Mistake, Mistakes, Reader, Warning, entries_from_json, entries_from_yaml, split,
};

/// Reads a task file. `name` is the file's name, used for the title when nothing else gives one.
pub fn parse(text: &str, name: &str) -> Result<TaskFile, Mistakes> {
    examine(text, name).finish()
}

/// Reads a task file as far as it can be read, for whoever knows of more that may be wrong with it.
pub fn examine(text: &str, name: &str) -> Reading {
    let parts = match split(text) {
        Ok(parts) => parts,
        Err(mistake) => {
            let reader = Reader::new(Form::FrontMatter, vec![mistake]);
            return task((Manifest::default(), text.to_owned()), name, Places::default(), reader);
        }
    };
    let (entries, mistakes) =
        parts.front.map(|front| entries_from_yaml(front.yaml, front.first_line)).unwrap_or_default();
    let mut reader = Reader::new(Form::FrontMatter, mistakes);
    let manifest = read::read(&mut reader, &entries);
    task((manifest, parts.body.to_owned()), name, Places::of(&entries), reader)
}

/// What is odd in a task file, however many mistakes it has besides.
pub fn warnings(text: &str) -> Vec<Warning> {
    examine(text, "").task.warnings
}

/// Reads the JSON form: an object of the manifest's keys in camelCase, and `body`. The same short forms and the same rules
/// hold as in a task file; unknown keys are kept in `extra`. Mistakes have no position.
pub fn from_json(value: &Value, name: &str) -> Result<TaskFile, Mistakes> {
    examine_json(value, name).finish()
}

/// Reads the JSON form as far as it can be read.
pub fn examine_json(value: &Value, name: &str) -> Reading {
    let mut reader = Reader::new(Form::Json, Vec::new());
    let Value::Object(object) = value else {
        reader.fault("manifest", At::default(), Fault::new("is not an object", "send { \"title\": …, \"body\": … }"));
        return task((Manifest::default(), String::new()), name, Places::default(), reader);
    };
    let mut object = object.clone();
    let body = body(&mut reader, object.remove("body"));
    let manifest = read_object(&mut reader, object);
    task((manifest, body), name, Places::default(), reader)
}

/// Every mistake of a manifest that was not read by `parse` or `from_json`; none when it is right.
pub fn validate(manifest: &Manifest) -> Vec<Mistake> {
    let mut reader = Reader::new(Form::Json, Vec::new());
    if let Ok(Value::Object(object)) = serde_json::to_value(manifest) {
        read_object(&mut reader, object);
    }
    reader.finish().err().unwrap_or_default().0
}

fn task((manifest, body): (Manifest, String), name: &str, places: Places, reader: Reader) -> Reading {
    let form = reader.form();
    let (mistakes, warnings) = reader.into_parts();
    let given = manifest.title.as_ref().map(|title| title.trim().to_owned());
    let title = given.or_else(|| title::first_heading(&body)).unwrap_or_else(|| title::from_file_name(name));
    Reading::new(TaskFile { manifest, title, body, warnings }, form, places, mistakes)
}

fn body(reader: &mut Reader, body: Option<Value>) -> String {
    match body {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(body)) => body,
        Some(_) => {
            reader.fault("body", At::default(), Fault::new("is not text", "send the task as one string"));
            String::new()
        }
    }
}

/// Reads the keys of a manifest's JSON, those included that a task file does not have.
fn read_object(reader: &mut Reader, mut object: Map<String, Value>) -> Manifest {
    let number = object.remove("priorityNumber").filter(|number| !number.is_null());
    let extra = object.remove("extra");
    if object.values().any(|value| is_deep(value, MAX_DEPTH))
        || extra.as_ref().is_some_and(|extra| is_deep(extra, MAX_DEPTH))
    {
        let fault = Fault::new("is nested too deeply", format!("stay within {MAX_DEPTH} levels"));
        reader.fault("manifest", At::default(), fault);
        return Manifest::default();
    }
    let mut manifest = read::read(reader, &entries_from_json(&object));
    match extra {
        None | Some(Value::Null) => {}
        Some(Value::Object(extra)) => keep_extra(reader, extra, &mut manifest),
        Some(_) => reader.fault("extra", At::default(), Fault::new("is not an object", "send { \"key\": value }")),
    }
    if let Some(number) = number {
        let number = number.as_u64().and_then(|number| u8::try_from(number).ok());
        let word = number.and_then(Priority::from_number);
        if word.is_none() || word != manifest.priority {
            let fault = Fault::new("does not belong to `priority`", "send the number, 1 to 5, as `priority` alone");
            reader.fault("priority-number", At::default(), fault);
        }
        manifest.priority_number = number;
    }
    manifest
}

fn keep_extra(reader: &mut Reader, extra: Map<String, Value>, manifest: &mut Manifest) {
    read::refuse_secrets(reader, &entries_from_json(&extra));
    for (key, value) in extra {
        if super::Field::named(&key).is_some() {
            let fault = Fault::new("is a key of its own", "send it beside `extra`, not in it");
            reader.fault(&key, At::default(), fault);
        }
        manifest.extra.insert(key, value);
    }
}

/// As deep as an unknown key's value may be; a task file allows a little more.
const MAX_DEPTH: usize = 24;

fn is_deep(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| is_deep(item, left - 1)),
        Value::Object(object) => left == 0 || object.values().any(|item| is_deep(item, left - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
