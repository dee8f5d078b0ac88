//! All engines there are: the built-in ones, and those of the configuration over or after them.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{definition::Definition, patch::DefinitionPatch};

const BUILTIN: &str = include_str!("builtin.toml");

/// The engines by name, in the order in which they are considered.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    definitions: Vec<Definition>,
}

#[derive(Deserialize)]
struct Shipped {
    engine: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    keys: DefinitionPatch,
}

impl Catalogue {
    /// The engines that are known without configuration.
    pub(crate) fn builtin() -> Self {
        static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
            let shipped: Shipped = toml::from_str(BUILTIN).expect("the embedded definitions parse: a test reads them");
            let mut catalogue = Catalogue { definitions: Vec::new() };
            for Named { name, keys } in shipped.engine {
                catalogue.lay(&name, keys);
            }
            catalogue
        });
        SHIPPED.clone()
    }

    /// Lays the keys of `[engines.NAME]` over the engine of that name, or adds it after all others.
    pub(crate) fn lay(&mut self, name: &str, keys: DefinitionPatch) {
        let known = self.definitions.iter().position(|definition| definition.name == name);
        let position = known.unwrap_or_else(|| {
            self.definitions.push(Definition::named(name));
            self.definitions.len() - 1
        });
        keys.apply(&mut self.definitions[position]);
    }

    /// The engine of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Definition> {
        self.iter().find(|definition| definition.name == name)
    }

    /// Every engine, in the order of consideration.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_engines_parse_without_unknown_keys() {
        let shipped: Shipped = toml::from_str(BUILTIN).expect("parses");
        for Named { name, keys } in &shipped.engine {
            assert_eq!(keys.unknown_keys().collect::<Vec<_>>(), [""; 0], "{name}");
        }
        let names: Vec<_> = Catalogue::builtin().iter().map(|definition| definition.name.clone()).collect();
        assert_eq!(names, ["claude", "codex", "devin", "copilot", "gemini", "opencode", "aider", "scripted"]);
    }

    #[test]
    fn configuration_changes_a_built_in_engine_or_adds_one() {
        let mut catalogue = Catalogue::builtin();
        let before = catalogue.get("claude").expect("built in").clone();
        catalogue.lay("claude", toml::from_str("class = 'house'").expect("a table"));
        catalogue.lay("mine", toml::from_str("command = ['./mine']").expect("a table"));

        let claude = catalogue.get("claude").expect("still there");
        assert_eq!((claude.class.as_str(), &claude.command), ("house", &before.command));
        assert_eq!(catalogue.iter().last().map(|definition| definition.name.as_str()), Some("mine"));
    }
}
