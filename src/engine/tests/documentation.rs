//! `docs/engines.md` says what is so.

use super::*;

const PAGE: &str = include_str!("../../../docs/engines.md");

#[test]
fn the_example_configuration_is_one() {
    let example = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    #[derive(serde::Deserialize)]
    struct File {
        engines: BTreeMap<String, DefinitionPatch>,
    }
    let mut catalogue = Catalogue::builtin();
    for (name, keys) in toml::from_str::<File>(example).expect("it parses").engines {
        assert_eq!(keys.unknown_keys().collect::<Vec<_>>(), [""; 0], "{name}");
        catalogue.lay(&name, keys);
        assert_eq!(catalogue.get(&name).expect("laid").validate(), [], "{name}");
    }
}

#[test]
fn every_engine_is_described() {
    for definition in Catalogue::builtin().iter() {
        assert!(PAGE.contains(&format!("| `{}` |", definition.name)), "{}", definition.name);
    }
}

#[test]
fn every_trap_names_its_tests() {
    let source = include_str!("traps.rs");
    let tests = source.split("\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
    for test in tests.filter(|name| name.starts_with("trap_")) {
        assert!(PAGE.contains(&format!("`{test}`")), "{test} is not in the list");
    }
    for named in PAGE.split('`').filter(|name| name.starts_with("trap_")) {
        assert!(source.contains(&format!("fn {named}()")), "{named} is no test");
    }
}
