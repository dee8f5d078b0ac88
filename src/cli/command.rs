//! The parser: clap's derived command, given its help layout, its examples and a variable for every flag.
//!
//! Flags that are settings are layered by `config`. Every other flag has the variable `FLEET_VERB_FLAG` (`FLEET_FLAG` for
//! global ones); its value stands in for the flag's default, so that a flag on the command line wins and never conflicts.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};
use fleet_protocol::Action;

use super::{
    act,
    args::{Cli, GROUPS},
    topics,
};
use crate::config::{Environment, keys};

/// Examples stand before the options: they are what one looks for.
const VERB_TEMPLATE: &str = "{about}{after-help}\n\n{usage-heading} {usage}\n\n{all-args}";
const HEADING: anstyle::Style = anstyle::Style::new().bold().underline();
const LITERAL: anstyle::Style = anstyle::Style::new().bold();

/// A flag that is no setting, and its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlagVariable {
    pub(super) variable: String,
    /// As one types it: `submit --wait`.
    pub(super) flag: String,
    pub(super) doc: String,
}

/// A variable of a switch that is neither on nor off.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable}: expected true or false, found `{value}`")]
pub(super) struct NotASwitch {
    pub(super) variable: String,
    pub(super) value: String,
}

/// Why there is nothing to do: help was asked for, or the arguments are wrong.
#[derive(Debug)]
pub(super) enum Unparsed {
    Clap(Box<clap::Error>),
    Switch(NotASwitch),
}

/// Whether nothing but the version is asked for: answered before every verb is described.
pub(super) fn asks_for_version(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, only] if only == "--version" || only == "-V")
}

/// What `--version` prints.
pub(super) const fn version() -> &'static str {
    concat!("fleet ", env!("CARGO_PKG_VERSION"), "\n")
}

/// Reads the arguments; variables of flags count as if the flags were given.
pub(super) fn parse(arguments: Vec<OsString>, environment: &Environment) -> Result<Cli, Unparsed> {
    // How help is laid out matters only to those who are shown it, and takes longer than all the rest.
    match parse_with(Cli::command(), &arguments, environment) {
        Err(Unparsed::Clap(_)) => parse_with(layout(), &arguments, environment),
        parsed => parsed,
    }
}

fn parse_with(command: Command, arguments: &[OsString], environment: &Environment) -> Result<Cli, Unparsed> {
    let mut visit = Apply { environment, wrong: None };
    let command =
        if environment.names_flags() { walk(command, &[], &mut |path, arg| visit.apply(path, arg)) } else { command };
    if let Some(wrong) = visit.wrong {
        return Err(Unparsed::Switch(wrong));
    }
    let clap = |error| Unparsed::Clap(Box::new(error));
    let mut matches = command.try_get_matches_from(arguments).map_err(clap)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(clap)
}

/// The command as help, manual and completions show it: no variable counts.
pub(super) fn layout() -> Command {
    let command = Cli::command().mut_subcommands(lay_out_verb);
    let overview = overview(&command);
    command.help_template(overview)
}

/// Every flag that is no setting, with its variable, in the order of the help.
pub(super) fn flag_variables() -> Vec<FlagVariable> {
    let mut found = Vec::new();
    walk(layout(), &[], &mut |path, arg| {
        if let Some(variable) = variable_of(path, &arg) {
            let verb: String = path.iter().map(|word| format!("{word} ")).collect();
            let flag = format!("{verb}--{}", arg.get_long().unwrap_or_default());
            let doc = arg.get_help().map(ToString::to_string).unwrap_or_default();
            found.push(FlagVariable { variable, flag, doc });
        }
        arg
    });
    found
}

fn lay_out_verb(verb: Command) -> Command {
    let verb = match verb.get_name().parse::<Action>() {
        // `recover` is an act in the history, and a verb with arguments of its own.
        Ok(action) if verb.get_after_help().is_none() => verb.after_help(act::examples(action)),
        _ => verb,
    };
    if verb.has_subcommands() { verb } else { verb.help_template(VERB_TEMPLATE) }
}

fn overview(command: &Command) -> String {
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, verbs) in GROUPS {
        text.push_str(&format!("\n{HEADING}{title}:{HEADING:#}\n"));
        for name in *verbs {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            text.push_str(&format!("  {LITERAL}{name:<16}{LITERAL:#} {}\n", about.unwrap_or_default()));
        }
    }
    text.push_str(&format!("\n{HEADING}Topics{HEADING:#} (`fleet help TOPIC`): {}\n", topics::names().join(", ")));
    text.push_str("\n{options}");
    text
}

/// Visits every argument of every verb, with the names of the verbs that lead to it.
fn walk(command: Command, path: &[String], visit: &mut dyn FnMut(&[String], Arg) -> Arg) -> Command {
    let command = command.mut_args(|arg| visit(path, arg));
    command.mut_subcommands(|verb| {
        let inner: Vec<String> = path.iter().cloned().chain([verb.get_name().to_owned()]).collect();
        walk(verb, &inner, visit)
    })
}

/// The variable of a flag; none for positional arguments, for settings, and for what chooses the settings.
fn variable_of(path: &[String], arg: &Arg) -> Option<String> {
    const NO_VARIABLE: &[&str] = &["config", "set", "verbose", "test-mode", "help", "version"];
    let long = arg.get_long()?;
    let is_setting = keys::ALL.iter().any(|info| info.flag.and_then(|flag| flag.strip_prefix("--")) == Some(long));
    if is_setting || NO_VARIABLE.contains(&long) {
        return None;
    }
    let words: Vec<&str> = std::iter::once("fleet").chain(path.iter().map(String::as_str)).chain([long]).collect();
    Some(words.join("_").replace('-', "_").to_ascii_uppercase())
}

struct Apply<'e> {
    environment: &'e Environment,
    wrong: Option<NotASwitch>,
}

impl Apply<'_> {
    fn apply(&mut self, path: &[String], arg: Arg) -> Arg {
        let Some(variable) = variable_of(path, &arg) else { return arg };
        let Some(value) = self.environment.get(&variable) else { return arg };
        if !matches!(arg.get_action(), ArgAction::SetTrue) {
            return arg.default_value(value.to_owned()).hide_default_value(true);
        }
        match keys::switch(value) {
            Some(on) => arg.default_value(if on { "true" } else { "false" }),
            None => {
                self.wrong.get_or_insert(NotASwitch { variable, value: value.to_owned() });
                arg
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str], environment: Environment) -> Cli {
        let arguments = std::iter::once("fleet").chain(arguments.iter().copied()).map(OsString::from).collect();
        match parse(arguments, &environment) {
            Ok(cli) => cli,
            Err(Unparsed::Clap(error)) => panic!("{error}"),
            Err(Unparsed::Switch(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn the_version_is_told_as_the_parser_would_tell_it() {
        assert_eq!(version(), layout().render_version());
        let asked = |arguments: &[&str]| asks_for_version(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(asked(&["fleet", "--version"]) && asked(&["fleet", "-V"]));
        assert!(!asked(&["fleet"]) && !asked(&["fleet", "profile", "--version"]) && !asked(&["fleet", "submit", "-V"]));
    }

    #[test]
    fn the_command_is_consistent() {
        layout().debug_assert();
    }

    #[test]
    fn each_verb_stands_in_exactly_one_group_of_the_overview() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        grouped.sort_unstable();
        let command = layout();
        let mut verbs: Vec<&str> =
            command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name).collect();
        verbs.sort_unstable();
        assert_eq!(grouped, verbs);
    }

    #[test]
    fn each_verb_says_what_it_does_and_shows_an_example() {
        let command = layout();
        for verb in command.get_subcommands() {
            let name = verb.get_name();
            assert!(verb.get_about().is_some(), "{name} has no line about it");
            let leaves: Vec<&Command> =
                if verb.has_subcommands() { verb.get_subcommands().collect() } else { vec![verb] };
            for leaf in leaves {
                let examples = leaf.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(examples.contains("Examples:\n  fleet "), "{name} {} has no examples", leaf.get_name());
            }
        }
    }

    /// The arguments of each `fleet` command in an example; what a comment or the shell adds is left out.
    fn commands_of(examples: &str) -> Vec<Vec<String>> {
        let lines = examples.lines().filter_map(|line| line.strip_prefix("  "));
        let commands = lines.flat_map(|line| {
            let line = line.split("  ").next().unwrap_or_default().replace("$(date +%F)", "2026-11-20");
            let line = line.split([';', '|', '>']).next().unwrap_or_default();
            line.split("&&")
                .filter_map(|command| command.trim().strip_prefix("fleet "))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        let words = |command: String| {
            let mut quoted = false;
            let split = command.split(|letter: char| {
                quoted ^= letter == '"';
                letter == ' ' && !quoted
            });
            split.filter(|word| !word.is_empty()).map(|word| word.replace('"', "")).collect()
        };
        commands.map(words).collect()
    }

    #[test]
    fn every_example_in_a_help_text_is_understood() {
        let command = layout();
        let mut seen = 0;
        for verb in command.get_subcommands() {
            for leaf in std::iter::once(verb).chain(verb.get_subcommands()) {
                for words in commands_of(&leaf.get_after_help().map(ToString::to_string).unwrap_or_default()) {
                    let line = std::iter::once("fleet".to_owned()).chain(words);
                    if let Err(error) = layout().try_get_matches_from(line) {
                        panic!("an example of {} is not understood: {error}", leaf.get_name());
                    }
                    seen += 1;
                }
            }
        }
        assert!(seen > 40, "{seen} examples");
    }

    #[test]
    fn a_variable_stands_in_for_its_flag_and_the_flag_wins() {
        let environment = || Environment::from([("FLEET_JSON", "1"), ("FLEET_JOBS_TAG", "backend")]);
        let cli = parsed(&["jobs"], environment());
        assert!(cli.global.json);
        let tag = |cli: Cli| match cli.verb {
            super::super::args::Verb::Jobs(args) => args.tag,
            _ => None,
        };
        assert_eq!(tag(cli).as_deref(), Some("backend"));
        assert_eq!(tag(parsed(&["jobs", "--tag", "ui"], environment())).as_deref(), Some("ui"));
        assert!(!parsed(&["jobs"], Environment::from([("FLEET_JSON", "0")])).global.json);
    }

    #[test]
    fn each_flag_that_is_no_setting_is_set_by_its_variable() {
        for FlagVariable { variable, flag, .. } in flag_variables() {
            let mut seen = false;
            let environment = Environment::from([(variable.as_str(), "1")]);
            let mut visit = Apply { environment: &environment, wrong: None };
            walk(layout(), &[], &mut |path, arg| {
                let arg = visit.apply(path, arg);
                seen |= variable_of(path, &arg).as_deref() == Some(variable.as_str())
                    && arg.get_default_values().first().is_some_and(|value| value == "1" || value == "true");
                arg
            });
            assert!(seen, "{flag}");
        }
    }

    #[test]
    fn a_switch_s_variable_that_is_neither_on_nor_off_is_named() {
        let environment = Environment::from([("FLEET_JSON", "perhaps")]);
        let Err(Unparsed::Switch(error)) = parse(vec!["fleet".into(), "jobs".into()], &environment) else {
            panic!("`perhaps` was taken")
        };
        assert_eq!(error.to_string(), "FLEET_JSON: expected true or false, found `perhaps`");
    }

    #[test]
    fn no_two_flags_and_settings_share_a_variable() {
        let mut names: Vec<String> = flag_variables().into_iter().map(|flag| flag.variable).collect();
        names.extend(keys::ALL.iter().map(|info| info.variable.name.to_owned()));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn global_flags_work_before_and_after_the_verb() {
        assert!(parsed(&["--json", "status"], Environment::default()).global.json);
        assert!(parsed(&["status", "--json"], Environment::default()).global.json);
    }
}
