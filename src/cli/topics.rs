//! Help topics: what is not about one verb. What is listed in them is generated from the tables that the program runs by.

use fleet_protocol::{
    ExitCode,
    manifest::{FIELDS, Support},
};

use super::command;
use crate::config::{env, keys};

/// A topic of `fleet help`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    write: fn() -> String,
}

impl Topic {
    pub(super) fn text(self) -> String {
        (self.write)()
    }
}

/// What a line of a topic has room for.
const WIDTH: usize = 80;

const ALL: &[Topic] = &[
    Topic { name: "exit-codes", write: exit_codes },
    Topic { name: "environment", write: environment },
    Topic { name: "json", write: || include_str!("topics/json.txt").to_owned() },
    Topic { name: "task-file", write: task_file },
    Topic { name: "cron", write: || include_str!("topics/cron.txt").to_owned() },
];

/// The topic of this name; `env` is short for `environment`.
pub(super) fn find(name: &str) -> Option<Topic> {
    let name = if name == "env" { "environment" } else { name };
    ALL.iter().copied().find(|topic| topic.name == name)
}

pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|topic| topic.name).collect()
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes. Their meaning never changes.\n\n");
    for code in ExitCode::ALL {
        text.push_str(&format!("  {}  {}\n", code.code(), code.meaning()));
    }
    text.push_str("\nOnly 5 and 7 are worth trying again without changing anything.\n");
    text.push_str(
        "`fleet submit --wait` and `fleet run FILE` end with 0 when the job reached\nreview, testing or shipped.\n",
    );
    text
}

fn task_file() -> String {
    let mut text = include_str!("topics/task-file.txt").to_owned();
    text.push_str("\nEvery key that has an effect:\n");
    let mut line = String::new();
    for field in FIELDS.iter().filter(|field| field.support != Support::NotYet) {
        if line.len() + field.key.len() + 2 > WIDTH {
            text.push_str(&format!("{line}\n"));
            line.clear();
        }
        line.push_str(&format!("  {}", field.key));
    }
    text.push_str(&format!("{line}\n"));
    text
}

fn environment() -> String {
    let mut text = String::from(
        "Environment variables. A flag wins over a variable, a variable over the file,\n\
         the file over the default.\n\n\
         Settings (`fleet config show --origin` says which layer won):\n",
    );
    for info in keys::ALL {
        let flag = info.flag.map_or_else(|| format!("--set {}=…", info.name), str::to_owned);
        text.push_str(&pair(info.variable.name, &flag));
        for alias in info.variable.aliases {
            text.push_str(&pair(alias, "the same, by an older name"));
        }
    }
    text.push_str("\nOthers:\n");
    for other in env::OTHERS {
        text.push_str(&pair(other.variable.name, other.flag.unwrap_or(other.doc)));
    }
    text.push_str("\nFlags of verbs (switches take true or false):\n");
    for flag in command::flag_variables() {
        text.push_str(&pair(&flag.variable, &flag.flag));
    }
    text
}

fn pair(variable: &str, meaning: &str) -> String {
    format!("  {variable:<30} {meaning}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_on_task_files_names_every_key_that_has_an_effect() {
        let text = task_file();
        let named = |key: &str| text.split_whitespace().any(|word| word == key);
        for field in FIELDS {
            assert!(named(field.key) || field.support == Support::NotYet, "{}", field.key);
        }
    }

    #[test]
    fn topics_in_prose_fit_a_terminal_of_eighty_columns() {
        for topic in ALL.iter().filter(|topic| topic.name != "environment") {
            let text = topic.text();
            let long = text.lines().find(|line| line.chars().count() > WIDTH);
            assert_eq!(long, None, "{}", topic.name);
        }
    }
}
