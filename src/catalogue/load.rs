//! Reads profiles from their folders and lays the nearer over the farther ones.
//!
//! A folder that is not there holds no profiles. A file that is there and wrong is an error, also where another of the same
//! name could stand in for it: a job would get a persona that nobody chose.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use fleet_protocol::{
    manifest::Mistakes,
    profile::{self, Profile},
};

use super::builtin;

/// Where profiles are looked for besides the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The nearest.
    pub(crate) project: Option<PathBuf>,
    pub(crate) user: Option<PathBuf>,
}

/// A profile, its whole file, and where that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) profile: Profile,
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// Where a profile was found. Displayed as one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Project(PathBuf),
    User(PathBuf),
    BuiltIn,
}

impl Source {
    /// The file, unless it is part of the program.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Project(path) | Self::User(path) => Some(path),
            Self::BuiltIn => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Project(_) => "project",
            Self::User(_) => "user",
            Self::BuiltIn => "builtin",
        })
    }
}

/// Why the profiles could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    #[error("reading {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Every file that is wrong, each mistake as `file:line:column: what is wrong (what would be right)`.
    #[error("{}", .0.iter().map(|(path, mistakes)| mistakes.in_file(&path.display().to_string())).collect::<Vec<_>>().join("\n"))]
    Malformed(Vec<(PathBuf, Mistakes)>),
    #[error("profile `{name}` is in both {} and {}", first.display(), second.display())]
    Twice { name: String, first: PathBuf, second: PathBuf },
}

/// Loads every profile, by name. Of several with one name the nearest is given.
pub(crate) fn load(folders: &Folders) -> Result<Vec<Entry>, CatalogueError> {
    let mut found: BTreeMap<String, Entry> = BTreeMap::new();
    for (name, text) in builtin::PROFILES {
        let profile = profile::parse(text, name).expect("the built-in profiles are right; a test parses each");
        found.insert(profile.name.clone(), Entry { profile, text: text.to_owned(), source: Source::BuiltIn });
    }
    let mut malformed = Vec::new();
    for (folder, source) in [(&folders.user, Source::User as Layer), (&folders.project, Source::Project)] {
        if let Some(folder) = folder {
            found.extend(read_folder(folder, source, &mut malformed)?);
        }
    }
    if malformed.is_empty() { Ok(found.into_values().collect()) } else { Err(CatalogueError::Malformed(malformed)) }
}

/// Makes the source of a file.
type Layer = fn(PathBuf) -> Source;

fn read_folder(
    folder: &Path,
    source: Layer,
    malformed: &mut Vec<(PathBuf, Mistakes)>,
) -> Result<BTreeMap<String, Entry>, CatalogueError> {
    let mut found: BTreeMap<String, Entry> = BTreeMap::new();
    for path in profile_files(folder)? {
        let text = fs::read_to_string(&path).map_err(|source| CatalogueError::Read { path: path.clone(), source })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        match profile::parse(&text, &stem) {
            Ok(profile) => {
                let name = profile.name.clone();
                let entry = Entry { profile, text, source: source(path.clone()) };
                let first = found.insert(name.clone(), entry).and_then(|first| first.source.path().map(Path::to_owned));
                if let Some(first) = first {
                    return Err(CatalogueError::Twice { name, first, second: path });
                }
            }
            Err(mistakes) => malformed.push((path, mistakes)),
        }
    }
    Ok(found)
}

/// The markdown files of a folder in order of their names; hidden ones and a README are not profiles.
fn profile_files(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    let wrong = |source| CatalogueError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(wrong)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_markdown = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("md"));
        if is_markdown && !name.starts_with('.') && !name.eq_ignore_ascii_case("readme.md") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        folder
    }

    fn folders(project: &TempDir, user: &TempDir) -> Folders {
        Folders { project: Some(project.path().to_owned()), user: Some(user.path().to_owned()) }
    }

    fn named<'a>(entries: &'a [Entry], name: &str) -> &'a Entry {
        entries.iter().find(|entry| entry.profile.name == name).expect(name)
    }

    #[test]
    fn the_built_in_profiles_are_there_without_any_folder() {
        let entries = load(&Folders::default()).expect("profiles");
        assert_eq!(entries.len(), builtin::PROFILES.len());
        assert!(entries.iter().all(|entry| entry.source == Source::BuiltIn && !entry.profile.persona.is_empty()));
        let gone = Some(PathBuf::from("/nonexistent/profiles"));
        assert_eq!(load(&Folders { project: gone.clone(), user: gone }).expect("profiles"), entries);
    }

    #[test]
    fn a_nearer_profile_overrides_and_is_told_as_the_source() {
        let user = folder(&[("qa.md", "User qa."), ("developer.md", "User developer."), ("mine.md", "Mine.")]);
        let project = folder(&[("qa.md", "Project qa."), ("README.md", "Not one."), (".x.md", "x"), ("a.txt", "x")]);
        let entries = load(&folders(&project, &user)).expect("profiles");
        assert_eq!(entries.len(), builtin::PROFILES.len() + 1);
        for (name, source, persona) in
            [("qa", "project", "Project qa."), ("developer", "user", "User developer."), ("mine", "user", "Mine.")]
        {
            let entry = named(&entries, name);
            assert_eq!((entry.source.to_string().as_str(), entry.profile.persona.as_str()), (source, persona));
            assert_eq!(entry.text, persona);
        }
        assert_eq!(named(&entries, "qa").source.path(), Some(project.path().join("qa.md").as_path()));
        assert_eq!(named(&entries, "planner").source, Source::BuiltIn);
    }

    #[test]
    fn every_mistake_of_every_file_is_told_with_its_place() {
        let user = folder(&[("a.md", "---\nengine-class: odd\n---\nYou.\n")]);
        let project = folder(&[("b.md", "---\nretry: x\nfoo: 1\n---\nYou.\n"), ("c.md", "Fine.")]);
        let told = load(&folders(&project, &user)).expect_err("mistakes").to_string();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        for (line, (folder, place)) in
            lines.iter().zip([(&user, "a.md:2:15: "), (&project, "b.md:2:8: "), (&project, "b.md:3:1: ")])
        {
            let start = format!("{}/{place}", folder.path().display());
            assert!(line.starts_with(&start), "{line} does not start with {start}");
        }
    }

    #[test]
    fn one_name_twice_in_a_folder_is_refused() {
        let project = folder(&[("a.md", "---\nname: same\n---\nA."), ("b.md", "---\nname: same\n---\nB.")]);
        let error = load(&Folders { project: Some(project.path().to_owned()), user: None }).expect_err("refused");
        assert!(matches!(error, CatalogueError::Twice { name, .. } if name == "same"));
    }

    #[test]
    fn a_file_that_is_not_text_is_named() {
        let project = folder(&[]);
        fs::write(project.path().join("x.md"), [0xff, 0xfe]).expect("a file");
        let error = load(&Folders { project: Some(project.path().to_owned()), user: None }).expect_err("refused");
        assert!(error.to_string().starts_with("reading ") && error.to_string().ends_with("x.md"), "{error}");
    }
}
