//! From the tree to a manifest. One place for task files and JSON, so both keep to the same rules.

use super::{
    fields::FIELDS,
    model::{Manifest, Priority},
    read_policy::{self as policy, span},
    rules,
};
use crate::{
    front_matter::{At, Content, Entry, Fault, Form, Key, Node, Reader, camel_case, kebab_case, shown, to_json},
    secret,
};

/// Reads every entry. What is wrong is noted in the reader; the manifest is of use only if nothing is.
pub(super) fn read(reader: &mut Reader, entries: &[Entry]) -> Manifest {
    let mut manifest = Manifest::default();
    for entry in entries {
        let Some(key) = known_key(reader.form(), &entry.key.text) else {
            keep_unknown(reader, entry, &mut manifest);
            continue;
        };
        if !reader.is_left_out(key, entry) {
            read_field(reader, key, &entry.value, &mut manifest);
        }
    }
    refuse_both(reader, entries, "cwd", "repo");
    refuse_secrets(reader, entries);
    manifest
}

/// The task file's spelling of a key, if it is one.
fn known_key(form: Form, text: &str) -> Option<&'static str> {
    let kebab = match form {
        Form::FrontMatter => text.to_owned(),
        // `idempotency-key` is not how JSON spells it.
        Form::Json => Some(kebab_case(text)).filter(|kebab| camel_case(kebab) == text)?,
    };
    FIELDS.iter().map(|field| field.key).find(|key| *key == kebab)
}

fn keep_unknown(reader: &mut Reader, entry: &Entry, manifest: &mut Manifest) {
    let Key { at, text } = &entry.key;
    let near = crate::nearest(&kebab_case(text), FIELDS.iter().map(|field| field.key));
    let help = match near {
        Some(near) => format!("did you mean `{}`?", reader.label(near)),
        None => "`fleet help task-file` lists the keys that mean something".to_owned(),
    };
    reader.warn_unknown(*at, text, help);
    manifest.extra.insert(text.clone(), to_json(&entry.value));
}

fn read_field(reader: &mut Reader, key: &str, node: &Node, m: &mut Manifest) {
    match key {
        "title" => m.title = reader.checked(key, node, rules::line),
        "engine" => m.engine = reader.checked(key, node, rules::name),
        "engine-class" => m.engine_class = policy::engine_class(reader, key, node),
        "prefers-engine" => m.prefers_engine = list(reader, key, node, rules::name),
        "model" => m.model = reader.checked(key, node, rules::word),
        "max-turns" => m.max_turns = reader.number(key, node, 1, "a whole number above 0"),
        "profile" => m.profile = reader.checked(key, node, rules::name),
        "yolo" => m.yolo = reader.flag(key, node),
        "cwd" => m.cwd = reader.checked(key, node, rules::line),
        "repo" => m.repo = reader.checked(key, node, rules::repository),
        "base" => m.base = reader.checked(key, node, rules::branch),
        "project" => m.project = reader.checked(key, node, rules::name),
        "priority" => priority(reader, key, node, m),
        "capabilities" => m.capabilities = policy::capabilities(reader, key, node),
        "prefers" => m.prefers = list(reader, key, node, rules::word),
        "tags" => m.tags = list(reader, key, node, rules::word),
        "lock" => m.lock = reader.checked(key, node, rules::line),
        "hold" => m.hold = reader.flag(key, node),
        "idempotency-key" => m.idempotency_key = reader.checked(key, node, rules::word),
        "deps" => m.deps = list(reader, key, node, rules::word),
        "deps-mode" => m.deps_mode = reader.word(key, node),
        "kind" => m.kind = reader.word(key, node),
        "parent-id" => m.parent_id = reader.checked(key, node, rules::word),
        "acceptance" => m.acceptance = list(reader, key, node, rules::prose),
        "target-files" => m.target_files = list(reader, key, node, rules::workspace_path),
        "test-commands" => m.test_commands = list(reader, key, node, rules::command),
        "verify" => m.verify = policy::command(reader, key, node),
        "timeout" => m.timeout = span(reader, key, node),
        "budget" => m.budget = policy::budget(reader, key, node),
        "retry" => m.retry = policy::retry(reader, key, node),
        "review-policy" => m.review_policy = policy::review_policy(reader, key, node),
        "allowed-scope" => m.allowed_scope = policy::scope(reader, key, node),
        "commits" => m.commits = policy::commits(reader, key, node),
        "artifacts" => m.artifacts = policy::globs(reader, key, node),
        "secrets" => m.secrets = secrets(reader, key, node),
        "runtime" => m.runtime = reader.word(key, node),
        "limits" => m.limits = policy::limits(reader, key, node),
        "trust" => m.trust = reader.word(key, node),
        "schedule" => schedule(reader, key, node, m),
        "tracker-item" => m.tracker_item = reader.checked(key, node, rules::line),
        _ => unreachable!("every key of FIELDS is read; a test gives each one"),
    }
}

fn list(reader: &mut Reader, key: &str, node: &Node, rule: fn(&str) -> Result<(), Fault>) -> Vec<String> {
    reader.list(key, node, |reader, key, item| reader.checked(key, item, rule))
}

fn priority(reader: &mut Reader, key: &str, node: &Node, m: &mut Manifest) {
    let number = match &node.content {
        Content::Scalar(scalar) => scalar.text.parse::<u8>().ok().filter(|_| scalar.text.len() == 1),
        Content::List(_) | Content::Map(_) => None,
    };
    match number.and_then(Priority::from_number) {
        Some(priority) => (m.priority, m.priority_number) = (Some(priority), number),
        None if number.is_some() => {
            let help = "write critical, high, medium or low, or a number from 1 (most urgent) to 5";
            reader.fault(key, node.at, Fault::new("there is no such priority", help));
        }
        None => m.priority = reader.word(key, node),
    }
}

/// Names only: a mapping would hold values, and values do not belong here.
pub(crate) fn secrets(reader: &mut Reader, key: &str, node: &Node) -> Vec<String> {
    if let Content::Map(_) = node.content {
        reader.fault(key, node.at, Fault::new("takes names of secrets, never values", rules::SECRETS_HELP));
        return Vec::new();
    }
    list(reader, key, node, rules::secret_name)
}

/// Kept as written; only the part that every schedule has is looked at.
fn schedule(reader: &mut Reader, key: &str, node: &Node, m: &mut Manifest) {
    const HELP: &str = "write five fields, for example \"0 9 * * 1-5\", or { cron: …, timezone: … }";
    let cron = match &node.content {
        Content::Map(entries) => entries.iter().find(|entry| entry.key.text == "cron").map(|entry| &entry.value),
        Content::Scalar(_) | Content::List(_) => Some(node),
    };
    let Some(cron) = cron else {
        reader.fault(key, node.at, Fault::new("has no `cron`", HELP));
        return;
    };
    let Some(text) = reader.text(key, cron) else { return };
    if text.split_whitespace().count() != 5 {
        reader.fault(key, cron.at, Fault::new(format!("`{}` is not a cron expression", shown(&text)), HELP));
    }
    m.schedule = Some(to_json(node));
}

/// Two keys that say different things about the same.
pub(crate) fn refuse_both(reader: &mut Reader, entries: &[Entry], one: &str, other: &str) {
    let mut given =
        entries.iter().filter(|entry| [one, other].contains(&entry.key.text.as_str()) && !entry.value.is_null());
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let problem = match first.key.at.line {
            0 => format!("cannot be given together with `{}`", reader.label(&first.key.text)),
            line => format!("cannot be given together with `{}` (line {line})", reader.label(&first.key.text)),
        };
        reader.fault(&second.key.text, second.key.at, Fault::new(problem, "keep one of them"));
    }
}

/// Refuses values that look like credentials. Whatever else is wrong with one is forgotten: it would repeat the value.
pub(crate) fn refuse_secrets(reader: &mut Reader, entries: &[Entry]) {
    let mut faults: Vec<(String, At, Fault)> = Vec::new();
    for entry in entries {
        entry.value.each_scalar(&mut |at, scalar| {
            if let Some(found) = secret::find(&scalar.text) {
                let fault = Fault::new(format!("holds what looks like {}", found.shape), rules::SECRETS_HELP);
                faults.push((entry.key.text.clone(), at, fault));
            }
        });
    }
    if !faults.is_empty() {
        reader.replace(faults);
    }
}
