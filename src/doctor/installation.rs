//! The program itself, what it was told, and who keeps its state.

use super::{
    check::Check,
    program::{is_executable, several},
    subject::Subject,
};

pub(super) fn program(subject: &Subject) -> Check {
    const NAME: &str = "program";
    let again = "install fleet again, and start it by its path";
    match &subject.program {
        Ok(path) if is_executable(path) => Check::ok(NAME, format!("fleet {} at {}", subject.version, path.display())),
        // Every run starts from this file, also when the running program itself is long in memory.
        Ok(path) => Check::fail(NAME, format!("{} is not there any more, or not executable", path.display()), again),
        Err(why) => Check::fail(NAME, format!("this program's own file cannot be found: {why}"), again),
    }
}

pub(super) fn configuration(subject: &Subject) -> Check {
    const NAME: &str = "configuration";
    let configuration = &subject.configuration;
    if let Some(mistakes) = &configuration.mistakes {
        let found = mistakes.replace('\n', "; ");
        return Check::fail(NAME, found, "correct it; docs/engines.md lists the keys of an engine");
    }
    let from = match &configuration.file {
        Some(file) => file.display().to_string(),
        None => "no file: every setting has its default".to_owned(),
    };
    match configuration.unknown.as_slice() {
        [] => Check::ok(NAME, from),
        unknown => Check::warn(
            NAME,
            several(unknown, "; "),
            "correct or remove what has no effect; `fleet config show` lists the keys there are",
        ),
    }
}

pub(super) fn profiles(subject: &Subject) -> Check {
    const NAME: &str = "profiles";
    match &subject.profiles {
        Ok(count) => Check::ok(NAME, format!("all {count} can be read")),
        Err(why) => Check::fail(NAME, why.replace('\n', "; "), "`fleet profile validate` shows each mistake"),
    }
}

pub(super) fn coordinator(subject: &Subject) -> Check {
    const NAME: &str = "coordinator";
    match &subject.place {
        Some(place) => {
            let at = place.state.display();
            Check::ok(NAME, format!("embedded: no address is configured, this machine keeps its own state in {at}"))
        }
        None => Check::skip(NAME, no_place()),
    }
}

/// Why nothing can be said about queue and state.
pub(super) fn no_place() -> &'static str {
    "there is no fleet here: neither a fleet.toml nor a git repository in this folder or above"
}
