//! A task written as JSON, as the task file that says the same.
//!
//! The keys are those of a task file in camel case, with `body` for its text. What older tools call otherwise is
//! understood: `name`, `description`, `dependencies`, `retryPolicy`. Unknown keys (`type`, `payload`, …) are kept as extra.

use fleet_protocol::{
    ExitCode,
    manifest::{from_json, render},
};
use serde_json::Value;

use super::{
    error::CliError,
    task::{Task, Written},
};

/// Other names of keys.
const ALIASES: [(&str, &str); 4] =
    [("name", "title"), ("description", "body"), ("dependencies", "deps"), ("retryPolicy", "retry")];

/// A task from a file that ends in `.json`, as one from a file that ends in `.md`; any other as it is.
pub(super) fn understood(task: Task) -> Result<Task, CliError> {
    let Some(stem) = task.file.as_deref().and_then(|name| name.strip_suffix(".json")) else { return Ok(task) };
    let file = format!("{stem}.md");
    let text = task_file(&task.shown, &file, &task.text)?;
    Ok(Task { text, file: Some(file), shown: task.shown, written: Written::Otherwise })
}

fn task_file(shown: &str, name: &str, text: &str) -> Result<String, CliError> {
    let wrong = |message: String| CliError::new(ExitCode::Usage, "invalid_request", message);
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| wrong(format!("{shown} is not JSON: {error}")))?;
    if let Some(object) = value.as_object_mut() {
        for (alias, key) in ALIASES {
            let Some(given) = object.remove(alias) else { continue };
            if object.contains_key(key) {
                return Err(wrong(format!("{shown}: `{alias}` and `{key}` are two names of one thing; give one")));
            }
            object.insert(key.to_owned(), given);
        }
    }
    let task = from_json(&value, name).map_err(|mistakes| {
        wrong(format!("{shown}: {mistakes}"))
            .help("the keys are those of a task file, in camel case: `fleet help task-file`")
    })?;
    Ok(render(&task.manifest, &task.body))
}
