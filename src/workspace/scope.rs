//! Which changes lie outside the scope that a task declares. Pure.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::error::WorkspaceError;

/// The paths that no glob allows, in the order given. Without globs everything is allowed.
///
/// Globs are read from the top of the repository; `*` stays within a folder, `**` does not; a glob that names a folder
/// allows everything in it.
pub(crate) fn outside(paths: &[String], globs: &[String]) -> Result<Vec<String>, WorkspaceError> {
    if globs.is_empty() {
        return Ok(Vec::new());
    }
    let allowed = compile(globs)?;
    Ok(paths.iter().filter(|path| !allowed.is_match(path)).cloned().collect())
}

fn compile(globs: &[String]) -> Result<GlobSet, WorkspaceError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let plain = glob.trim_start_matches("./").trim_matches('/');
        for form in [plain.to_owned(), format!("{plain}/**")] {
            let compiled = GlobBuilder::new(&form)
                .literal_separator(true)
                .build()
                .map_err(|source| WorkspaceError::Scope { glob: glob.clone(), source })?;
            set.add(compiled);
        }
    }
    set.build().map_err(|source| WorkspaceError::Scope { glob: globs.join(", "), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str], globs: &[&str]) -> Vec<String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        outside(&owned(paths), &owned(globs)).unwrap()
    }

    #[test]
    fn no_scope_allows_everything() {
        assert!(of(&["a", "b/c"], &[]).is_empty());
    }

    #[test]
    fn a_folder_allows_everything_in_it_and_nothing_beside_it() {
        for folder in ["src", "src/", "./src", "src/**"] {
            assert_eq!(of(&["src/a.rs", "src/x/y.rs", "src2/a.rs", "a.rs"], &[folder]), ["src2/a.rs", "a.rs"]);
        }
    }

    #[test]
    fn a_star_stays_within_a_folder() {
        assert_eq!(of(&["docs/a.md", "docs/x/b.md", "x.md"], &["docs/*.md"]), ["docs/x/b.md", "x.md"]);
        assert_eq!(of(&["docs/a.md", "docs/x/b.md", "x.md"], &["**/*.md"]), Vec::<String>::new());
    }

    #[test]
    fn a_broken_glob_is_named() {
        let error = outside(&["a".to_owned()], &["src/[".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`src/[`"), "{error}");
    }
}
