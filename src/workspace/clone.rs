//! A pristine `.git` that borrows another repository's objects: made by hand, so that nothing of the user's settings,
//! hooks or remotes gets into it and its refs cost nothing.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use git2::{Config, Oid, Repository, RepositoryInitOptions};

use super::{
    error::{During, WorkspaceError},
    source::Identity,
};

/// What a private clone is to look like.
pub(super) struct Seat<'a> {
    /// What HEAD is on.
    pub(super) head: HeadAt<'a>,
    pub(super) commit: Oid,
    /// Further refs, full names.
    pub(super) refs: Vec<(String, Oid)>,
    /// Object folders to read from.
    pub(super) borrowed: &'a [PathBuf],
    pub(super) identity: &'a Identity,
    /// Ignore rules besides those of the tree.
    pub(super) exclude: &'a [u8],
    /// Where the borrowed history ends, when the repository is shallow.
    pub(super) shallow: Option<&'a [u8]>,
}

#[derive(Clone, Copy)]
pub(super) enum HeadAt<'a> {
    Branch(&'a str),
    Detached,
}

/// Beyond what `git init` writes: an unattended commit may not ask for a key, and nothing repacks behind our back.
const SETTINGS: &str = "[core]\n\tlogAllRefUpdates = true\n\tfsmonitor = false\n[commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n\
     [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[push]\n\tdefault = nothing\n";

impl Seat<'_> {
    /// Makes the git directory `at`, which must not exist.
    pub(super) fn make(&self, at: &Path) -> Result<(), WorkspaceError> {
        bare_bones(at, self.borrowed, self.exclude, self.shallow)?;
        let config = at.join("config");
        append(&config, SETTINGS.as_bytes())?;
        let mut settings = Config::open(&config).during("write", &config)?;
        settings.set_str("user.name", &self.identity.name).during("write", &config)?;
        settings.set_str("user.email", &self.identity.email).during("write", &config)?;
        let head = match self.head {
            HeadAt::Branch(branch) => {
                let path = at.join("refs/heads").join(branch);
                let folder = path.parent().expect("a branch lies in a folder");
                fs::create_dir_all(folder).during("create", folder)?;
                fs::write(&path, format!("{}\n", self.commit)).during("write", &path)?;
                format!("ref: refs/heads/{branch}\n")
            }
            HeadAt::Detached => format!("{}\n", self.commit),
        };
        fs::write(at.join("HEAD"), head).during("write", at)?;
        let packed = at.join("packed-refs");
        fs::write(&packed, packed_refs(&self.refs)).during("write", &packed)
    }
}

/// What an agent may want to compare with: the base, under both of its usual names, and the tags.
pub(super) fn context_refs(
    repo: &Repository,
    (base, commit): (&str, Oid),
    branch: &str,
) -> Result<Vec<(String, Oid)>, WorkspaceError> {
    let mut refs = vec![(format!("refs/remotes/origin/{base}"), commit)];
    if base != branch {
        refs.push((format!("refs/heads/{base}"), commit));
    }
    let path = repo.path();
    for tag in repo.references_glob("refs/tags/*").during("list the tags of", path)? {
        let tag = tag.during("list the tags of", path)?;
        if let (Ok(name), Some(target)) = (tag.name(), tag.target()) {
            refs.push((name.to_owned(), target));
        }
    }
    Ok(refs)
}

/// A git directory without refs, hooks or remotes.
pub(super) fn bare_bones(
    at: &Path,
    borrowed: &[PathBuf],
    exclude: &[u8],
    shallow: Option<&[u8]>,
) -> Result<(), WorkspaceError> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).external_template(false).mkpath(true);
    drop(Repository::init_opts(at, &options).during("create", at)?);
    let hooks = at.join("hooks");
    fs::remove_dir_all(&hooks).during("empty", &hooks)?;
    let config = at.join("config");
    // It is not bare, it is only made apart from its files.
    Config::open(&config).and_then(|mut config| config.set_bool("core.bare", false)).during("write", &config)?;
    let info = at.join("objects/info");
    fs::create_dir_all(&info).during("create", &info)?;
    let alternates = info.join("alternates");
    fs::write(&alternates, alternates_text(borrowed)).during("write", &alternates)?;
    let rules = at.join("info/exclude");
    fs::write(&rules, exclude).during("write", &rules)?;
    if let Some(shallow) = shallow {
        fs::write(at.join("shallow"), shallow).during("write", at)?;
    }
    Ok(())
}

/// The object folders that reading from `objects` reads: itself, and what it borrows from in turn, each once.
pub(super) fn object_folders(objects: &Path) -> Vec<PathBuf> {
    let mut folders = vec![objects.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        let text = fs::read_to_string(folder.join("info/alternates")).unwrap_or_default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let borrowed = folder.join(line);
            let borrowed = fs::canonicalize(&borrowed).unwrap_or(borrowed);
            if !folders.contains(&borrowed) {
                folders.push(borrowed);
            }
        }
    }
    folders
}

/// The content of `objects/info/alternates`.
pub(super) fn alternates_text(folders: &[PathBuf]) -> Vec<u8> {
    folders.iter().flat_map(|folder| [folder.as_os_str().as_encoded_bytes(), b"\n"].concat()).collect()
}

/// The user's ignore rules that lie outside the tree: of the repository, and of the user.
pub(super) fn users_ignore_rules(repo: &Repository) -> Vec<u8> {
    let configured = repo.config().and_then(|config| config.get_path("core.excludesFile")).ok();
    let default = || {
        let base = std::env::var_os("XDG_CONFIG_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
        Some(base.or_else(|| Some(std::env::home_dir()?.join(".config")))?.join("git/ignore"))
    };
    let own = Some(repo.commondir().join("info/exclude"));
    let mut rules = Vec::new();
    for file in [configured.or_else(default), own].into_iter().flatten() {
        // Rules that cannot be read are no rules, as for git itself.
        rules.extend(fs::read(file).unwrap_or_default());
        rules.push(b'\n');
    }
    rules
}

fn packed_refs(refs: &[(String, Oid)]) -> String {
    let mut refs: Vec<_> = refs.iter().collect();
    refs.sort();
    let mut text = String::from("# pack-refs with: sorted \n");
    for (name, oid) in refs {
        writeln!(text, "{oid} {name}").expect("a string can always be written to");
    }
    text
}

fn append(path: &Path, bytes: &[u8]) -> Result<(), WorkspaceError> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).open(path).during("open", path)?;
    file.write_all(bytes).during("write", path)
}
