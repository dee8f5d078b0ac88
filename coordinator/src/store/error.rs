//! What can go wrong in the store: at opening, at reading, at committing.

use std::path::PathBuf;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder of the database cannot be made.
    #[error("cannot create the folder {}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// Another program's database, or no database at all.
    #[error("{} is not a database of fleet", path.display())]
    Foreign { path: PathBuf },
    /// Written by a later version of this program. Nothing was changed.
    #[error("{} was written by a newer fleet (schema {found}, this one knows up to {known}); update fleet", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// SQLite refused.
    #[error("cannot open the database {}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
}

/// Why a read failed, or a write was not even judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refused.
    #[error("the database refused to {doing}")]
    Database { doing: &'static str, source: rusqlite::Error },
    /// No transaction could be begun: another process held the file too long, or it cannot be written. Nothing was
    /// written.
    #[error("the database cannot be written now: {reason}")]
    Busy { reason: String },
    /// More writes wait than the store takes on; nothing was written.
    #[error("too many writes wait already")]
    Full,
    /// The commit failed on its way to the disk: what it held may or may not be there.
    #[error("a commit failed, its outcome is unknown: {reason}")]
    Unknown { reason: String },
    /// The writing thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// For `map_err`: names what was being done.
    pub(super) fn doing(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

/// Why a commit changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The job, or its lease, is no longer as it was read. Read again and decide again.
    #[error("the job changed meanwhile")]
    Conflict,
    /// Another job has this id.
    #[error("the id is taken")]
    IdTaken,
    /// Another job of the product has this file name.
    #[error("the file name is taken")]
    FileTaken,
    /// Another job of the product has this idempotency key.
    #[error("the idempotency key is taken")]
    KeyTaken,
    /// A job with the same lock runs.
    #[error("the lock is taken")]
    LockTaken,
    /// A living lease was granted under this claim's key.
    #[error("the claim was granted already")]
    ClaimTaken,
    /// The factory holds as many jobs as it has seats.
    #[error("no seat is free")]
    NoSeat,
    /// An answer stands under this request's key.
    #[error("the request was answered already")]
    AnswerTaken,
    /// The dependencies would form a circle; the jobs on it as written, from the new one back to itself.
    #[error("the dependencies form a circle: {}", path.join(" → "))]
    Cycle { path: Vec<String> },
    /// Not judged at all.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for CommitError {
    /// A broken constraint has a meaning; anything else is the database's trouble.
    fn from(source: rusqlite::Error) -> Self {
        if let rusqlite::Error::SqliteFailure(_, Some(message)) = &source {
            match message.strip_prefix("UNIQUE constraint failed: ") {
                Some("jobs.id") => return Self::IdTaken,
                Some("jobs.product, jobs.file") => return Self::FileTaken,
                Some("jobs.product, jobs.idempotency_key") => return Self::KeyTaken,
                Some("jobs.product, jobs.lock") => return Self::LockTaken,
                Some("leases.product, leases.claim_key") => return Self::ClaimTaken,
                Some("answers.product, answers.key") => return Self::AnswerTaken,
                _ => {}
            }
        }
        Self::Store(StoreError::Database { doing: "write", source })
    }
}
