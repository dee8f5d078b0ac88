//! The user's repository: found, judged and read, and written only through [`refs`](super::refs) and
//! [`transfer`](super::transfer).

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use git2::{BranchType, ErrorCode, Oid, Repository, RepositoryOpenFlags};

use super::{
    error::{During, WorkspaceError},
    program::{Git, Settings},
};

/// Where the work of a job starts from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The git directory that holds objects and refs; of a linked worktree, the one it shares.
    pub(crate) git_dir: PathBuf,
    /// The folder with the files; none when the repository is bare.
    pub(crate) checkout: Option<PathBuf>,
    /// Where in the checkout one stands; empty at its top.
    pub(crate) inside: PathBuf,
    /// The branch that the work starts from and ships into, without `refs/heads/`.
    pub(crate) base: String,
    pub(crate) base_commit: Oid,
}

/// Who commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) email: String,
}

impl Identity {
    /// Ours, where the user has none.
    pub(crate) fn ours() -> Self {
        Self { name: "fleet".to_owned(), email: "fleet@localhost".to_owned() }
    }
}

impl Source {
    /// Finds the repository that `path` lies in (a folder, a folder within one, a bare repository, or a `file://`
    /// address of either) and the branch to start from: `base`, else the one that is checked out.
    ///
    /// Only committed state counts, so a dirty checkout is fine; [`Self::dirty`] tells.
    pub(crate) fn open(path: &str, base: Option<&str>) -> Result<Self, WorkspaceError> {
        let path = local_path(path)?;
        let path = match fs::canonicalize(&path) {
            Ok(path) => path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(WorkspaceError::Missing { path });
            }
            Err(error) => return Err(error).during("read", &path),
        };
        let repo = discover(&path)?;
        refuse_what_cannot_work(&repo)?;
        let base = match base {
            Some(base) => base.trim_start_matches("refs/heads/").to_owned(),
            None => checked_out(&repo)?,
        };
        let base_commit = tip(&repo, &base)?;
        let checkout = repo.workdir().map(Path::to_owned);
        let inside = checkout
            .as_deref()
            .and_then(|top| path.strip_prefix(top).ok())
            .filter(|inside| path.is_dir() && !inside.starts_with(".git"))
            .map(Path::to_owned)
            .unwrap_or_default();
        Ok(Self { git_dir: repo.commondir().to_owned(), checkout, inside, base, base_commit })
    }

    /// Opens the repository for reading its objects and refs.
    pub(super) fn repository(&self) -> Result<Repository, WorkspaceError> {
        open(&self.git_dir)
    }

    /// How many tracked files of the checkout differ from what is committed, and so are not seen by an agent.
    pub(crate) fn dirty(&self) -> Result<usize, WorkspaceError> {
        self.checkout.as_deref().map_or(Ok(0), |checkout| Ok(changed_files(checkout)?.len()))
    }

    /// Whether the base commit has a file at `path`, relative to where one stands. A path that leads out is not judged.
    pub(crate) fn holds(&self, path: &Path) -> Result<bool, WorkspaceError> {
        if path.components().any(|part| part == Component::ParentDir) {
            return Ok(true);
        }
        let path: PathBuf = self.inside.join(path).components().filter(|part| *part != Component::CurDir).collect();
        let repo = self.repository()?;
        let tree = repo.find_commit(self.base_commit).and_then(|commit| commit.tree());
        match tree.during("read the base of", &self.git_dir)?.get_path(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error).during("read the base of", &self.git_dir),
        }
    }

    /// Who the user's settings say commits here; none without both a name and an address.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, WorkspaceError> {
        let repo = self.repository()?;
        let config = repo.config().during("read the settings of", &self.git_dir)?;
        let text = |key| config.get_string(key).ok().filter(|text| !text.trim().is_empty());
        Ok(text("user.name").zip(text("user.email")).map(|(name, email)| Identity { name, email }))
    }
}

/// Opens a repository that is known to be one.
pub(super) fn open(git_dir: &Path) -> Result<Repository, WorkspaceError> {
    Repository::open(git_dir).during("open the repository", git_dir)
}

/// Tracked files of a checkout that differ from HEAD, staged or not, as `git status` sees them; nothing is refreshed.
pub(crate) fn changed_files(checkout: &Path) -> Result<Vec<String>, WorkspaceError> {
    let said = Git::new(checkout, Settings::Users, "status")
        .args(["--porcelain=v1", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none"])
        .run()?;
    let lines = said.split(|byte| *byte == 0).filter(|line| line.len() > 3);
    Ok(lines.map(|line| String::from_utf8_lossy(&line[3..]).into_owned()).collect())
}

/// The path that an address means.
fn local_path(address: &str) -> Result<PathBuf, WorkspaceError> {
    let not_local = || WorkspaceError::NotLocal { address: address.to_owned() };
    if let Some(rest) = address.strip_prefix("file://") {
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        return if path.starts_with('/') { decode(path).ok_or_else(not_local) } else { Err(not_local()) };
    }
    let scp_like = address.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    if address.contains("://") || scp_like { Err(not_local()) } else { Ok(PathBuf::from(address)) }
}

/// Undoes percent-encoding; none when it is malformed.
fn decode(path: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

fn discover(path: &Path) -> Result<Repository, WorkspaceError> {
    Repository::open_ext(path, RepositoryOpenFlags::CROSS_FS, std::iter::empty::<&Path>()).map_err(|error| {
        let what = error.message().to_owned();
        match error.code() {
            ErrorCode::NotFound => WorkspaceError::NotARepository { path: path.to_owned() },
            ErrorCode::Owner => WorkspaceError::Unsupported {
                path: path.to_owned(),
                what: "it belongs to another user".to_owned(),
                remedy: "if you trust it, run `git config --global --add safe.directory` with its path",
            },
            _ if what.contains("extension") || what.contains("object format") || what.contains("version") => {
                WorkspaceError::Unsupported {
                    path: path.to_owned(),
                    what,
                    remedy: "it takes a full repository with SHA-1 objects and ref files (`git clone --no-local` makes one)",
                }
            }
            _ => WorkspaceError::Git { verb: "open the repository", path: path.to_owned(), source: error },
        }
    })
}

/// Conditions that would only come up half-way.
fn refuse_what_cannot_work(repo: &Repository) -> Result<(), WorkspaceError> {
    let path = repo.commondir();
    let refuse =
        |what: &str, remedy| Err(WorkspaceError::Unsupported { path: path.to_owned(), what: what.to_owned(), remedy });
    let config = repo.config().during("read the settings of", path)?;
    let mut promisors = config.entries(Some(r"^remote\..*\.promisor$")).during("read the settings of", path)?;
    if promisors.next().is_some() {
        return refuse(
            "it is a partial clone, whose missing objects a private clone cannot fetch",
            "complete it with `git fetch --refetch --no-filter`, then unset `remote.<name>.promisor`",
        );
    }
    if repo.find_reference("refs/heads/fleet").is_ok() {
        return refuse("a branch named `fleet` stands in the way of `fleet/…`", "rename it with `git branch -m`");
    }
    if path.to_str().is_none_or(|path| path.contains('\n')) {
        return refuse("its path is not UTF-8 text on one line", "rename the folder");
    }
    Ok(())
}

/// The branch that HEAD names.
fn checked_out(repo: &Repository) -> Result<String, WorkspaceError> {
    let path = || repo.workdir().unwrap_or_else(|| repo.path()).to_owned();
    if repo.head_detached().during("read HEAD of", repo.path())? {
        return Err(WorkspaceError::DetachedHead { path: path() });
    }
    let head = repo.find_reference("HEAD").during("read HEAD of", repo.path())?;
    let name = head.symbolic_target().during("read HEAD of", repo.path())?.unwrap_or_default();
    Ok(name.trim_start_matches("refs/heads/").to_owned())
}

/// The commit of a branch.
fn tip(repo: &Repository, base: &str) -> Result<Oid, WorkspaceError> {
    let path = repo.workdir().unwrap_or_else(|| repo.path()).to_owned();
    match repo.find_branch(base, BranchType::Local) {
        Ok(branch) => Ok(branch.get().peel_to_commit().during("read the base of", &path)?.id()),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {
            let branches = branches(repo)?;
            if branches.is_empty() {
                return Err(WorkspaceError::NoCommits { path });
            }
            let near = nearest(base, branches);
            Err(WorkspaceError::UnknownBase { path, base: base.to_owned(), near })
        }
        Err(error) => Err(error).during("read the base of", &path),
    }
}

fn branches(repo: &Repository) -> Result<Vec<String>, WorkspaceError> {
    let mut names = Vec::new();
    for branch in repo.branches(Some(BranchType::Local)).during("list the branches of", repo.path())? {
        let (branch, _) = branch.during("list the branches of", repo.path())?;
        names.push(
            String::from_utf8_lossy(branch.name_bytes().during("list the branches of", repo.path())?).into_owned(),
        );
    }
    Ok(names)
}

/// At most three of `names`, the likeliest meant first.
fn nearest(wanted: &str, mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.starts_with("fleet/"));
    names.sort_by_cached_key(|name| (distance(wanted, name), name.clone()));
    names.truncate(3);
    names
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A folder that has a branch checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkout {
    pub(crate) path: PathBuf,
    /// Without `refs/heads/`.
    pub(crate) branch: String,
}

/// The folders that have a branch of this repository checked out: its own, and linked worktrees that are still there.
pub(crate) fn checkouts(repo: &Repository) -> Result<Vec<Checkout>, WorkspaceError> {
    let common = repo.commondir();
    let own = open(common)?.workdir().map(|path| (common.to_owned(), path.to_owned()));
    let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten().filter_map(|entry| {
        let link = fs::read_to_string(entry.path().join("gitdir")).ok()?;
        // A relative link starts at the entry itself.
        let path = fs::canonicalize(entry.path().join(link.trim())).ok()?;
        Some((entry.path(), path.parent()?.to_owned()))
    });
    let branch = |(git_dir, path): (PathBuf, PathBuf)| {
        let head = fs::read_to_string(git_dir.join("HEAD")).ok()?;
        Some(Checkout { path, branch: head.trim().strip_prefix("ref: refs/heads/")?.to_owned() })
    };
    Ok(own.into_iter().chain(linked).filter_map(branch).collect())
}
