//! Fields of the API as people write them in files: their names, and their values on one line.

use serde_json::Value;

/// `idempotencyKey` → `idempotency-key`.
pub(super) fn name(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
}

/// Text as it is, anything else as JSON.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_task_file() {
        assert_eq!(name("idempotencyKey"), "idempotency-key");
        assert_eq!(name("repo"), "repo");
    }
}
