//! What a task may name: a profile, a project, an engine. Who names something else is told what there is.

use fleet_protocol::{ErrorCode, Problem, Project, api::ProjectList, nearest};

use super::{
    Failure, Service,
    core::{Options, ProfileSource},
};

/// The profile of this name, the nearest one; else a sentence that says so.
pub(super) fn profile<'a>(options: &'a Options, name: &str) -> Result<&'a ProfileSource, String> {
    let named = options.profiles.iter().filter(|source| source.profile.name == name).min_by_key(|source| source.source);
    named.ok_or_else(|| unknown("profile", name, options.profiles.iter().map(|source| source.profile.name.as_str())))
}

/// The project of this name; else a sentence that says so.
pub(super) fn project<'a>(options: &'a Options, name: &str) -> Result<&'a Project, String> {
    let named = options.projects.iter().find(|project| project.name == name);
    named.ok_or_else(|| unknown("project", name, options.projects.iter().map(|project| project.name.as_str())))
}

/// That there is such an engine, as far as it is known which there are; else a sentence that says so.
pub(super) fn engine(options: &Options, name: &str) -> Result<(), String> {
    match &options.engines {
        Some(engines) if !engines.iter().any(|engine| engine == name) => {
            Err(unknown("engine", name, engines.iter().map(String::as_str)))
        }
        Some(_) | None => Ok(()),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    let near = match nearest(name, known.iter().copied()) {
        Some(near) => format!(" (did you mean `{near}`?)"),
        None => String::new(),
    };
    let there_is =
        if known.is_empty() { "there are none here".to_owned() } else { format!("known: {}", known.join(", ")) };
    format!("unknown {what} `{name}`{near}; {there_is}")
}

impl Service {
    /// The projects there are, by name.
    pub(crate) fn projects(&self) -> ProjectList {
        let mut projects = self.options.projects.clone();
        projects.sort_by(|one, other| one.name.cmp(&other.name));
        ProjectList { projects, next: None }
    }

    /// One project.
    pub(crate) fn project(&self, name: &str) -> Result<Project, Failure> {
        let found = project(&self.options, name).cloned();
        found.map_err(|message| Problem::new(ErrorCode::NotFound, message).into())
    }
}
