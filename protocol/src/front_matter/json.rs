//! JSON into the tree and the tree into JSON, and the two spellings of a key.

use serde_json::{Map, Number, Value};

use super::tree::{At, Content, Entry, Key, Node, Scalar, Style};

/// `idempotency-key` from `idempotencyKey`.
pub(crate) fn kebab_case(camel: &str) -> String {
    let mut kebab = String::with_capacity(camel.len() + 2);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

/// `idempotencyKey` from `idempotency-key`.
pub(crate) fn camel_case(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// The entries of an object, keys as they stand, nowhere in a text.
pub(crate) fn entries_from_json(object: &Map<String, Value>) -> Vec<Entry> {
    let entry = |(key, value): (&String, &Value)| Entry {
        key: Key { at: At::default(), text: key.clone() },
        value: node_from_json(value),
    };
    object.iter().map(entry).collect()
}

/// A value nowhere in a text.
pub(crate) fn node_from_json(value: &Value) -> Node {
    let scalar = |text: String, style| Content::Scalar(Scalar { text, style });
    let content = match value {
        Value::Null => scalar(String::new(), Style::Plain),
        Value::Bool(truth) => scalar(truth.to_string(), Style::Plain),
        Value::Number(number) => scalar(number.to_string(), Style::Plain),
        Value::String(text) => scalar(text.clone(), Style::Quoted),
        Value::Array(items) => Content::List(items.iter().map(node_from_json).collect()),
        Value::Object(object) => Content::Map(entries_from_json(object)),
    };
    Node { at: At::default(), content }
}

/// The value that a node means by the core schema of YAML 1.2.
pub(crate) fn to_json(node: &Node) -> Value {
    match &node.content {
        Content::Scalar(scalar) => scalar_to_json(scalar),
        Content::List(items) => Value::Array(items.iter().map(to_json).collect()),
        Content::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.text.clone(), to_json(&entry.value))).collect())
        }
    }
}

fn scalar_to_json(scalar: &Scalar) -> Value {
    if scalar.is_null() {
        return Value::Null;
    }
    if let Some(truth) = scalar.as_bool() {
        return Value::Bool(truth);
    }
    let number = if scalar.style == Style::Plain { number(&scalar.text) } else { None };
    number.map_or_else(|| Value::String(scalar.text.clone()), Value::Number)
}

/// A number as the core schema writes it; none for infinities, which JSON has not.
fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let whole = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
        if let Ok(number) = whole {
            return Some(number);
        }
    }
    let looks_like_a_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if looks_like_a_number { Number::from_f64(text.parse().ok()?) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::front_matter::entries_from_yaml;

    #[test]
    fn keys_have_two_spellings() {
        for (kebab, camel) in [("idempotency-key", "idempotencyKey"), ("verify", "verify"), ("max-turns", "maxTurns")] {
            assert_eq!(camel_case(kebab), camel);
            assert_eq!(kebab_case(camel), kebab);
        }
    }

    #[test]
    fn plain_scalars_mean_what_yaml_1_2_says() {
        for (yaml, meant) in [
            ("yes", json!("yes")),
            ("true", json!(true)),
            ("'true'", json!("true")),
            ("~", json!(null)),
            ("", json!(null)),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("012", json!(12)),
            ("0o14", json!(12)),
            ("0xC", json!(12)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("-1.5e-3", json!(-0.0015)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.2.3", json!("1.2.3")),
            ("12:30", json!("12:30")),
            (".inf", json!(".inf")),
            ("e5", json!("e5")),
            ("-", json!([null])),
            ("0x+C", json!("0x+C")),
            ("{a: [1, b]}", json!({"a": [1, "b"]})),
        ] {
            let text = if yaml == "-" { "k:\n-\n".to_owned() } else { format!("k: {yaml}\n") };
            let (entries, mistakes) = entries_from_yaml(&text, 1);
            assert_eq!(mistakes, [], "{yaml}");
            assert_eq!(to_json(&entries[0].value), meant, "{yaml}");
        }
    }

    #[test]
    fn json_goes_through_the_tree_unchanged() {
        let value = json!({"a": [1, -2, 1.0, 1e300, "1", "true", null, true, {"b": ""}], "c": "~"});
        let Value::Object(object) = &value else { panic!("an object") };
        let node = Node { at: At::default(), content: Content::Map(entries_from_json(object)) };
        assert_eq!(to_json(&node), value);
    }
}
