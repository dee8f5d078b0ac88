//! What can go wrong with a workspace, each with what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why a workspace could not be made, read or brought home.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("`{}` does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("`{address}` is no local repository; clone it and name the folder")]
    NotLocal { address: String },
    #[error("`{}` is not in a git repository; run `git init` there, commit, and try again", path.display())]
    NotARepository { path: PathBuf },
    #[error("the repository `{}` has no commit yet; commit something, and try again", path.display())]
    NoCommits { path: PathBuf },
    #[error("HEAD of `{}` is detached, so there is no base; name one with `base:`, or `git switch` to a branch", path.display())]
    DetachedHead { path: PathBuf },
    #[error("the base `{base}` is no branch of `{}`{}", path.display(), near_text(near))]
    UnknownBase { path: PathBuf, base: String, near: Vec<String> },
    #[error("the repository `{}` cannot be used: {what}; {remedy}", path.display())]
    Unsupported { path: PathBuf, what: String, remedy: &'static str },
    /// Something that is not this run's stands where its workspace should.
    #[error("the workspace `{}` is not clean: {reason}", path.display())]
    DirtyWorkspace { path: PathBuf, reason: String },
    /// The commit to start from is gone or broken; a fresh start from the base is possible.
    #[error("the checkpoint {commit} cannot be used: {reason}")]
    UnusableCheckpoint { commit: String, reason: String },
    /// Refused on principle: only `refs/heads/fleet/*` and `refs/fleet/*` are ours.
    #[error("`{name}` is not a ref that fleet writes")]
    ProtectedBranch { name: String },
    #[error("the work is not saved under any ref, so `{}` stays", path.display())]
    NotSaved { path: PathBuf },
    #[error("nothing is saved for the job {job} in `{}`", path.display())]
    NothingSaved { job: String, path: PathBuf },
    #[error("an object in `{}` is broken: {reason}", path.display())]
    BrokenObject { path: PathBuf, reason: String },
    #[error("the program `git` cannot be started; is it installed and in PATH?")]
    NoGit { source: io::Error },
    #[error("`git {what}` failed: {said}")]
    Program { what: String, said: String },
    #[error("`git {what}` did not end within {} s", limit.as_secs())]
    TooSlow { what: String, limit: Duration },
    #[error("cannot {verb} `{}`: {source}", path.display())]
    Io { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {verb} `{}`: {}", path.display(), source.message())]
    Git { verb: &'static str, path: PathBuf, source: git2::Error },
    #[error("cannot read `{}`: {source}", path.display())]
    Record { path: PathBuf, source: serde_json::Error },
    #[error("the scope `{glob}` is no glob: {source}")]
    Scope { glob: String, source: globset::Error },
}

fn near_text(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; there is `{}`", near.join("`, `")),
    }
}

/// Says what was being done, and to what, when it failed.
pub(crate) trait During<T> {
    /// `verb` completes "cannot … PATH".
    fn during(self, verb: &'static str, path: &Path) -> Result<T, WorkspaceError>;
}

impl<T> During<T> for Result<T, io::Error> {
    fn during(self, verb: &'static str, path: &Path) -> Result<T, WorkspaceError> {
        self.map_err(|source| WorkspaceError::Io { verb, path: path.to_owned(), source })
    }
}

impl<T> During<T> for Result<T, git2::Error> {
    fn during(self, verb: &'static str, path: &Path) -> Result<T, WorkspaceError> {
        self.map_err(|source| WorkspaceError::Git { verb, path: path.to_owned(), source })
    }
}
