//! The generated parts of `docs/`: they are what the tables and the parser say, or a test fails. With `FLEET_BLESS=1` the
//! tests write them.

use std::path::PathBuf;

use fleet_protocol::ExitCode;

use super::{args::GROUPS, command};
use crate::config::{Environment, env, keys, keys::Reach};

/// Compares the part of `docs/FILE` between the markers of `section` with `expected`, or writes it.
fn check(file: &str, section: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let text = std::fs::read_to_string(&path).expect("the document");
    let begin = format!("<!-- generated: {section} -->\n");
    let end = format!("<!-- end: {section} -->");
    let start = text.find(&begin).expect("the section begins") + begin.len();
    let stop = start + text[start..].find(&end).expect("the section ends");
    if text[start..stop] == *expected {
        return;
    }
    let environment = Environment::capture().expect("a plain environment");
    assert!(environment.get("FLEET_BLESS").is_some(), "docs/{file} is behind; run the tests with FLEET_BLESS=1");
    std::fs::write(&path, format!("{}{expected}{}", &text[..start], &text[stop..])).expect("a written document");
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
}

#[test]
fn the_reference_of_verbs_is_what_the_parser_takes() {
    let layout = command::layout();
    let mut text = String::new();
    for (title, verbs) in GROUPS {
        text.push_str(&format!("\n## {title}\n"));
        for name in *verbs {
            let verb = layout.find_subcommand(name).expect("each grouped verb is a verb").clone();
            let leaves: Vec<clap::Command> = match verb.has_subcommands() {
                true => verb.get_subcommands().cloned().collect(),
                false => vec![verb],
            };
            for leaf in leaves {
                let full = if leaf.get_name() == *name {
                    format!("fleet {name}")
                } else {
                    format!("fleet {name} {}", leaf.get_name())
                };
                let help = leaf.bin_name(full.clone()).term_width(100).render_long_help().to_string();
                let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
                text.push_str(&format!("\n### `{full}`\n\n```text\n{}\n```\n", help.trim()));
            }
        }
    }
    check("cli.md", "verbs", &format!("{text}\n"));
}

#[test]
fn the_global_options_are_those_of_the_parser() {
    let layout = command::layout();
    let mut text = String::from("\n| option | meaning |\n| --- | --- |\n");
    for arg in layout.get_arguments().filter(|arg| arg.is_global_set() && !arg.is_hide_set()) {
        let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
        let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
        let value = value.and_then(|names| names.first()).map(|name| format!(" {name}")).unwrap_or_default();
        let long = arg.get_long().unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        text.push_str(&row(&[&format!("{short}`--{long}{value}`"), &help]));
    }
    check("cli.md", "global options", &format!("{text}\n"));
}

#[test]
fn the_reference_of_settings_is_the_table_of_keys() {
    let mut text = String::from(
        "\n| key | expects | default | variable | flag | meaning |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for info in keys::ALL {
        let key = match info.reach {
            Reach::Everywhere | Reach::Later => format!("`{}`", info.name),
            Reach::NotInFile | Reach::Secret => format!("`{}` (not in the file)", info.name),
        };
        let default =
            info.default.filter(|default| !default.is_empty()).map_or("–".to_owned(), |it| format!("`{it}`"));
        let aliases: String = info.variable.aliases.iter().map(|alias| format!(", `{alias}`")).collect();
        let variable = format!("`{}`{aliases}", info.variable.name);
        let flag = info.flag.map_or_else(|| "`--set`".to_owned(), |flag| format!("`{flag}`"));
        text.push_str(&row(&[&key, info.expected, &default, &variable, &flag, info.doc]));
    }
    check("configuration.md", "settings", &format!("{text}\n"));
}

#[test]
fn the_reference_of_variables_is_complete() {
    let mut text = String::from("\n| variable | flag | meaning |\n| --- | --- | --- |\n");
    for other in env::OTHERS {
        let flag = other.flag.map_or_else(|| "–".to_owned(), |flag| format!("`{flag}`"));
        text.push_str(&row(&[&format!("`{}`", other.variable.name), &flag, other.doc]));
    }
    for flag in command::flag_variables() {
        text.push_str(&row(&[&format!("`{}`", flag.variable), &format!("`{}`", flag.flag), &flag.doc]));
    }
    check("configuration.md", "variables", &format!("{text}\n"));
}

#[test]
fn the_reference_of_exit_codes_is_their_table() {
    let mut text = String::from("\n| code | meaning |\n| --- | --- |\n");
    for code in ExitCode::ALL {
        text.push_str(&row(&[&code.code().to_string(), code.meaning()]));
    }
    check("exit-codes.md", "codes", &format!("{text}\n"));
}
