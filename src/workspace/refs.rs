//! The only writer of refs in the user's repository.
//!
//! It writes `refs/heads/fleet/*` and `refs/fleet/*`, compares before it swaps, and waits out the short locks of ten jobs
//! at once. (A base branch is moved by [`ship`](crate::ship), at a person's word.)

use std::{fs, thread, time::Duration};

use fleet_protocol::JobId;
use git2::{ErrorClass, ErrorCode, Oid, Repository};

use super::error::{During, WorkspaceError};

/// What a ref must be for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Whatever it is.
    Anything,
    /// Not there.
    Absent,
    /// Exactly this.
    Commit(Oid),
}

/// Whether a compare-and-swap took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Yes,
    /// The ref was not as expected; nothing changed.
    No,
}

/// How long a lock of another process is waited for: 100 × 20 ms.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// The ref that keeps the base while a clone borrows its objects.
pub(super) fn base_ref(job: &JobId) -> String {
    format!("refs/fleet/base/{job}")
}

/// The ref that keeps the work.
pub(super) fn wip_ref(job: &JobId) -> String {
    format!("refs/fleet/wip/{job}")
}

/// Where further branches of a job are kept.
pub(super) fn side_prefix(job: &JobId) -> String {
    format!("refs/fleet/side/{job}/")
}

/// Sets one of our refs.
pub(super) fn set(repo: &Repository, name: &str, to: Oid, expect: Expect) -> Result<Moved, WorkspaceError> {
    guard(name)?;
    match swap(repo, name, to, expect, "fleet") {
        Err(WorkspaceError::Git { source, .. }) if source.code() == ErrorCode::Locked && unlock(repo, name) => {
            swap(repo, name, to, expect, "fleet")
        }
        done => done,
    }
}

/// Takes away a lock of one of our refs that a killed process left: only we lock them, for an instant, and this one is
/// older than all our patience. True when it did.
fn unlock(repo: &Repository, name: &str) -> bool {
    let lock = repo.commondir().join(format!("{name}.lock"));
    let age = fs::metadata(&lock).and_then(|meta| meta.modified()).ok().and_then(|then| then.elapsed().ok());
    age.is_some_and(|age| age > PAUSE * TRIES) && fs::remove_file(&lock).is_ok()
}

/// Deletes one of our refs if it is `at` this commit; none of ours may be in use by then.
pub(super) fn delete(repo: &Repository, name: &str, at: Oid) -> Result<Moved, WorkspaceError> {
    guard(name)?;
    let attempt = || match repo.find_reference(name) {
        Ok(mut reference) if reference.target() == Some(at) => reference.delete().map(|()| Moved::Yes),
        Ok(_) => Ok(Moved::No),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Moved::Yes),
        Err(error) => Err(error),
    };
    patiently(attempt).during("delete a ref of", repo.path())
}

/// Sets any ref, if it is as expected.
pub(crate) fn swap(repo: &Repository, name: &str, to: Oid, expect: Expect, why: &str) -> Result<Moved, WorkspaceError> {
    let attempt = || {
        let done = match expect {
            Expect::Anything => repo.reference(name, to, true, why),
            Expect::Absent => repo.reference(name, to, false, why),
            Expect::Commit(at) => repo.reference_matching(name, to, true, at, why),
        };
        match done {
            Ok(_) => Ok(Moved::Yes),
            Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists) => Ok(Moved::No),
            Err(error) if error.code() == ErrorCode::NotFound && matches!(expect, Expect::Commit(_)) => Ok(Moved::No),
            Err(error) => Err(error),
        }
    };
    patiently(attempt).during("write a ref of", repo.path())
}

/// The commit of a ref, even if it is gone; none when there is no such ref.
pub(crate) fn commit_of(repo: &Repository, name: &str) -> Result<Option<Oid>, WorkspaceError> {
    match repo.find_reference(name) {
        Ok(reference) => match (reference.peel_to_commit(), reference.target()) {
            (Ok(commit), _) => Ok(Some(commit.id())),
            (Err(error), Some(target)) if error.code() == ErrorCode::NotFound => Ok(Some(target)),
            (Err(error), _) => Err(error).during("read a ref of", repo.path()),
        },
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(None),
        Err(error) => Err(error).during("read a ref of", repo.path()),
    }
}

/// Every ref below `prefix`, with its commit.
pub(super) fn below(repo: &Repository, prefix: &str) -> Result<Vec<(String, Oid)>, WorkspaceError> {
    let mut found = Vec::new();
    for reference in repo.references_glob(&format!("{prefix}*")).during("list the refs of", repo.path())? {
        let reference = reference.during("list the refs of", repo.path())?;
        let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
        if let Ok(commit) = reference.peel_to_commit() {
            found.push((name, commit.id()));
        }
    }
    Ok(found)
}

/// Whether fleet may write the ref.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with("refs/heads/fleet/") || name.starts_with("refs/fleet/")
}

fn guard(name: &str) -> Result<(), WorkspaceError> {
    if is_ours(name) { Ok(()) } else { Err(WorkspaceError::ProtectedBranch { name: name.to_owned() }) }
}

/// Tries again while another process holds a lock, or removes the folder that the ref was to lie in.
fn patiently<T>(attempt: impl Fn() -> Result<T, git2::Error>) -> Result<T, git2::Error> {
    let mut tries = 0;
    loop {
        match attempt() {
            Err(error) if passing(&error) && tries < TRIES => {
                tries += 1;
                thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

fn passing(error: &git2::Error) -> bool {
    error.code() == ErrorCode::Locked || (error.class() == ErrorClass::Os && error.message().contains("No such file"))
}
