//! What is looked at on this machine before a task is queued: the repository that it is to work on, and the programs that
//! it is to be worked on and proven with.

use std::{collections::BTreeMap, path::Path};

use fleet_protocol::{
    ExitCode, Manifest,
    api::SubmitPreview,
    manifest::{self, CommandLine},
};

use super::{
    fault::Fault,
    worker::{engines, environment},
};
use crate::{
    config::Config,
    engine::{Catalogue, NoEngine, Probe, Wanted, resolve},
    worker::probe,
    workspace::Source,
};

/// Refuses what nothing can be built on, and warns about programs that are not here, a sentence each.
///
/// A missing program is no refusal: the runner may have another `PATH`, and the agent may write the check first.
pub(crate) fn check_submission(config: &Config, preview: &SubmitPreview) -> Result<Vec<String>, Fault> {
    let manifest = &preview.manifest;
    let site = manifest::site(manifest, preview.repo.as_deref()).unwrap_or_default();
    let source = Source::open(&site, manifest.base.as_deref())?;
    let environment = environment();
    let engine = missing_engine(config, manifest, &environment)?;
    Ok(engine.into_iter().chain(missing_check(manifest, &source, &environment)?).collect())
}

/// That no engine here can do the job, with what was looked for.
fn missing_engine(
    config: &Config,
    manifest: &Manifest,
    environment: &BTreeMap<String, String>,
) -> Result<Option<String>, Fault> {
    let wanted = Wanted {
        engine: manifest.engine.as_deref(),
        class: manifest.engine_class.as_deref(),
        prefers: &manifest.prefers_engine,
        default: config.defaults.engine.as_deref(),
    };
    let catalogue = engines(config)?;
    let found = resolve(&catalogue, wanted, &|program| probe(program, environment));
    Ok(found.err().map(|missing| format!("{}; as it is, the job would end with `no_engine`", told(&missing))))
}

/// One engine with every place looked at; of several only which, for the places are the same for each.
fn told(missing: &NoEngine) -> String {
    if missing.missing.len() <= 1 {
        return missing.to_string();
    }
    let names: Vec<String> = missing.missing.iter().map(|(name, ..)| format!("`{name}`")).collect();
    format!("{}: none of {} is installed here", missing.asked, names.join(", "))
}

/// That the program which proves the work is neither on the `PATH` nor in the repository.
fn missing_check(
    manifest: &Manifest,
    source: &Source,
    environment: &BTreeMap<String, String>,
) -> Result<Option<String>, Fault> {
    let Some(program) = manifest.verify.as_ref().and_then(program) else { return Ok(None) };
    let is_here = if program.contains('/') && !program.starts_with('/') {
        source.holds(Path::new(program))?
    } else {
        probe(program, environment) == Probe::Found
    };
    let place = match (is_here, program.contains('/')) {
        (true, _) => return Ok(None),
        (false, true) if program.starts_with('/') => "is no program here".to_owned(),
        (false, true) => format!("is not in the repository, as `{}` has it", source.base),
        (false, false) => "is neither a program on the PATH nor a path in the repository".to_owned(),
    };
    Ok(Some(format!("verify starts `{program}`, which {place}; unless the agent makes it, `verify_failed` follows")))
}

/// The program that a command starts first, where that can be told without being a shell.
fn program(command: &CommandLine) -> Option<&str> {
    let line = match command {
        CommandLine::Argv(argv) => return argv.first().map(String::as_str),
        CommandLine::Line(line) => line,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    let is_assignment = |word: &&str| {
        word.split_once('=').is_some_and(|(name, value)| name.chars().all(plain) && value.chars().all(plain))
    };
    let word = line.split_whitespace().find(|word| !is_assignment(word))?;
    let word = word.split([';', '&', '|']).next().unwrap_or(word);
    let is_program = !word.is_empty() && word.chars().all(plain) && !SHELL_WORDS.contains(&word);
    is_program.then_some(word)
}

/// Words that a shell understands itself.
const SHELL_WORDS: [&str; 38] = [
    ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "else", "eval", "exec", "exit",
    "export", "false", "fg", "for", "if", "local", "printf", "pwd", "read", "readonly", "return", "set", "shift",
    "test", "then", "time", "times", "trap", "true", "type", "ulimit", "umask", "until", "while",
];

/// The refusal of an engine's name; `place` says where it stands.
pub(super) fn unknown_engine(place: &str, name: &str, known: &Catalogue) -> Fault {
    let names: Vec<&str> = known.iter().map(|engine| engine.name.as_str()).collect();
    let help =
        format!("fleet knows {}; any other program is a few lines of [engines.{name}] in fleet.toml", names.join(", "));
    Fault::new(ExitCode::Usage, format!("{place}unknown engine `{name}`"), Some(&help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_command_is_told_only_where_it_is_certain() {
        for (line, expected) in [
            ("cargo test --workspace", Some("cargo")),
            ("./check.sh", Some("./check.sh")),
            ("CI=true RUST_LOG=info  make check", Some("make")),
            ("make;true", Some("make")),
            ("npm test && npm run lint", Some("npm")),
            ("true", None),
            ("test -f done.txt", None),
            ("[ -f done.txt ]", None),
            ("cd api && make", None),
            ("! grep -r TODO", None),
            ("(make)", None),
            ("$CHECK now", None),
            ("\"my check\"", None),
            ("A=\"b c\" make", None),
            ("if make; then true; fi", None),
            (" ", None),
        ] {
            assert_eq!(program(&CommandLine::Line(line.to_owned())), expected, "{line}");
        }
        assert_eq!(program(&CommandLine::Argv(vec!["if".to_owned()])), Some("if"), "no shell reads a list");
    }

    #[test]
    fn one_missing_engine_is_told_with_its_places_and_several_without() {
        let one = |name: &str| (name.to_owned(), name.to_owned(), vec![Path::new("/bin").join(name)]);
        let missing = |missing| NoEngine {
            asked: "any engine".to_owned(),
            unknown: Vec::new(),
            missing,
            known: vec!["a".to_owned(), "b".to_owned()],
        };
        assert!(told(&missing(vec![one("a")])).contains("looked at /bin/a"), "{}", told(&missing(vec![one("a")])));
        let several = told(&missing(vec![one("a"), one("b")]));
        assert_eq!(several, "any engine: none of `a`, `b` is installed here");
    }
}
