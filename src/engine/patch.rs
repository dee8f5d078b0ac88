//! `[engines.NAME]` of the configuration: the keys that someone wrote, to be laid over a definition.
//!
//! A key replaces what was there; only the tables `set` and `approve-as-root` are merged name by name. Keys that mean
//! nothing are kept apart for the report, never dropped in silence.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::definition::{Credentials, Definition, Output, PromptMode};

/// The keys present in one table. All optional.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct DefinitionPatch {
    pub(crate) command: Option<Vec<String>>,
    pub(crate) resume_command: Option<Vec<String>>,
    pub(crate) prompt: Option<PromptMode>,
    pub(crate) output: Option<Output>,
    pub(crate) class: Option<String>,
    pub(crate) model: Option<Vec<String>>,
    pub(crate) max_turns: Option<Vec<String>>,
    pub(crate) max_usd: Option<Vec<String>>,
    pub(crate) session: Option<Vec<String>>,
    pub(crate) resume: Option<Vec<String>>,
    pub(crate) approve: Option<Vec<String>>,
    pub(crate) approve_as_root: BTreeMap<String, String>,
    pub(crate) careful: Option<Vec<String>>,
    pub(crate) careful_confined: Option<Vec<String>>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) set: BTreeMap<String, String>,
    pub(crate) version: Option<Vec<String>>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) folders: Option<Vec<String>>,
    pub(crate) files: Option<Vec<String>>,
    pub(crate) gateway: Option<String>,
    pub(crate) gateway_env: Option<String>,
    pub(crate) gateway_args: Option<Vec<String>>,
    pub(crate) nested: Option<Vec<String>>,
    pub(crate) only_by_name: Option<bool>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

impl DefinitionPatch {
    /// Keys of the table that no engine has.
    pub(crate) fn unknown_keys(&self) -> impl Iterator<Item = &str> {
        self.unknown.keys().map(String::as_str)
    }

    /// Makes a relative program (one with a `/` in it) absolute: it is meant relative to the file that names it.
    pub(crate) fn anchor(&mut self, folder: &Path) {
        for command in [&mut self.command, &mut self.resume_command].into_iter().flatten() {
            if let Some(program) = command.first_mut()
                && program.contains('/')
                && !program.starts_with('/')
                && let Some(joined) = folder.join(program.strip_prefix("./").unwrap_or(program)).to_str()
            {
                *program = joined.to_owned();
            }
        }
    }

    /// Lays the keys over `definition`.
    pub(crate) fn apply(self, definition: &mut Definition) {
        put(&mut definition.command, self.command);
        put(&mut definition.resume_command, self.resume_command);
        put(&mut definition.prompt, self.prompt);
        put(&mut definition.output, self.output);
        put(&mut definition.class, self.class);
        put(&mut definition.model, self.model);
        put(&mut definition.max_turns, self.max_turns);
        put(&mut definition.max_usd, self.max_usd);
        put(&mut definition.session, self.session);
        put(&mut definition.resume, self.resume);
        put(&mut definition.approve, self.approve);
        definition.approve_as_root.extend(self.approve_as_root);
        put(&mut definition.careful, self.careful);
        put(&mut definition.careful_confined, self.careful_confined);
        put(&mut definition.env, self.env);
        definition.set.extend(self.set);
        put(&mut definition.version, self.version);
        put(&mut definition.credentials, self.credentials);
        put(&mut definition.folders, self.folders);
        put(&mut definition.files, self.files);
        definition.gateway = self.gateway.or(definition.gateway.take());
        definition.gateway_env = self.gateway_env.or(definition.gateway_env.take());
        put(&mut definition.gateway_args, self.gateway_args);
        put(&mut definition.nested, self.nested);
        put(&mut definition.only_by_name, self.only_by_name);
    }
}

fn put<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(text: &str) -> DefinitionPatch {
        toml::from_str(text).expect("a table")
    }

    #[test]
    fn a_key_changes_just_itself() {
        let mut definition = Definition::named("x");
        patch("command = ['x', 'run']\nclass = 'chat-coder'\nset = { A = '1', B = '2' }").apply(&mut definition);
        let before = definition.clone();
        patch("approve = ['--yes']\nset = { B = '3' }").apply(&mut definition);

        assert_eq!(definition.approve, ["--yes"]);
        assert_eq!(
            definition.set,
            BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "3".to_owned())])
        );
        assert_eq!((&definition.command, &definition.class), (&before.command, &before.class));
    }

    #[test]
    fn unknown_keys_are_reported_not_dropped() {
        let patch = patch("comand = ['x']\nprompt = 'file'\nlater = { a = 1 }");
        assert_eq!(patch.unknown_keys().collect::<Vec<_>>(), ["comand", "later"]);
        assert_eq!(patch.prompt, Some(PromptMode::File));
    }

    #[test]
    fn words_outside_their_set_are_refused() {
        for text in ["prompt = 'clipboard'", "output = 'xml'", "command = 'one string'", "credentials = { envs = [] }"]
        {
            assert!(toml::from_str::<DefinitionPatch>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_relative_program_is_relative_to_the_configuration() {
        for (written, anchored) in
            [("./agent.sh", "/etc/fleet/agent.sh"), ("bin/a", "/etc/fleet/bin/a"), ("agent", "agent"), ("/a", "/a")]
        {
            let mut patch = DefinitionPatch { command: Some(vec![written.to_owned()]), ..Default::default() };
            patch.anchor(Path::new("/etc/fleet"));
            assert_eq!(patch.command, Some(vec![anchored.to_owned()]));
        }
    }
}
