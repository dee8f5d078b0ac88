//! Merges one branch into another.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use git2::{Oid, Repository, Signature};

use crate::workspace::{
    Checkout, During, Expect, Git, Identity, Landing, Moved, Settings, WorkspaceError, changed_files, checkouts,
    commit_of, landing, swap,
};

/// What to merge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merge<'a> {
    /// The git directory of the repository, or its checkout.
    pub(crate) repo: &'a Path,
    /// The branch that receives, without `refs/heads/`.
    pub(crate) base: &'a str,
    /// The branch that is merged, without `refs/heads/`.
    pub(crate) branch: &'a str,
    /// What to merge when there is no such branch any more.
    pub(crate) head: Option<Oid>,
    /// Of the merge commit; names the job.
    pub(crate) message: &'a str,
    pub(crate) identity: &'a Identity,
    /// The queue's folder. Its files are moved by fleet itself, so changes below it do not make a checkout dirty.
    pub(crate) queue: Option<&'a Path>,
}

/// The base holds the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shipped {
    /// The commit of the base that brought it.
    pub(crate) commit: Oid,
    /// It was there before.
    pub(crate) already: bool,
    /// A checkout of the base was brought along.
    pub(crate) followed_checkout: bool,
}

/// Why nothing was merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShipError {
    #[error("there is no branch `{branch}` in `{}`", repo.display())]
    NoBranch { repo: PathBuf, branch: String },
    #[error("`{}` has changes that are not committed ({}); commit or stash them, then ship again", checkout.display(), listed(files))]
    Dirty { checkout: PathBuf, files: Vec<String> },
    #[error("`{branch}` conflicts with `{base}` in {}; request changes, or merge it by hand", listed(files))]
    Conflict { base: String, branch: String, files: Vec<String> },
    #[error("`{branch}` and `{base}` have no history in common")]
    Unrelated { base: String, branch: String },
    #[error("`{base}` is checked out more than once ({}); leave it in all but one", listed(paths))]
    SeveralCheckouts { base: String, paths: Vec<String> },
    /// Git itself would not move the checkout, for example because an untracked file would be overwritten.
    #[error("the checkout `{}` cannot follow: {reason}", checkout.display())]
    CannotFollow { checkout: PathBuf, reason: String },
    #[error("`{base}` keeps moving; ship again")]
    Busy { base: String },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

fn listed(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = items.iter().take(SHOWN).map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{shown} and {} more", items.len() - SHOWN) } else { shown }
}

/// How often a base that moved under a merge is merged with again, and after how long.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Merges `branch` into `base`, always with a merge commit (so that the job can be seen, and reverted, as one), unless the
/// work is there already.
pub(crate) fn merge(wanted: &Merge<'_>) -> Result<Shipped, ShipError> {
    let repo = Repository::open(wanted.repo).during("open the repository", wanted.repo)?;
    for _ in 0..TRIES {
        let base = tip(&repo, wanted.base)?;
        let head = match (tip(&repo, wanted.branch), wanted.head) {
            (Err(ShipError::NoBranch { .. }), Some(head)) if repo.find_commit(head).is_ok() => head,
            (head, _) => head?,
        };
        let commit = match combine(&repo, wanted, base, head)? {
            Combined::There(commit) => return Ok(Shipped { commit, already: true, followed_checkout: false }),
            Combined::New(commit) => commit,
        };
        let checkout = checkout_of(&repo, wanted.base)?;
        let moved = match &checkout {
            Some(checkout) => follow(wanted, checkout, commit)?,
            None => {
                let name = format!("refs/heads/{}", wanted.base);
                swap(&repo, &name, commit, Expect::Commit(base), &format!("fleet ship: {}", wanted.branch))?
            }
        };
        if moved == Moved::Yes {
            return Ok(Shipped { commit, already: false, followed_checkout: checkout.is_some() });
        }
        thread::sleep(PAUSE);
    }
    Err(ShipError::Busy { base: wanted.base.to_owned() })
}

fn tip(repo: &Repository, branch: &str) -> Result<Oid, ShipError> {
    commit_of(repo, &format!("refs/heads/{branch}"))?
        .ok_or_else(|| ShipError::NoBranch { repo: repo.path().to_owned(), branch: branch.to_owned() })
}

/// What a merge comes to.
enum Combined {
    /// The base holds the work since this commit.
    There(Oid),
    /// A merge commit, which no ref leads to yet.
    New(Oid),
}

fn combine(repo: &Repository, wanted: &Merge<'_>, base: Oid, head: Oid) -> Result<Combined, ShipError> {
    let (ours, theirs) = (find(repo, base)?, find(repo, head)?);
    let fork = match repo.merge_base(base, head) {
        Ok(fork) if fork == head => return Ok(Combined::There(brought_by(repo, base, head)?)),
        Ok(fork) => fork,
        Err(error) if error.code() == git2::ErrorCode::NotFound => {
            return Err(ShipError::Unrelated { base: wanted.base.to_owned(), branch: wanted.branch.to_owned() });
        }
        Err(error) => return Err(error).during("compare histories in", repo.path())?,
    };
    // Merged by hand as one commit: merging once more would at best do nothing, at worst conflict with itself.
    if let Landing::Squashed(commit) = landing(repo, base, (fork, head))? {
        return Ok(Combined::There(commit));
    }
    let mut index = repo.merge_commits(&ours, &theirs, None).during("merge in", repo.path())?;
    if index.has_conflicts() {
        let files = conflicts(&index).during("read the conflicts in", repo.path())?;
        return Err(ShipError::Conflict { base: wanted.base.to_owned(), branch: wanted.branch.to_owned(), files });
    }
    let tree = index.write_tree_to(repo).during("write the merge into", repo.path())?;
    if tree == ours.tree_id() {
        return Ok(Combined::There(base));
    }
    let write = || {
        let who = Signature::now(&wanted.identity.name, &wanted.identity.email)?;
        let tree = repo.find_tree(tree)?;
        repo.commit(None, &who, &who, wanted.message, &tree, &[&ours, &theirs])
    };
    Ok(Combined::New(write().during("write the merge into", repo.path())?))
}

fn find(repo: &Repository, commit: Oid) -> Result<git2::Commit<'_>, WorkspaceError> {
    repo.find_commit(commit).during("read a commit of", repo.path())
}

fn conflicts(index: &git2::Index) -> Result<Vec<String>, git2::Error> {
    let mut files = Vec::new();
    for conflict in index.conflicts()? {
        let conflict = conflict?;
        let side = conflict.our.or(conflict.their).or(conflict.ancestor);
        files.extend(side.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The commit of the base's own line that brought `head`, which it holds.
fn brought_by(repo: &Repository, base: Oid, head: Oid) -> Result<Oid, WorkspaceError> {
    let search = || -> Result<Oid, git2::Error> {
        let mut at = base;
        while let Ok(before) = repo.find_commit(at)?.parent_id(0) {
            if before != head && !repo.graph_descendant_of(before, head)? {
                break;
            }
            at = before;
        }
        Ok(at)
    };
    search().during("compare histories in", repo.path())
}

fn checkout_of(repo: &Repository, base: &str) -> Result<Option<Checkout>, ShipError> {
    let mut found: Vec<Checkout> = checkouts(repo)?.into_iter().filter(|checkout| checkout.branch == base).collect();
    if found.len() > 1 {
        let paths = found.iter().map(|checkout| checkout.path.display().to_string()).collect();
        return Err(ShipError::SeveralCheckouts { base: base.to_owned(), paths });
    }
    Ok(found.pop())
}

/// Moves a checkout, its branch with it, to a commit that comes after it, unless the branch moved meanwhile.
///
/// The program does this, with the user's settings: their filters (Git LFS, line endings) have to shape the files. Their
/// hooks do not run, for a hook that lies in the tree may be the agent's.
fn follow(wanted: &Merge<'_>, checkout: &Checkout, commit: Oid) -> Result<Moved, ShipError> {
    let path = &checkout.path;
    let dirty = dirt(path, wanted.queue)?;
    if !dirty.is_empty() {
        return Err(ShipError::Dirty { checkout: path.clone(), files: dirty });
    }
    let merge = Git::new(path, Settings::Users, "merge").args(["--quiet", "--no-verify-signatures", "--no-autostash"]);
    match merge.args(["--ff-only", &commit.to_string()]).run() {
        Ok(_) => Ok(Moved::Yes),
        // The branch moved, or another program just looks at the checkout.
        Err(WorkspaceError::Program { said, .. }) if said.contains("fast-forward") || said.contains("index.lock") => {
            Ok(Moved::No)
        }
        Err(WorkspaceError::Program { said, .. }) => {
            Err(ShipError::CannotFollow { checkout: path.clone(), reason: said })
        }
        Err(error) => Err(error.into()),
    }
}

/// Changed tracked files, but for those in the queue's folder.
fn dirt(checkout: &Path, queue: Option<&Path>) -> Result<Vec<String>, ShipError> {
    let queue = queue.map(|queue| std::fs::canonicalize(queue).unwrap_or_else(|_| queue.to_owned()));
    let checkout = std::fs::canonicalize(checkout).during("read", checkout)?;
    let ours = queue.as_deref().and_then(|queue| queue.strip_prefix(&checkout).ok());
    let mut files = changed_files(&checkout)?;
    files.retain(|file| !ours.is_some_and(|ours| Path::new(file).starts_with(ours)));
    Ok(files)
}
