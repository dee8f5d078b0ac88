//! Which file is read: `--config`, else `FLEET_CONFIG`, else the nearest `fleet.toml`, else the user's own, else none.

use std::path::{Path, PathBuf};

use super::env::{self, Environment};

/// The name of a project's configuration.
pub(super) const FILE_NAME: &str = "fleet.toml";

/// A file to read, and what it says about the place of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// Named by flag or variable: it must exist. Its folder is the root.
    Named(PathBuf),
    /// Found here or above. Its folder is the root.
    Nearest(PathBuf),
    /// The user's own; the root is the repository one stands in.
    User(PathBuf),
    None,
}

impl Chosen {
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(path) | Self::Nearest(path) | Self::User(path) => Some(path),
            Self::None => None,
        }
    }

    /// The root that follows from the file itself.
    pub(super) fn root(&self) -> Option<&Path> {
        match self {
            Self::Named(path) | Self::Nearest(path) => path.parent(),
            Self::User(_) | Self::None => None,
        }
    }
}

/// Chooses. `flag` is the value of `--config`.
pub(super) fn choose(cwd: &Path, flag: Option<&Path>, environment: &Environment) -> Chosen {
    let named = flag.map(Path::to_owned).or_else(|| environment.get(env::CONFIG.name).map(PathBuf::from));
    if let Some(path) = named {
        return Chosen::Named(cwd.join(path));
    }
    if let Some(path) = cwd.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file()) {
        return Chosen::Nearest(path);
    }
    match user_file(environment).filter(|path| path.is_file()) {
        Some(path) => Chosen::User(path),
        None => Chosen::None,
    }
}

/// The user's own folder of this program; it need not exist.
pub(super) fn user_folder(environment: &Environment) -> Option<PathBuf> {
    user_file(environment)?.parent().map(Path::to_owned)
}

/// Where the user's own configuration would lie.
fn user_file(environment: &Environment) -> Option<PathBuf> {
    let base = match environment.get(env::XDG_CONFIG_HOME.name).map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(base) => base,
        None => PathBuf::from(environment.get(env::HOME.name)?).join(".config"),
    };
    Some(base.join("fleet").join("config.toml"))
}
