//! What can be wrong with a definition, before any job runs into it.

use super::{
    definition::{Definition, PromptMode},
    template,
};

/// A mistake in one key of an engine's definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("engine `{engine}`, key `{key}`: {problem}")]
pub(crate) struct Mistake {
    pub(crate) engine: String,
    pub(crate) key: &'static str,
    pub(crate) problem: String,
}

impl Definition {
    /// Every mistake; an empty list is a usable engine (whether its program is installed is another question).
    pub(crate) fn validate(&self) -> Vec<Mistake> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        if self.program().is_empty() {
            found.push(("command", "names no program".to_owned()));
        }
        self.check_placeholders(&mut found);
        if self.prompt == PromptMode::File && !self.command.iter().any(|e| template::mentions(e, "prompt-file")) {
            found.push(("prompt", "is `file`, but the command has no {prompt-file}".to_owned()));
        }
        self.check_names(&mut found);
        if self.gateway.is_some() && self.gateway_env.is_none() && self.gateway_args.is_empty() {
            found.push(("gateway", "has neither `gateway-env` nor `gateway-args` to be passed by".to_owned()));
        }
        for (key, places) in [("folders", &self.folders), ("files", &self.files)] {
            for place in places.iter().filter(|place| !place.starts_with(['/', '$']) && !place.starts_with("~/")) {
                found.push((key, format!("`{place}` does not begin with `/`, `~/` or `$VARIABLE`")));
            }
        }
        if self.class.trim().is_empty() {
            found.push(("class", "is empty".to_owned()));
        }
        found.into_iter().map(|(key, problem)| Mistake { engine: self.name.clone(), key, problem }).collect()
    }

    fn check_placeholders(&self, found: &mut Vec<(&'static str, String)>) {
        // Beside each template: the placeholder without which it would have no effect.
        let templates = [
            ("command", &self.command, None),
            ("resume-command", &self.resume_command, Some("session")),
            ("model", &self.model, Some("model")),
            ("max-turns", &self.max_turns, Some("max-turns")),
            ("max-usd", &self.max_usd, Some("max-usd")),
            ("session", &self.session, Some("session")),
            ("resume", &self.resume, Some("session")),
            ("approve", &self.approve, None),
            ("careful", &self.careful, None),
            ("careful-confined", &self.careful_confined, None),
            ("gateway-args", &self.gateway_args, Some("gateway")),
        ];
        for (key, template, needed) in templates {
            for stranger in template.iter().flat_map(|element| template::strangers(element)) {
                let known = template::PLACEHOLDERS.join("}, {");
                found.push((key, format!("{{{stranger}}} is no placeholder; there are {{{known}}}, {{options}}")));
            }
            if let Some(needed) = needed
                && !template.is_empty()
                && !template.iter().any(|element| template::mentions(element, needed))
            {
                found.push((key, format!("does not use {{{needed}}}")));
            }
        }
    }

    fn check_names(&self, found: &mut Vec<(&'static str, String)>) {
        let exact = |name: &&String| !is_variable(name);
        for name in self.env.iter().filter(|name| !is_variable(name.strip_suffix('*').unwrap_or(name))) {
            found.push(("env", format!("`{name}` is no variable's name")));
        }
        for name in self.env.iter().filter(|name| self.nested.contains(name)) {
            found.push(("env", format!("`{name}` would make the engine believe that it runs inside another session")));
        }
        let others = [
            ("set", self.set.keys().collect::<Vec<_>>()),
            ("approve-as-root", self.approve_as_root.keys().collect()),
            ("gateway-env", self.gateway_env.iter().collect()),
            ("credentials", self.credentials.env.iter().collect()),
        ];
        for (key, names) in others {
            found.extend(names.into_iter().filter(exact).map(|name| (key, format!("`{name}` is no variable's name"))));
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Catalogue, DefinitionPatch};

    fn mistakes(text: &str) -> Vec<String> {
        let mut definition = Definition::named("x");
        toml::from_str::<DefinitionPatch>(text).expect("a table").apply(&mut definition);
        definition.validate().into_iter().map(|mistake| mistake.to_string()).collect()
    }

    #[test]
    fn every_built_in_engine_is_sound() {
        for definition in Catalogue::builtin().iter() {
            assert_eq!(definition.validate(), [], "{}", definition.name);
        }
    }

    #[test]
    fn each_mistake_names_engine_and_key() {
        for (text, expected) in [
            ("", "engine `x`, key `command`: names no program"),
            ("command = ['a', '{modle}']", "engine `x`, key `command`: {modle} is no placeholder"),
            ("command = ['a']\nprompt = 'file'", "engine `x`, key `prompt`: is `file`, but"),
            ("command = ['a']\nresume = ['--go-on']", "engine `x`, key `resume`: does not use {session}"),
            ("command = ['a']\nenv = ['A-B']", "engine `x`, key `env`: `A-B` is no variable's name"),
            ("command = ['a']\nenv = ['IN']\nnested = ['IN']", "engine `x`, key `env`: `IN` would make"),
            ("command = ['a']\ngateway = 'http://m'", "engine `x`, key `gateway`: has neither"),
            ("command = ['a']\nfolders = ['.a']", "engine `x`, key `folders`: `.a` does not begin with"),
            ("command = ['a']\nset = { '1' = '' }", "engine `x`, key `set`: `1` is no variable's name"),
        ] {
            let found = mistakes(text);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
        }
        assert_eq!(mistakes("command = ['a', '{\"b\":1}']\nenv = ['AWS_*']"), [""; 0]);
    }
}
