//! The engines: whether each is installed, works, and gets at a model.
//!
//! An engine that nobody named may be absent. One that the configuration names is wanted, and its absence fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    check::Check,
    program::{first_words, locate, several},
    subject::Subject,
};
use crate::engine::{Access, Definition, Probe, Wanted, resolve};

/// Stands for this program in a command.
const OURSELVES: &str = "{fleet}";

pub(super) fn engine(subject: &Subject, engine: &Definition) -> Check {
    let name = format!("engine {}", engine.name);
    if engine.program() == OURSELVES {
        return Check::ok(name, "is part of this program");
    }
    let path = match locate(engine.program(), &subject.environment) {
        Ok(path) => path,
        Err(places) => return missing(subject, engine, name, &places),
    };
    let Some(command) = engine.version_probe() else {
        return Check::ok(name, format!("{}; it is not asked for its version", path.display()));
    };
    match first_words(&path, &command[1..], &environment(subject, engine), subject.patience) {
        Ok(version) => Check::ok(name, format!("{version} at {}", path.display())),
        Err(error) => {
            let (found, remedy) =
                (format!("`{}` does not answer: {error}", command.join(" ")), "try it by hand, and install it again");
            if is_wanted(subject, engine) { Check::fail(name, found, remedy) } else { Check::warn(name, found, remedy) }
        }
    }
}

/// Whether its program is installed.
pub(super) fn is_here(subject: &Subject, engine: &Definition) -> bool {
    engine.program() != OURSELVES && locate(engine.program(), &subject.environment).is_ok()
}

fn missing(subject: &Subject, engine: &Definition, name: String, places: &[PathBuf]) -> Check {
    let program = engine.program();
    if !is_wanted(subject, engine) {
        return Check::skip(name, format!("not installed: no program `{program}` on the PATH"));
    }
    if let Some(place) = places.iter().find(|place| place.is_file()) {
        let path = place.display();
        return Check::fail(name, format!("{path} is there but may not be executed"), format!("chmod +x {path}"));
    }
    let table = format!("[engines.{}]", engine.name);
    let (found, remedy) = if program.contains('/') {
        (format!("there is no program {program}"), format!("put it there, or correct `command` in {table}"))
    } else {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let found = format!("there is no program `{program}` (looked at {})", several(&places, ", "));
        (found, format!("install it, correct PATH, or give its path as `command` in {table}"))
    };
    Check::fail(name, found, remedy)
}

fn is_wanted(subject: &Subject, engine: &Definition) -> bool {
    subject.named.contains(&engine.name)
}

/// As an agent would be started: with its fixed settings, and not as part of another's session.
fn environment(subject: &Subject, engine: &Definition) -> BTreeMap<String, String> {
    let mut variables = subject.environment.clone();
    variables.retain(|name, _| !engine.nested.contains(name));
    variables.extend(engine.set.clone());
    variables
}

/// How an installed engine gets at a model.
pub(super) fn credentials(subject: &Subject, engine: &Definition) -> Option<Check> {
    if !is_here(subject, engine) {
        return None;
    }
    let name = format!("credentials {}", engine.name);
    let set = subject.environment.iter().filter(|(_, value)| !value.is_empty());
    let variables: BTreeSet<String> = set.map(|(name, _)| name.clone()).collect();
    let home = subject.environment.get("HOME").filter(|home| !home.is_empty());
    let exists = |file: &Path| match (file.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => Path::new(home).join(below).is_file(),
        (Ok(_), None) => false,
        (Err(_), _) => file.is_file(),
    };
    Some(match engine.access(&variables, &exists) {
        Access::Gateway(address) => Check::ok(name, format!("by the gateway {}", without_password(&address))),
        Access::Key(variable) => Check::ok(name, format!("by a key in {variable}")),
        Access::Login(file) => Check::ok(name, format!("by the login in {file}")),
        Access::Undeclared => Check::skip(name, "its definition does not say how it logs in (`credentials`)"),
        Access::Missing => {
            let (found, remedy) = ("neither a login, a key nor a gateway is there", ways_in(engine));
            if is_wanted(subject, engine) { Check::fail(name, found, remedy) } else { Check::warn(name, found, remedy) }
        }
    })
}

/// A gateway's address may carry a name and a password, which are nobody's business.
fn without_password(address: &str) -> String {
    match address.split_once("://").zip(address.rsplit_once('@')) {
        Some(((scheme, _), (_, host))) => format!("{scheme}://{host}"),
        None => address.to_owned(),
    }
}

fn ways_in(engine: &Definition) -> String {
    let mut ways = Vec::new();
    if let [first, ..] = engine.credentials.files.as_slice() {
        ways.push(format!("log in with `{}`, which makes {first}", engine.program()));
    }
    if !engine.credentials.env.is_empty() {
        ways.push(format!("set {} where fleet runs", engine.credentials.env.join(" or ")));
    }
    if engine.gateway_env.is_some() || !engine.gateway_args.is_empty() {
        ways.push(format!("give a `gateway` in [engines.{}]", engine.name));
    }
    ways.join("; or ")
}

/// Engines that the configuration wants and nobody knows.
pub(super) fn unknown(subject: &Subject) -> Vec<Check> {
    let known: Vec<String> = subject.engines.iter().map(|engine| engine.name.clone()).collect();
    let strangers = subject.named.iter().filter(|name| !known.contains(name));
    let fail = |name: &String| {
        let remedy = format!("there are {}; describe another one in [engines.{name}]", known.join(", "));
        Check::fail(format!("engine {name}"), "it is neither built in nor configured", remedy)
    };
    strangers.map(fail).collect()
}

/// What a job gets that names no engine.
pub(super) fn choice(subject: &Subject) -> Check {
    const NAME: &str = "engines";
    let probe = |program: &str| match locate(program, &subject.environment) {
        Ok(_) => Probe::Found,
        Err(places) => Probe::Missing(places),
    };
    let programs = subject.engines.iter().filter(|engine| engine.program() != OURSELVES);
    let installed: Vec<String> =
        programs.filter(|engine| probe(engine.program()) == Probe::Found).map(|engine| engine.name.clone()).collect();
    if installed.is_empty() {
        return Check::warn(
            NAME,
            "no agent program is installed, so only scripted tasks can be worked on",
            "install one that docs/engines.md lists, or describe yours in [engines.NAME] of fleet.toml",
        );
    }
    let here = format!("{} can be started", several(&installed, ", "));
    let wanted = Wanted { default: subject.default_engine.as_deref(), ..Wanted::default() };
    match (resolve(&subject.engines, wanted, &probe), &subject.default_engine) {
        (Ok(engine), _) => Check::ok(NAME, format!("{here}; a task that names none gets `{}`", engine.name)),
        (Err(_), Some(default)) => {
            Check::ok(NAME, format!("{here}; a task that names none would get `{default}`, which is not here"))
        }
        (Err(_), None) => Check::ok(NAME, format!("{here}, when a task names it")),
    }
}

/// Whether this very program runs inside an agent's session.
pub(super) fn agent_session(subject: &Subject) -> Check {
    const NAME: &str = "agent session";
    let inside: Vec<String> = subject
        .engines
        .iter()
        .filter_map(|engine| {
            let mark = engine.nested.iter().find(|mark| subject.environment.contains_key(*mark))?;
            Some(format!("`{}` ({mark} is set)", engine.name))
        })
        .collect();
    if inside.is_empty() {
        return Check::ok(NAME, "fleet does not run inside an agent's session");
    }
    Check::warn(
        NAME,
        format!("fleet runs inside a session of {}; its agents are started without that mark", inside.join(", ")),
        "if an agent still will not start, or ends with that session, start fleet from a shell of its own",
    )
}
