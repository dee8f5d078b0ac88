//! A profile: a persona with defaults, one markdown file each.
//!
//! The front matter gives the defaults, the body is the persona. Unlike in a task file an unknown key is a mistake:
//! nothing keeps it. A profile cannot hold a secret, since it is stored with every job that uses it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    front_matter::{At, Entry, Fault, Form, Mistakes, Reader, entries_from_yaml, split, unknown_key},
    manifest::{self, Budget, CommandLine, Retry, ReviewPolicy, Scope, rules},
    secret,
    words::words,
};

words! {
    /// What an engine can do.
    EngineClass, "engine class" {
        /// Works in a checkout by itself: reads, edits, runs commands.
        AgenticCoder = "agentic-coder",
        /// Answers with text.
        ChatCoder = "chat-coder",
    }
}

/// A profile as written. What it leaves out stays open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    pub name: String,
    /// One line for lists.
    pub description: Option<String>,
    /// The body of the file: put before the task's body when an engine is started.
    pub persona: String,
    pub capabilities: Vec<String>,
    pub verify: Option<CommandLine>,
    pub engine_class: Option<String>,
    pub prefers_engine: Vec<String>,
    pub allowed_scope: Option<Scope>,
    pub review_policy: Option<ReviewPolicy>,
    pub retry: Option<Retry>,
    pub budget: Option<Budget>,
    /// Hash of the whole file; names this version of it.
    pub version: String,
}

/// Every key of a profile's front matter.
pub const KEYS: [&str; 11] = [
    "name",
    "description",
    "persona",
    "capabilities",
    "default-verify",
    "engine-class",
    "prefers-engine",
    "allowed-scope",
    "review-policy",
    "retry",
    "budget",
];

/// Reads a profile file. `name` is the file's stem; a `name:` in the file beats it.
///
/// The persona is the body, or `persona:` when there is no body.
pub fn parse(text: &str, name: &str) -> Result<Profile, Mistakes> {
    let parts = split(text).map_err(|mistake| Mistakes(vec![mistake]))?;
    let (entries, mistakes) =
        parts.front.map(|front| entries_from_yaml(front.yaml, front.first_line)).unwrap_or_default();
    let mut reader = Reader::new(Form::FrontMatter, mistakes);
    let mut profile = Profile { name: name.to_owned(), version: version(text), ..Profile::default() };
    for entry in &entries {
        if !KEYS.contains(&entry.key.text.as_str()) {
            reader.fault("front matter", entry.key.at, unknown_key(&entry.key.text, &KEYS));
        } else if !reader.is_left_out(&entry.key.text, entry) {
            read_field(&mut reader, entry, &mut profile);
        }
    }
    if !entries.iter().any(|entry| entry.key.text == "name") && rules::name(name).is_err() {
        let help = "give it a `name:`, or name the file in letters, digits, `-`, `_` and `.`";
        reader.fault("name", START, Fault::new("the file's name is not a name for a profile", help));
    }
    take_persona(&mut reader, parts.body, &entries, &mut profile);
    refuse_secrets(&mut reader, text);
    reader.finish().map(|_| profile)
}

/// Names a profile's text: the first twelve hex digits of its SHA-256.
pub fn version(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

const START: At = At { line: 1, column: 1 };

fn read_field(reader: &mut Reader, entry: &Entry, profile: &mut Profile) {
    let (key, node) = (entry.key.text.as_str(), &entry.value);
    match key {
        "name" => profile.name = reader.checked(key, node, rules::name).unwrap_or_default(),
        "description" => profile.description = reader.checked(key, node, rules::line),
        "persona" => profile.persona = reader.checked(key, node, rules::prose).unwrap_or_default(),
        "capabilities" => profile.capabilities = manifest::capabilities(reader, key, node),
        "default-verify" => profile.verify = manifest::command(reader, key, node),
        "engine-class" => profile.engine_class = manifest::engine_class(reader, key, node),
        "prefers-engine" => {
            profile.prefers_engine = reader.list(key, node, |reader, key, item| reader.checked(key, item, rules::name));
        }
        "allowed-scope" => profile.allowed_scope = manifest::scope(reader, key, node),
        "review-policy" => profile.review_policy = manifest::review_policy(reader, key, node),
        "retry" => profile.retry = manifest::retry(reader, key, node),
        "budget" => profile.budget = manifest::budget(reader, key, node),
        _ => unreachable!("only the keys of KEYS are read; a test gives each one"),
    }
}

fn take_persona(reader: &mut Reader, body: &str, entries: &[Entry], profile: &mut Profile) {
    let key = entries.iter().find(|entry| entry.key.text == "persona");
    match (key, body.trim().is_empty()) {
        (None, false) => profile.persona = body.to_owned(),
        (Some(_), true) => {}
        (Some(entry), false) => {
            let fault = Fault::new("is given twice, here and as the text below", "keep the text and remove the key");
            reader.fault("persona", entry.key.at, fault);
        }
        (None, true) => {
            reader.fault("persona", START, Fault::new("is missing", "write it below the front matter"));
        }
    }
}

/// Whatever else is wrong is not said then: it might repeat the secret.
fn refuse_secrets(reader: &mut Reader, text: &str) {
    let Some(found) = secret::find(text) else { return };
    let before = &text[..found.offset];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let at = At { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 };
    let help = "remove it; a profile is stored with every job that uses it. A task names the secrets it needs: `secrets: [NAME]`";
    *reader = Reader::new(reader.form(), Vec::new());
    reader.fault("persona", at, Fault::new(format!("holds what looks like {}", found.shape), help));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{manifest::ScopeMode, span::Span};

    const FULL: &str = "---
name: careful
description: Does it well
capabilities: [git, \"node>=20\"]
default-verify: npm test
engine-class: agentic-coder
prefers-engine: claude
allowed-scope: { paths: [src/**], mode: enforce }
review-policy: manual
retry: 2
budget: { wall: 30m }
---
You work with care.
";

    fn mistakes(text: &str) -> Vec<String> {
        parse(text, "x").expect_err(text).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_key_is_read() {
        let profile = parse(FULL, "file").expect("a profile");
        assert_eq!(profile.name, "careful");
        assert_eq!(profile.description.as_deref(), Some("Does it well"));
        assert_eq!(profile.persona, "You work with care.\n");
        assert_eq!(profile.capabilities, ["git", "node>=20"]);
        assert_eq!(profile.verify, Some(CommandLine::Line("npm test".into())));
        assert_eq!(profile.engine_class.as_deref(), Some("agentic-coder"));
        assert_eq!(profile.prefers_engine, ["claude"]);
        assert_eq!(profile.allowed_scope, Some(Scope { paths: vec!["src/**".into()], mode: ScopeMode::Enforce }));
        assert_eq!(profile.review_policy, Some(ReviewPolicy::Manual));
        assert_eq!(profile.retry, Some(Retry { max: Some(2), ..Retry::default() }));
        assert_eq!(profile.budget, Some(Budget { wall: Some(Span::from_secs(1800)), ..Budget::default() }));
    }

    #[test]
    fn the_version_is_the_hash_of_the_whole_text() {
        let profile = parse("You.\n", "x").expect("a profile");
        assert_eq!(profile.version, "d7963e5ac419");
        assert_eq!(profile.version, version("You.\n"));
        assert_ne!(profile.version, version("You. \n"));
    }

    #[test]
    fn a_bare_text_is_a_persona_named_by_its_file() {
        let profile = parse("You work with care.", "careful").expect("a profile");
        assert_eq!((profile.name.as_str(), profile.persona.as_str()), ("careful", "You work with care."));
    }

    #[test]
    fn the_persona_may_stand_in_the_front_matter_instead() {
        let profile = parse("---\npersona: You.\n---\n\n", "x").expect("a profile");
        assert_eq!(profile.persona, "You.");
        assert!(mistakes("---\npersona: You.\n---\nMe.\n")[0].starts_with("2:1: `persona`: is given twice"));
        assert!(mistakes("---\nname: a\n---\n")[0].contains("`persona`: is missing"));
    }

    #[test]
    fn an_unknown_class_key_or_name_is_refused_at_its_place() {
        let found = mistakes("---\nengine-class: agentic-codr\nverify: x\nname: ../x\n---\nYou.\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("2:15: ") && found[0].contains("did you mean `agentic-coder`?"), "{}", found[0]);
        assert!(found[1].starts_with("3:1: ") && found[1].contains("unknown key `verify`"), "{}", found[1]);
        assert!(found[2].starts_with("4:7: "), "{}", found[2]);
        assert!(parse("You.\n", "../x").is_err());
    }

    #[test]
    fn a_persona_with_a_secret_is_refused_and_the_secret_is_not_repeated() {
        let token = format!("gh{}", "p_0123456789abcdefghij");
        for text in [format!("Yoü use\n é {token}\n"), format!("---\nname: {token}\n---\nYou.\n")] {
            let found = mistakes(&text);
            assert_eq!(found.len(), 1);
            assert!(found[0].contains("looks like a GitHub token") && !found[0].contains("0123"), "{found:?}");
        }
        assert!(mistakes(&format!("Yoü use\n é {token}\n"))[0].starts_with("2:4: "));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "(---\n)?(\\PC|[-:#\\[\\]{}\"'\n ]|name|persona){0,60}(\n---\n)?\\PC{0,20}") {
            let _ = parse(&text, "x");
        }
    }
}
