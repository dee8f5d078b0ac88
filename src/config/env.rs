//! The environment: the only place that reads variables, and the variables that are not settings.
//!
//! Variables of settings stand in the table of [`super::keys`]; variables of other flags are made from verb and flag by
//! the command line. An empty variable counts as unset.

use std::{collections::BTreeMap, ffi::OsString};

/// An environment variable with other names that it is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// Older names with the same meaning. Two that are set must agree.
    pub(crate) aliases: &'static [&'static str],
}

/// A variable and what it does, for the reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described {
    pub(crate) variable: Variable,
    pub(crate) flag: Option<&'static str>,
    pub(crate) doc: &'static str,
}

const fn plain(name: &'static str) -> Variable {
    Variable { name, aliases: &[] }
}

/// The configuration file to use, and no other.
pub(crate) const CONFIG: Variable = plain("FLEET_CONFIG");
/// File with one RFC 3339 instant that stands for "now"; honoured only in test mode.
pub(crate) const TEST_CLOCK: Variable = plain("FLEET_TEST_CLOCK");
/// Where a user's configuration lies.
pub(crate) const XDG_CONFIG_HOME: Variable = plain("XDG_CONFIG_HOME");
/// The user's own folder.
pub(crate) const HOME: Variable = plain("HOME");
/// The user's login name: who acted, in a job's history.
pub(crate) const USER: Variable = plain("USER");
/// The same, on systems that set only this one.
pub(crate) const LOGNAME: Variable = plain("LOGNAME");
/// What the terminal can do; `dumb` is never animated.
pub(crate) const TERM: Variable = plain("TERM");
/// No colour, when set to anything (<https://no-color.org>).
pub(crate) const NO_COLOR: Variable = plain("NO_COLOR");

/// Variables that are no setting and belong to no verb.
pub(crate) const OTHERS: &[Described] = &[
    Described { variable: CONFIG, flag: Some("--config"), doc: "The configuration file to use, and no other" },
    Described {
        variable: TEST_CLOCK,
        flag: None,
        doc: "File with one RFC 3339 instant that stands for \"now\"; honoured only with --test-mode",
    },
    Described { variable: XDG_CONFIG_HOME, flag: None, doc: "Where the user's fleet/config.toml lies" },
    Described { variable: NO_COLOR, flag: None, doc: "No colour, when set to anything; `--color always` wins" },
];

/// Variables as they were when the program started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum EnvironmentError {
    #[error("the environment variable {0} is not valid UTF-8")]
    NotUtf8(String),
    #[error("{first} and {second} are set to different values; unset one of them")]
    Conflict { first: &'static str, second: &'static str },
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn capture() -> Result<Self, EnvironmentError> {
        Self::from_os(std::env::vars_os())
    }

    fn from_os(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, EnvironmentError> {
        let known = |name: &str| {
            name.starts_with("FLEET_")
                || name.starts_with("AQ_")
                || [XDG_CONFIG_HOME, HOME, USER, LOGNAME, TERM, NO_COLOR].iter().any(|variable| variable.name == name)
        };
        let mut found = BTreeMap::new();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| known(name)) else { continue };
            let value = value.into_string().map_err(|_| EnvironmentError::NotUtf8(name.to_owned()))?;
            found.insert(name.to_owned(), value);
        }
        Ok(Self(found))
    }

    /// The same without what says where a fleet lies, for one that lies elsewhere.
    pub(crate) fn without_places(mut self) -> Self {
        self.0.retain(|name, _| !name.starts_with("FLEET_") && !name.starts_with("AQ_"));
        self
    }

    /// The value under this very name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether any variable is set that could stand in for a flag.
    pub(crate) fn names_flags(&self) -> bool {
        self.0.keys().any(|name| name.starts_with("FLEET_"))
    }

    /// The value of a variable under any of its names, and the name that it was found under.
    pub(crate) fn lookup(&self, variable: &Variable) -> Result<Option<(&'static str, &str)>, EnvironmentError> {
        let mut found: Option<(&'static str, &str)> = None;
        for name in std::iter::once(variable.name).chain(variable.aliases.iter().copied()) {
            let Some(value) = self.get(name) else { continue };
            match found {
                None => found = Some((name, value)),
                Some((first, other)) if other != value => {
                    return Err(EnvironmentError::Conflict { first, second: name });
                }
                Some(_) => {}
            }
        }
        Ok(found)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    const TOKEN: Variable = Variable { name: "FLEET_TOKEN", aliases: &["AQ_FLEET_TOKEN"] };

    #[test]
    fn an_alias_alone_has_the_same_effect() {
        let env = Environment::from([("AQ_FLEET_TOKEN", "x")]);
        assert_eq!(env.lookup(&TOKEN), Ok(Some(("AQ_FLEET_TOKEN", "x"))));
    }

    #[test]
    fn names_that_agree_are_one_and_names_that_differ_are_an_error() {
        let same = Environment::from([("FLEET_TOKEN", "x"), ("AQ_FLEET_TOKEN", "x")]);
        assert_eq!(same.lookup(&TOKEN), Ok(Some(("FLEET_TOKEN", "x"))));
        let different = Environment::from([("FLEET_TOKEN", "x"), ("AQ_FLEET_TOKEN", "y")]);
        let error = different.lookup(&TOKEN).expect_err("two values");
        let text = error.to_string();
        assert!(text.contains("FLEET_TOKEN") && text.contains("AQ_FLEET_TOKEN"), "{text}");
        assert!(!text.contains('x') || !text.contains('y'), "no value is shown: {text}");
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let env = Environment::from([("FLEET_TOKEN", ""), ("AQ_FLEET_TOKEN", "y")]);
        assert_eq!(env.lookup(&TOKEN), Ok(Some(("AQ_FLEET_TOKEN", "y"))));
    }

    #[test]
    fn a_variable_that_is_no_text_is_named() {
        let odd = OsString::from_vec(vec![0xff]);
        let error = Environment::from_os([("FLEET_QUEUE".into(), odd.clone())]).expect_err("not UTF-8");
        assert_eq!(error, EnvironmentError::NotUtf8("FLEET_QUEUE".to_owned()));
        assert!(Environment::from_os([("UNRELATED".into(), odd)]).is_ok(), "other programs' variables are not ours");
    }
}
