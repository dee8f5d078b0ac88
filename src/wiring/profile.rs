//! The profiles there are, as the command line lists them.

use std::collections::BTreeSet;

use fleet_protocol::{ExitCode, profile::Profile};

use super::{embedded::entries, fault::Fault, submission::unknown_engine, worker::engines};
use crate::{catalogue::Source, config::Config};

/// A profile and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListedProfile {
    pub(crate) profile: Profile,
    /// The whole file.
    pub(crate) text: String,
    /// `project`, `user` or `builtin`.
    pub(crate) source: &'static str,
}

/// The profiles there are, by name; of two with one name the nearer one only.
pub(crate) fn profiles(config: &Config) -> Result<Vec<ListedProfile>, Fault> {
    let listed = entries(config)?.into_iter().map(|entry| ListedProfile {
        profile: entry.profile,
        text: entry.text,
        source: match entry.source {
            Source::Project(_) => "project",
            Source::User(_) => "user",
            Source::BuiltIn => "builtin",
        },
    });
    Ok(listed.collect())
}

/// The classes that configured and built-in engines belong to.
pub(crate) fn engine_classes(config: &Config) -> Result<Vec<String>, Fault> {
    let classes: BTreeSet<String> = engines(config)?.iter().map(|engine| engine.class.clone()).collect();
    Ok(classes.into_iter().collect())
}

/// Looks for names in the configuration that nothing has, and for engines that cannot work; reading the file alone does
/// not find them.
pub(crate) fn check_names(config: &Config) -> Result<(), Fault> {
    let known = engines(config)?;
    if let Some(name) = config.defaults.engine.as_ref().filter(|name| known.get(name).is_none()) {
        return Err(unknown_engine("defaults.engine: ", name, &known));
    }
    let named: Vec<_> = config.projects.iter().filter_map(|it| Some((&it.name, it.profile.as_deref()?))).collect();
    if named.is_empty() {
        return Ok(());
    }
    let profiles: Vec<String> = entries(config)?.into_iter().map(|entry| entry.profile.name).collect();
    match named.iter().find(|(_, profile)| !profiles.iter().any(|known| known == profile)) {
        None => Ok(()),
        Some((project, profile)) => {
            let message = format!("projects.{project}.profile: unknown profile `{profile}`");
            let known = format!("there are {}", profiles.join(", "));
            Err(Fault::new(ExitCode::Usage, message, Some(&known)))
        }
    }
}
