//! What single values must look like, as predicates over text. Each answers with what is wrong and what would be right.

use super::glob;
use crate::{
    capability::Requirement,
    front_matter::{Fault, shown},
};

/// A name that can stand in a file name, an argument and an address: engines, profiles.
pub(crate) fn name(text: &str) -> Result<(), Fault> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if starts && letters && text.len() <= 64 && !text.ends_with('.') {
        return Ok(());
    }
    let help = "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64";
    Err(Fault::new(format!("`{}` is not a name", shown(text)), help))
}

/// A single word without spaces or commas: keys of jobs, tags, models, hints.
pub(crate) fn word(text: &str) -> Result<(), Fault> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
    if text.is_empty() || text.contains(odd) || text.starts_with('-') || text.chars().count() > 200 {
        let help = "write one word without spaces, commas or a leading `-`; several are a list: [one, two]";
        return Err(Fault::new(format!("`{}` is not one word", shown(text)), help));
    }
    Ok(())
}

/// One line of text.
pub(crate) fn line(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new("is blank", "write some text or remove the key"));
    }
    if text.contains(char::is_control) {
        return Err(Fault::new("holds a line break or another control character", "write it on one line"));
    }
    Ok(())
}

/// Text of any length.
pub(crate) fn prose(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() { Err(Fault::new("is blank", "write some text or remove it")) } else { Ok(()) }
}

/// A line for a shell, or a program.
pub(crate) fn command(text: &str) -> Result<(), Fault> {
    argument(text)?;
    prose(text)
}

/// One argument of a command; may be empty.
pub(crate) fn argument(text: &str) -> Result<(), Fault> {
    if text.contains('\0') { Err(Fault::new("holds a NUL, which no command line can", "remove it")) } else { Ok(()) }
}

/// A branch that git accepts and that cannot be taken for an option.
pub(crate) fn branch(text: &str) -> Result<(), Fault> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if text.starts_with('-')
        || text.ends_with('.')
        || text == "@"
        || text.contains("..")
        || text.contains("@{")
        || text.contains(odd)
        || text.split('/').any(part)
    {
        let problem = format!("`{}` is not the name of a branch", shown(text));
        return Err(Fault::new(problem, "write a branch as `git branch` lists it, for example main"));
    }
    Ok(())
}

/// A local path or a git address, without a password.
pub(crate) fn repository(text: &str) -> Result<(), Fault> {
    line(text)?;
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let login = authority.and_then(|authority| authority.rsplit_once('@')).map(|(login, _)| login);
    if login.is_some_and(|login| login.contains(':')) {
        let help = "leave the password out; git on the worker's machine knows its own";
        return Err(Fault::new("holds a password", help));
    }
    let helper = text
        .split_once("::")
        .is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')));
    if text.starts_with('-') || helper {
        let problem = format!("`{}` is not a repository", shown(text));
        return Err(Fault::new(problem, "write a path, or an address such as https://…, ssh://… or file://…"));
    }
    Ok(())
}

/// The name of an environment variable; whatever else stands here may be the secret itself and is not repeated.
pub(crate) fn secret_name(text: &str) -> Result<(), Fault> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Fault::new("takes names of secrets, never values", SECRETS_HELP))
}

/// What to do with the value of a secret.
pub(crate) const SECRETS_HELP: &str = "write the name of a variable, for example [NPM_TOKEN]; its value belongs into `[secrets]` of the worker's fleet.toml";

/// A hard requirement.
pub(crate) fn capability(text: &str) -> Result<(), Fault> {
    match text.parse::<Requirement>() {
        Ok(_) => Ok(()),
        Err(error) => {
            let help = "write key, key:value, key>=version (or > = < <=) or os:any";
            Err(Fault::new(format!("`{}` is not a capability: {}", shown(text), error.problem), help))
        }
    }
}

/// A glob over paths of the workspace that cannot match anything outside.
pub(crate) fn workspace_glob(text: &str) -> Result<(), Fault> {
    workspace_path(text)?;
    if text.starts_with('!') {
        let help = "list what is meant; `!` for everything else is not understood";
        return Err(Fault::new(format!("`{}` excludes instead of naming", shown(text)), help));
    }
    match glob::matcher([text]) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Fault::new(format!("`{}` is not a glob: {}", shown(text), error.problem), "for example src/**/*.rs"))
        }
    }
}

/// A path inside the workspace.
pub(crate) fn workspace_path(text: &str) -> Result<(), Fault> {
    line(text)?;
    let drive = text.as_bytes().get(1) == Some(&b':') && text.starts_with(|c: char| c.is_ascii_alphabetic());
    if text.starts_with(['/', '\\', '~']) || drive || text.split(['/', '\\']).any(|part| part == "..") {
        let help = "write it relative to the repository, without a leading `/` and without `..`";
        return Err(Fault::new(format!("`{}` leads out of the workspace", shown(text)), help));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each rule takes the first list and refuses the second.
    #[test]
    fn rules_take_and_refuse() {
        type Rule = fn(&str) -> Result<(), Fault>;
        let table: [(Rule, &[&str], &[&str]); 10] = [
            (
                name,
                &["claude", "my-agent_2.0", "X"],
                &["", "-x", "a b", "../x", "a/b", ".x", "é", "a.", &"a".repeat(65)],
            ),
            (word, &["nightly-2026-11-20", "a/b:c", "é"], &["", "a b", "a,b", "-x", "a\nb"]),
            (line, &["a b", "é: \"x\""], &["", "  ", "a\nb", "a\tb", "a\0"]),
            (prose, &["a\nb"], &["", "\n"]),
            (command, &["cargo test && true\n"], &[" ", "a\0b"]),
            (
                branch,
                &["main", "feature/x-1", "release/1.2", "größe"],
                &["", "-x", "a..b", "a b", "a:b", "/a", "a/", "a//b", "a.lock", "a/.b", "a~1", "@", "a@{1}", "a."],
            ),
            (
                repository,
                &[
                    ".",
                    "../x",
                    "/srv/x.git",
                    "https://host/x.git",
                    "ssh://git@host:22/x",
                    "git@host:a/b.git",
                    "file:///a/x.git",
                ],
                &["", "-x", "--upload-pack=x", "ext::sh -c x", "https://me:pass@host/x.git", "https://:p@host"],
            ),
            (secret_name, &["NPM_TOKEN", "_x1"], &["", "1x", "A=b", "A B", "npm-token"]),
            (
                workspace_glob,
                &["src/**/*.rs", "docs", "./a/b", "{a,b}/*.md", "a..b/c", "[ab]*.txt"],
                &["", "/etc/*", "../x", "a/../../x", "a/..", "~/x", "!a", "a[", "{a", "C:\\x", "\\x", "..\\x"],
            ),
            (workspace_path, &["src/lib.rs", "a[b].txt"], &["/x", "..", "~root"]),
        ];
        for (index, (rule, right, wrong)) in table.into_iter().enumerate() {
            for text in right {
                assert_eq!(rule(text), Ok(()), "rule {index}: {text:?}");
            }
            for text in wrong {
                assert!(rule(text).is_err(), "rule {index}: {text:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_that_is_taken_stays_in_the_workspace(text in "([a-z.~/\\\\:C-]{0,12}|(\\.{1,3}|[a-z]|~)(/(\\.{1,3}|[a-z]|~)){0,5})") {
            if workspace_path(&text).is_ok() {
                let mut depth = 0;
                for part in std::path::Path::new(&text).components() {
                    depth += match part {
                        std::path::Component::Normal(_) => 1,
                        std::path::Component::CurDir => 0,
                        _ => -1,
                    };
                    proptest::prop_assert!(depth >= 0, "{text}");
                }
            }
        }

        #[test]
        fn a_name_that_is_taken_is_one_part_of_a_path(text in "[a-z./\\\\~ -]{0,10}|\\PC{0,10}") {
            if name(&text).is_ok() {
                let path = std::path::Path::new(&text);
                proptest::prop_assert_eq!(path.file_name().and_then(std::ffi::OsStr::to_str), Some(text.as_str()));
            }
        }
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_not_repeated() {
        for fault in [secret_name("TOKEN=hunter2"), repository("https://me:hunter2@host/x.git")] {
            let fault = fault.expect_err("refused");
            assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }
}
