//! What a branch changes against its base.
//!
//! Counts and paths are read in-process. The text comes from the program `git`, since it has to be what
//! `git diff base...branch` prints, down to abbreviations and quoting; no external diff or text conversion runs.

use std::path::Path;

use fleet_protocol::job::DiffStat;
use git2::{Diff, DiffFindOptions, DiffOptions, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::{
    error::{During, WorkspaceError},
    program::{Git, Settings},
    source,
};

/// The unified diff of `base...branch`, both branches, full ref names or commit ids.
pub(crate) fn text(git_dir: &Path, base: &str, branch: &str) -> Result<Vec<u8>, WorkspaceError> {
    Git::new(git_dir, Settings::None, "diff")
        .args(["--no-ext-diff", "--no-textconv", "--no-color", "--end-of-options"])
        .args([format!("{base}...{branch}"), "--".to_owned()])
        .run()
}

/// Where `head` left `base`; the base itself when they have nothing in common.
pub(super) fn fork(repo: &Repository, base: Oid, head: Oid) -> Result<Oid, WorkspaceError> {
    match repo.merge_base(base, head) {
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(base),
        found => found.during("compare histories in", repo.path()),
    }
}

pub(super) fn between(repo: &Repository, from: Oid, to: Oid) -> Result<DiffStat, WorkspaceError> {
    let count = || -> Result<DiffStat, git2::Error> {
        let mut diff = trees(repo, from, to)?;
        diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
        let stats = diff.stats()?;
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(DiffStat {
            files: wide(stats.files_changed()),
            added: wide(stats.insertions()),
            deleted: wide(stats.deletions()),
        })
    };
    count().during("compare commits in", repo.path())
}

/// Paths that differ, sorted; a moved file counts with both of its names.
pub(super) fn paths(repo: &Repository, from: Oid, to: Oid) -> Result<Vec<String>, WorkspaceError> {
    let diff = trees(repo, from, to).during("compare commits in", repo.path())?;
    let path = |delta: git2::DiffDelta<'_>| {
        let bytes = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes());
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    Ok(diff.deltas().filter_map(path).collect())
}

/// The difference of two commits' trees, as every rule here reads it.
pub(super) fn trees(repo: &Repository, from: Oid, to: Oid) -> Result<Diff<'_>, git2::Error> {
    let tree = |oid| repo.find_commit(oid)?.tree();
    let mut options = DiffOptions::new();
    options.indent_heuristic(true);
    repo.diff_tree_to_tree(Some(&tree(from)?), Some(&tree(to)?), Some(&mut options))
}

/// One file of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStat {
    /// Its new name, where it moved.
    pub(crate) path: String,
    /// Lines added; none in a binary file.
    pub(crate) added: u64,
    pub(crate) deleted: u64,
}

/// The files of `base...branch`, by path; names as for [`text`].
pub(crate) fn files(git_dir: &Path, base: &str, branch: &str) -> Result<Vec<FileStat>, WorkspaceError> {
    let repo = source::open(git_dir)?;
    let commit = |name: &str| Ok::<_, git2::Error>(repo.revparse_single(name)?.peel_to_commit()?.id());
    let (base, head) =
        (commit(base).during("find a branch in", git_dir)?, commit(branch).during("find a branch in", git_dir)?);
    let from = fork(&repo, base, head)?;
    per_file(&repo, from, head).during("compare commits in", git_dir)
}

fn per_file(repo: &Repository, from: Oid, to: Oid) -> Result<Vec<FileStat>, git2::Error> {
    let mut diff = trees(repo, from, to)?;
    diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
    let mut files = Vec::new();
    for (index, delta) in diff.deltas().enumerate() {
        let bytes = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes()).unwrap_or_default();
        let (added, deleted) = match git2::Patch::from_diff(&diff, index)? {
            Some(patch) => patch.line_stats().map(|(_, added, deleted)| (added, deleted))?,
            None => (0, 0),
        };
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        files.push(FileStat {
            path: String::from_utf8_lossy(bytes).into_owned(),
            added: wide(added),
            deleted: wide(deleted),
        });
    }
    Ok(files)
}
