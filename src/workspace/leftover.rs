//! What lies in the folder of all workspaces, whoever left it, and how it is taken away without losing work.

use std::{
    fs,
    path::{Path, PathBuf},
};

use fleet_protocol::JobId;

use super::{
    cleanup::{self, Trash},
    error::{During, WorkspaceError},
    folder,
    prepare::Workspace,
    refs,
};

/// Something in the folder of all workspaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A workspace, in which there may be work.
    Workspace(JobId),
    /// Somebody died while making one. There is no work in it.
    HalfMade(JobId),
    /// It waits to be deleted; its work is saved. True: this process is at it.
    Trash { ours: bool },
    /// Not fleet's.
    Foreign,
}

impl Leftover {
    /// The job that it belongs to.
    pub(crate) const fn job(&self) -> Option<&JobId> {
        match &self.kind {
            Kind::Workspace(job) | Kind::HalfMade(job) => Some(job),
            Kind::Trash { .. } | Kind::Foreign => None,
        }
    }
}

/// Everything in the folder of all workspaces, the oldest first; nothing where there is no such folder.
pub(crate) fn leftovers(workspaces: &Path) -> Result<Vec<Leftover>, WorkspaceError> {
    let entries = match fs::read_dir(workspaces) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).during("read", workspaces),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.during("read", workspaces)?.path();
        // What is gone by now is no leftover.
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let kind = if meta.is_dir() { kind(&path) } else { Kind::Foreign };
        found.push((meta.modified().ok(), Leftover { path, kind }));
    }
    found.sort_by(|(a, left), (b, right)| (a, &left.path).cmp(&(b, &right.path)));
    Ok(found.into_iter().map(|(_, leftover)| leftover).collect())
}

fn kind(path: &Path) -> Kind {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(ours) = cleanup::is_trash(&name) {
        return Kind::Trash { ours };
    }
    let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    match name.parse::<JobId>() {
        Ok(job) if folder::is_made(path) => Kind::Workspace(job),
        Ok(job) if folder::is_half_made(path) || is_empty() => Kind::HalfMade(job),
        _ => Kind::Foreign,
    }
}

/// Takes a leftover out of the way: what is in a workspace is saved first. None when there is nothing to be taken away.
/// The caller knows that nobody works in it.
pub(crate) fn take_away(leftover: &Leftover) -> Result<Option<Trash>, WorkspaceError> {
    match &leftover.kind {
        Kind::Workspace(_) => cleanup::remove(Workspace::open(&leftover.path)?).map(Some),
        Kind::HalfMade(job) => {
            if folder::is_half_made(&leftover.path) {
                forget_base(&leftover.path, job);
            }
            cleanup::move_away(&leftover.path).map(Some)
        }
        Kind::Trash { .. } => Ok(Some(Trash::at(leftover.path.clone()))),
        Kind::Foreign => Ok(None),
    }
}

/// Deletes the ref that a half-made workspace needs no more. A repository that is gone has none.
fn forget_base(dir: &Path, job: &JobId) {
    let forget = || {
        let repo = super::source::open(&folder::repository_of(dir)?)?;
        cleanup::release_base(&repo, job)
    };
    if let Err(error) = forget() {
        let name = refs::base_ref(job);
        tracing::warn!(name, %error, "a ref that is of no use could not be taken away");
    }
}
