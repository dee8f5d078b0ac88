//! The profiles there are, as the command line lists them.

use std::collections::BTreeSet;

use fleet_protocol::profile::Profile;

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

/// Looks for mistakes in what the configuration says about engines; reading the file alone does not find them.
pub(crate) fn check_engines(config: &Config) -> Result<(), Fault> {
    let known = engines(config)?;
    match &config.defaults.engine {
        Some(name) if known.get(name).is_none() => Err(unknown_engine("defaults.engine: ", name, &known)),
        _ => Ok(()),
    }
}
