//! Where things lie on a Linux machine: what toolchains are made of, and where credentials are kept. Data only.
//!
//! The lists that open something are the policy. The list of credentials opens and closes nothing by itself: nothing is
//! readable that is not listed. It keeps wider folders, a user's own or a system's, from taking these along.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Programs, libraries, settings of the system, and what the kernel tells. `/run` and `/var` hold other programs' state, so
/// only what name resolution and package lists need is open there.
pub(super) const SYSTEM_READ: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/snap",
    "/home/linuxbrew/.linuxbrew",
    "/proc",
    "/sys",
    "/dev/random",
    "/dev/urandom",
    "/run/systemd/resolve",
    "/run/NetworkManager/resolv.conf",
    "/run/resolvconf",
    "/run/current-system",
    "/run/opengl-driver",
    "/var/lib/dpkg",
    "/var/lib/ca-certificates",
    "/var/cache/fontconfig",
];

/// Devices without content of anybody's, terminals to be made, and memory shared between processes.
pub(super) const SYSTEM_WRITE: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/shm"];

/// Toolchains and their settings below the home folder. Folders that mix tools with credentials (`~/.cargo`,
/// `~/.local/share`) are named by their harmless parts.
pub(super) const HOME_READ: &[&str] = &[
    "bin",
    "go",
    ".asdf",
    ".bun/bin",
    ".bun/install",
    ".cabal/bin",
    ".cabal/packages",
    ".cabal/store",
    ".cache/go-build",
    ".cache/ms-playwright",
    ".cache/pip",
    ".cache/pre-commit",
    ".cache/uv",
    ".cache/yarn",
    ".cargo/bin",
    ".cargo/config",
    ".cargo/config.toml",
    ".cargo/env",
    ".cargo/git",
    ".cargo/registry",
    ".config/fontconfig",
    ".config/git/attributes",
    ".config/git/config",
    ".config/git/ignore",
    ".deno",
    ".dotnet",
    ".elan",
    ".fnm",
    ".gem/ruby",
    ".ghcup",
    ".gitconfig",
    ".gradle/caches",
    ".gradle/wrapper",
    ".jenv",
    ".local/bin",
    ".local/lib",
    ".local/pipx",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/pipx",
    ".local/share/pnpm",
    ".local/share/uv",
    ".m2/repository",
    ".nodenv",
    ".npm-global",
    ".nuget/packages",
    ".nvm",
    ".opam",
    ".pub-cache/bin",
    ".pub-cache/hosted",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".rvm",
    ".sdkman",
    ".volta",
    ".yarn",
];

/// What tools look for in every folder above the one they work in. Such a file that is there and may not be read ends many of them,
/// and above a workspace lies the repository that it was made from.
pub(super) const LOOKED_FOR_ABOVE: &[&str] = &[
    "AGENTS.md",
    "Cargo.toml",
    ".cargo/config",
    ".cargo/config.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
    "rustfmt.toml",
    ".rustfmt.toml",
    "clippy.toml",
    "package.json",
    "node_modules",
    "tsconfig.json",
    "jsconfig.json",
    "eslint.config.js",
    "eslint.config.mjs",
    ".eslintrc",
    ".eslintrc.cjs",
    ".eslintrc.js",
    ".eslintrc.json",
    ".eslintrc.yml",
    ".prettierrc",
    ".prettierrc.json",
    ".prettierignore",
    ".editorconfig",
    "babel.config.js",
    ".babelrc",
    "go.mod",
    "go.work",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "pytest.ini",
    "conftest.py",
    ".flake8",
    ".node-version",
    ".nvmrc",
    ".python-version",
    ".ruby-version",
    ".tool-versions",
    "mise.toml",
];

/// Below the home folder: what opens something elsewhere, or is nobody's business.
const CREDENTIALS: &[&str] = &[
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/gh",
    ".config/glab-cli",
    ".config/hub",
    ".config/op",
    ".config/fleet",
    ".config/git/credentials",
    ".config/chromium",
    ".config/google-chrome",
    ".mozilla",
    ".thunderbird",
    ".docker",
    ".kube",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".gradle/gradle.properties",
    ".m2/settings.xml",
    ".terraform.d",
    ".vault-token",
    ".password-store",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".bash_history",
    ".zsh_history",
];

/// Where this user's credentials are kept.
pub(crate) fn credentials(home: &Path) -> Vec<PathBuf> {
    CREDENTIALS.iter().map(|below| home.join(below)).collect()
}

/// A place as people write it: `~/` is the home folder, a leading `$NAME` a variable. None where that leads nowhere: the
/// variable is not set, or it is no absolute path.
pub(crate) fn expanded(place: &str, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let (start, rest) = place.split_once('/').unwrap_or((place, ""));
    let path = match start.strip_prefix('$') {
        Some(name) => PathBuf::from(set(name)?).join(rest),
        None if start == "~" => PathBuf::from(set("HOME")?).join(rest),
        None => PathBuf::from(place),
    };
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_opened_holds_a_credential() {
        let home = Path::new("/home/ann");
        for open in HOME_READ {
            let open = home.join(open);
            let taken: Vec<_> = credentials(home).into_iter().filter(|kept| kept.starts_with(&open)).collect();
            assert!(taken.is_empty(), "{} takes {taken:?} along", open.display());
            assert!(!credentials(home).iter().any(|kept| open.starts_with(kept)), "{}", open.display());
        }
    }

    #[test]
    fn places_are_written_with_a_tilde_or_a_variable() {
        let environment: BTreeMap<String, String> =
            [("HOME", "/home/ann"), ("CODEX_HOME", "/data/codex"), ("EMPTY", ""), ("LOOSE", "here")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        for (written, meant) in [
            ("~/.claude", Some("/home/ann/.claude")),
            ("~", Some("/home/ann")),
            ("$CODEX_HOME", Some("/data/codex")),
            ("$CODEX_HOME/log", Some("/data/codex/log")),
            ("/srv/cache", Some("/srv/cache")),
            ("$MISSING/x", None),
            ("$EMPTY", None),
            ("$LOOSE/x", None),
            ("relative", None),
        ] {
            assert_eq!(expanded(written, &environment), meant.map(PathBuf::from), "{written}");
        }
    }
}
