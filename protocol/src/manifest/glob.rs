//! Globs over paths of the workspace (`allowed-scope`, `artifacts`): one meaning for everybody.
//!
//! `*` and `?` stay within one folder, `**` does not; `{a,b}` and `[ab]` are understood. A pattern without any of them
//! names a file, or a folder and everything below it.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::policy::Scope;

/// A pattern that is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{glob}` is not a glob: {problem}")]
pub struct BadGlob {
    pub glob: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Matches paths relative to the workspace, with `/` between folders, against any of the globs.
pub fn matcher<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, BadGlob> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let wrong = |error: globset::Error| BadGlob { glob: glob.to_owned(), problem: error.kind().to_string() };
        let plain = glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/');
        let mut add = |pattern: &str| {
            set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(wrong)?);
            Ok(())
        };
        if plain.is_empty() || plain == "." {
            add("**")?;
            continue;
        }
        add(plain)?;
        if glob.ends_with('/') || !plain.contains(['*', '?', '[', '{']) {
            add(&format!("{plain}/**"))?;
        }
    }
    set.build().map_err(|error| BadGlob {
        glob: error.glob().unwrap_or_default().to_owned(),
        problem: error.kind().to_string(),
    })
}

impl Scope {
    /// The paths that lie outside of it.
    pub fn outside<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Result<Vec<&'p str>, BadGlob> {
        let inside = matcher(self.paths.iter().map(String::as_str))?;
        Ok(paths.into_iter().filter(|path| !inside.is_match(path)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_mean_what_people_expect() {
        for (glob, inside, outside) in [
            ("src/**", &["src/a.rs", "src/a/b.rs"][..], &["src2/a.rs", "a.rs"][..]),
            ("src/*.rs", &["src/a.rs"], &["src/a/b.rs"]),
            ("**/*.md", &["a.md", "a/b/c.md"], &["a.rs"]),
            ("docs", &["docs", "docs/a", "docs/a/b"], &["docs2", "a/docs"]),
            ("docs/", &["docs/a"], &["docsx"]),
            ("./docs", &["docs/a"], &["a"]),
            (".", &["a", "a/b"], &[]),
            ("{a,b}/*.txt", &["a/x.txt", "b/x.txt"], &["c/x.txt"]),
            ("pack*/", &["package/a/b"], &["a/package"]),
            (".github/**", &[".github/workflows/a.yml"], &["github/a"]),
        ] {
            let scope = Scope { paths: vec![glob.to_owned()], mode: super::super::ScopeMode::Warn };
            let paths = inside.iter().chain(outside).copied();
            assert_eq!(scope.outside(paths).expect(glob), outside, "{glob}");
        }
    }

    #[test]
    fn several_globs_allow_what_any_of_them_allows() {
        let scope = Scope { paths: vec!["a/**".into(), "b".into()], mode: super::super::ScopeMode::Warn };
        assert_eq!(scope.outside(["a/1", "b", "c"]), Ok(vec!["c"]));
    }
}
