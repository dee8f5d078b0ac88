//! How well runs of this machine are confined, decided once from what is wished for and what the kernel has. Pure.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Support;

/// What the user wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Confined where the kernel can.
    #[default]
    Auto,
    /// Nothing runs unconfined.
    Required,
    /// Not confined.
    Off,
}

impl FromStr for Mode {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            _ => Err(()),
        }
    }
}

/// What protects the user from a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Level {
    /// Landlock, in this version.
    Landlock(u32),
    /// Nothing, and why.
    Unconfined(String),
}

/// Confinement was required and cannot be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("runs must be confined (`confinement.mode` is `required`), and {0}")]
pub(crate) struct NotConfined(pub(crate) &'static str);

/// The first version that also keeps files from being emptied.
const WHOLE: u32 = 3;
/// The first version that keeps signals from going out.
const SCOPED: u32 = 6;
/// The first version that closes sockets in the file system.
const SOCKETS: u32 = 9;

impl Level {
    /// Decides, given what the kernel said.
    pub(crate) fn decide(mode: Mode, support: &Support) -> Result<Self, NotConfined> {
        match (mode, support) {
            (Mode::Off, _) => Ok(Self::Unconfined("`confinement.mode` is `off`".to_owned())),
            (_, Support::Landlock(version)) => Ok(Self::Landlock(*version)),
            (Mode::Auto, Support::Missing(why)) => Ok(Self::Unconfined((*why).to_owned())),
            (Mode::Required, Support::Missing(why)) => Err(NotConfined(why)),
        }
    }

    /// As it stands in a run's record: `landlock-7`, or `unconfined: ` and the reason.
    pub(crate) fn recorded(&self) -> String {
        match self {
            Self::Landlock(version) => format!("landlock-{version}"),
            Self::Unconfined(why) => format!("unconfined: {why}"),
        }
    }

    /// Whether an engine may do everything unasked where nobody said: only when it can do no harm outside.
    pub(crate) const fn lets_engines_loose(&self) -> bool {
        matches!(self, Self::Landlock(version) if *version >= WHOLE)
    }

    /// Whether sockets that lie in the file system stay open.
    pub(crate) const fn lets_sockets_be_used(&self) -> bool {
        !matches!(self, Self::Landlock(version) if *version >= SOCKETS)
    }

    /// What this version of Landlock leaves open, for people.
    pub(crate) const fn gap(&self) -> Option<&'static str> {
        match self {
            Self::Landlock(version) if *version < WHOLE => {
                Some("files elsewhere can still be emptied, and processes signalled (Linux 6.2 and 6.12 close that)")
            }
            Self::Landlock(version) if *version < SCOPED => {
                Some("your other processes can still be signalled (Linux 6.12 closes that)")
            }
            Self::Landlock(_) | Self::Unconfined(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Support = Support::Missing("there is none");

    #[test]
    fn a_kernel_without_landlock_is_said_and_required_refuses_it() {
        let level = Level::decide(Mode::Auto, &NONE).expect("auto goes on");
        assert_eq!(level.recorded(), "unconfined: there is none");
        assert!(!level.lets_engines_loose(), "without confinement engines are careful");
        assert_eq!(Level::decide(Mode::Required, &NONE), Err(NotConfined("there is none")));
    }

    #[test]
    fn what_is_switched_off_is_unconfined_whatever_the_kernel_has() {
        let level = Level::decide(Mode::Off, &Support::Landlock(7)).expect("a choice");
        assert!(level.recorded().starts_with("unconfined: ") && !level.lets_engines_loose(), "{level:?}");
    }

    #[test]
    fn the_record_tells_the_version_and_an_old_one_lets_nothing_loose() {
        for (version, loose, whole) in [(1, false, false), (2, false, false), (3, true, false), (6, true, true)] {
            for mode in [Mode::Auto, Mode::Required] {
                let level = Level::decide(mode, &Support::Landlock(version)).expect("confined");
                assert_eq!(level.recorded(), format!("landlock-{version}"));
                assert_eq!((level.lets_engines_loose(), level.gap().is_none()), (loose, whole), "{version}");
            }
        }
    }
}
