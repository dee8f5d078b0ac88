//! Chooses the engine of a job.
//!
//! A named engine is that engine or nothing. A class is served by the first preference of that class that is installed,
//! else by its first installed engine. Without either it is the configured default, else the first installed engine that
//! may be chosen unnamed.

use std::path::PathBuf;

use super::{builtin::Catalogue, definition::Definition};

/// What a look for a program found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    Found,
    /// Where it was looked for.
    Missing(Vec<PathBuf>),
}

/// What a job asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) engine: Option<&'a str>,
    pub(crate) class: Option<&'a str>,
    pub(crate) prefers: &'a [String],
    /// Of the configuration.
    pub(crate) default: Option<&'a str>,
}

/// No engine can do it. Names what was asked for, what there is, and where was looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoEngine {
    pub(crate) asked: String,
    /// Asked for, but neither built in nor configured.
    pub(crate) unknown: Vec<String>,
    /// Known but not installed: engine, program, places looked at.
    pub(crate) missing: Vec<(String, String, Vec<PathBuf>)>,
    /// Every engine that there is.
    pub(crate) known: Vec<String>,
}

/// The engine for `wanted`. `probe` looks for a program: a bare name or a path.
pub(crate) fn resolve<'c>(
    catalogue: &'c Catalogue,
    wanted: Wanted<'_>,
    probe: &dyn Fn(&str) -> Probe,
) -> Result<&'c Definition, NoEngine> {
    let (asked, names) = candidates(catalogue, wanted);
    let mut refusal = NoEngine {
        asked,
        unknown: Vec::new(),
        missing: Vec::new(),
        known: catalogue.iter().map(|definition| definition.name.clone()).collect(),
    };
    for name in names {
        let Some(definition) = catalogue.get(name) else {
            refusal.unknown.push(name.to_owned());
            continue;
        };
        // This very program is always there.
        let found = if definition.program() == "{fleet}" { Probe::Found } else { probe(definition.program()) };
        match found {
            Probe::Found => return Ok(definition),
            Probe::Missing(places) => {
                refusal.missing.push((name.to_owned(), definition.program().to_owned(), places));
            }
        }
    }
    Err(refusal)
}

/// What was asked for, in words, and the names to try in order.
fn candidates<'a>(catalogue: &'a Catalogue, wanted: Wanted<'a>) -> (String, Vec<&'a str>) {
    if let Some(name) = wanted.engine {
        return (format!("engine `{name}`"), vec![name]);
    }
    let of_class = |definition: &&Definition| wanted.class.is_none_or(|class| definition.class == class);
    let preferred = wanted.prefers.iter().map(String::as_str);
    let preferred = preferred.filter(|name| catalogue.get(name).as_ref().is_none_or(of_class));
    let unnamed = catalogue.iter().filter(|definition| !definition.only_by_name).filter(of_class);
    let unnamed = unnamed.map(|definition| definition.name.as_str());
    let (asked, mut names): (String, Vec<&str>) = match (wanted.class, wanted.default) {
        (Some(class), _) => (format!("an engine of class `{class}`"), preferred.chain(unnamed).collect()),
        (None, Some(default)) if wanted.prefers.is_empty() => {
            (format!("the default engine `{default}`"), vec![default])
        }
        (None, Some(default)) => (format!("a preferred engine, or `{default}`"), preferred.chain([default]).collect()),
        (None, None) => ("any engine".to_owned(), preferred.chain(unnamed).collect()),
    };
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    (asked, names)
}

impl std::error::Error for NoEngine {}

impl std::fmt::Display for NoEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not available", self.asked)?;
        for name in &self.unknown {
            write!(f, "; `{name}` is not configured")?;
        }
        for (name, program, places) in &self.missing {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            let looked = if places.is_empty() { String::new() } else { format!(" (looked at {})", places.join(", ")) };
            write!(f, "; `{name}`: no program `{program}`{looked}")?;
        }
        write!(f, "; fleet knows {}", self.known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::builtin();
        for (name, class) in [("alpha", "agentic-coder"), ("beta", "agentic-coder"), ("gamma", "chat-coder")] {
            let keys = toml::from_str(&format!("command = ['{name}-bin']\nclass = '{class}'")).expect("a table");
            catalogue.lay(name, keys);
        }
        catalogue
    }

    fn chosen(wanted: Wanted<'_>, installed: &[&str]) -> Result<String, NoEngine> {
        let probe = |program: &str| match installed.contains(&program) {
            true => Probe::Found,
            false => Probe::Missing(vec![PathBuf::from("/usr/bin").join(program)]),
        };
        resolve(&catalogue(), wanted, &probe).map(|definition| definition.name.clone())
    }

    #[test]
    fn an_explicit_engine_beats_the_class() {
        let wanted = Wanted { engine: Some("alpha"), class: Some("chat-coder"), ..Wanted::default() };
        assert_eq!(chosen(wanted, &["alpha-bin", "gamma-bin"]), Ok("alpha".to_owned()));
        assert!(chosen(wanted, &["gamma-bin"]).is_err(), "and nothing stands in for it");
    }

    #[test]
    fn the_second_preference_is_used_when_only_it_is_installed() {
        let prefers = ["alpha".to_owned(), "beta".to_owned()];
        let wanted = Wanted { class: Some("agentic-coder"), prefers: &prefers, ..Wanted::default() };
        assert_eq!(chosen(wanted, &["beta-bin", "gamma-bin"]), Ok("beta".to_owned()));
        assert_eq!(chosen(wanted, &["claude"]), Ok("claude".to_owned()), "a preference is no demand");
    }

    #[test]
    fn a_preference_outside_the_class_is_not_used() {
        let prefers = ["gamma".to_owned()];
        let wanted = Wanted { class: Some("agentic-coder"), prefers: &prefers, ..Wanted::default() };
        assert!(chosen(wanted, &["gamma-bin"]).is_err());
    }

    #[test]
    fn without_a_wish_the_default_or_the_first_installed_is_used() {
        assert_eq!(chosen(Wanted::default(), &["codex", "alpha-bin"]), Ok("codex".to_owned()));
        let wanted = Wanted { default: Some("scripted"), ..Wanted::default() };
        assert_eq!(chosen(wanted, &["codex"]), Ok("scripted".to_owned()));
        let wanted = Wanted { default: Some("claude"), ..Wanted::default() };
        assert!(chosen(wanted, &["codex"]).is_err(), "a default that was set is meant");
    }

    #[test]
    fn the_scripted_engine_is_never_stumbled_into() {
        assert!(chosen(Wanted::default(), &[]).is_err());
    }

    #[test]
    fn the_refusal_names_programs_places_and_engines() {
        let prefers = ["delta".to_owned(), "alpha".to_owned()];
        let refusal = chosen(Wanted { class: Some("chat-coder"), prefers: &prefers, ..Wanted::default() }, &[]);
        let text = refusal.expect_err("nothing is installed").to_string();
        for part in [
            "class `chat-coder`",
            "`delta` is not configured",
            "`gamma`: no program `gamma-bin`",
            "/usr/bin/gamma-bin",
            "claude, codex",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
