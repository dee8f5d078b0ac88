//! Takes away what a job no longer needs: its folder once the work is under a ref, its refs once the work has landed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use fleet_protocol::JobId;
use git2::{Oid, Repository};

use super::{
    checkpoint::checkpoint,
    error::{During, WorkspaceError},
    landing::landing,
    prepare::Workspace,
    refs::{self, Moved},
    source::checkouts,
};

/// A workspace that is out of the way; its files still have to go, which takes a while.
#[must_use = "its files stay until they are deleted"]
#[derive(Debug)]
pub(crate) struct Trash(PathBuf);

/// Marks a folder that only waits to be deleted.
const GONE: &str = "gone-";

/// Removes a workspace. Work that is not saved yet is saved first; without that nothing is removed.
pub(crate) fn remove(workspace: Workspace) -> Result<Trash, WorkspaceError> {
    let saved = checkpoint(&workspace, "cleanup")?;
    let repo = workspace.repository()?;
    if let Some(saved) = saved {
        let kept = refs::commit_of(&repo, &saved.branch)?.map(|commit| commit.to_string());
        if kept.as_deref() != Some(saved.commit.as_str()) && !under_a_ref(&repo, workspace.job(), &saved.commit)? {
            return Err(WorkspaceError::NotSaved { path: workspace.dir().to_owned() });
        }
    }
    // In this order: who dies in between leaves a folder, which is found, and not a ref, which is not. What is saved
    // holds on to the base by itself.
    release_base(&repo, workspace.job())?;
    move_away(workspace.dir())
}

/// Lets go of the base that a clone has borrowed from. True when there was something to let go of.
pub(super) fn release_base(repo: &Repository, job: &JobId) -> Result<bool, WorkspaceError> {
    let base = refs::base_ref(job);
    match refs::commit_of(repo, &base)? {
        Some(at) => refs::delete(repo, &base, at).map(|moved| moved == Moved::Yes),
        None => Ok(false),
    }
}

/// The same for a job that has no workspace any more. True when there was something to let go of.
pub(crate) fn let_go_of_base(git_dir: &Path, job: &JobId, mode: Retire) -> Result<bool, WorkspaceError> {
    let repo = super::source::open(git_dir)?;
    match mode {
        Retire::Delete => release_base(&repo, job),
        Retire::DryRun => refs::commit_of(&repo, &refs::base_ref(job)).map(|at| at.is_some()),
    }
}

/// Moves a folder out of the way, under a name that nothing else has: an earlier one of it may not be deleted yet.
pub(super) fn move_away(dir: &Path) -> Result<Trash, WorkspaceError> {
    static NTH: AtomicU64 = AtomicU64::new(0);
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (process, nth) = (this_process(), NTH.fetch_add(1, Ordering::Relaxed));
    let gone = dir.with_file_name(format!("{GONE}{process:016x}-{nth}-{name}"));
    fs::rename(dir, &gone).during("move away", dir)?;
    Ok(Trash(gone))
}

/// Whether a folder of this name waits to be deleted, and then whether this process moved it away.
pub(super) fn is_trash(name: &str) -> Option<bool> {
    let rest = name.strip_prefix(GONE)?;
    Some(rest.split('-').next() == Some(format!("{:016x}", this_process()).as_str()))
}

/// A number that no other process has: a pid comes again, in a container with each start.
fn this_process() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    *NUMBER.get_or_init(|| getrandom::u64().expect("the system gives randomness"))
}

impl Trash {
    /// What an earlier process moved away and did not get to delete.
    pub(super) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Deletes the files. What a kill leaves of them is found among the [`leftovers`](super::leftovers).
    pub(crate) fn delete(self) -> Result<(), WorkspaceError> {
        delete(&self.0)
    }
}

fn delete(path: &Path) -> Result<(), WorkspaceError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done.during("delete", path),
    }
}

/// Whether any of the job's refs holds the commit, itself or below it.
fn under_a_ref(repo: &Repository, job: &JobId, commit: &str) -> Result<bool, WorkspaceError> {
    let Ok(commit) = Oid::from_str(commit) else { return Ok(false) };
    let holds = |tip: &Oid| *tip == commit || repo.graph_descendant_of(*tip, commit).unwrap_or(false);
    Ok(of_job(repo, job)?.iter().any(|(_, tip)| holds(tip)))
}

/// The refs of a job that may hold work: branches, saved work, and what was kept beside.
pub(super) fn of_job(repo: &Repository, job: &JobId) -> Result<Vec<(String, Oid)>, WorkspaceError> {
    let prefixes = [refs::wip_ref(job), refs::side_prefix(job), format!("refs/heads/fleet/{job}-")];
    let found = prefixes.iter().map(|prefix| refs::below(repo, prefix)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// What became of a job's refs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Branches {
    /// With the proof, a sentence for people.
    pub(crate) deleted: Vec<(String, String)>,
    /// With the reason, a sentence for people.
    pub(crate) kept: Vec<(String, String)>,
}

/// Deletes the refs of a job whose work is proven to be in `base`; the others stay, each with the reason.
pub(crate) fn retire(
    git_dir: &Path,
    job: &JobId,
    (base, base_commit): (&str, Oid),
    mode: Retire,
) -> Result<Branches, WorkspaceError> {
    let repo = super::source::open(git_dir)?;
    let target = refs::commit_of(&repo, &format!("refs/heads/{base}"))?;
    let checked_out = checkouts(&repo)?;
    let mut result = Branches::default();
    for (name, at) in of_job(&repo, job)? {
        let proof = match target {
            None => Err(format!("the base `{base}` is gone")),
            Some(target) => {
                let landed = landing(&repo, target, (base_commit, at))?;
                let held = checked_out.iter().find(|checkout| format!("refs/heads/{}", checkout.branch) == name);
                match (landed.is_proof(), held) {
                    (true, Some(held)) => Err(format!("it is checked out in `{}`", held.path.display())),
                    (true, None) => Ok(landed.told(base)),
                    (false, _) => Err(landed.told(base)),
                }
            }
        };
        match proof {
            Err(reason) => result.kept.push((name, reason)),
            Ok(proof) if mode == Retire::DryRun => result.deleted.push((name, proof)),
            Ok(proof) => match refs::delete(&repo, &name, at)? {
                Moved::Yes => result.deleted.push((name, proof)),
                Moved::No => result.kept.push((name, "it was moved meanwhile".to_owned())),
            },
        }
    }
    Ok(result)
}

/// Whether refs really go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retire {
    Delete,
    DryRun,
}
