//! Brings earlier work up to date with a base that moved on, before the next run starts from it.
//!
//! In the user's repository only objects are written: the merge is a commit that nothing refers to until a run does.

use fleet_protocol::JobId;
use git2::{MergeOptions, Oid, Repository, Signature, Sort};

use super::{
    error::{During, WorkspaceError},
    source::{Identity, Source},
};

/// Who makes a merge, and for which job.
pub(crate) struct Author<'a> {
    pub(crate) identity: Identity,
    pub(crate) job: &'a JobId,
}

/// How work stands to its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Updated {
    /// The base has nothing that the work has not.
    Current,
    /// Both together; start from this commit.
    Merged(Oid),
    /// They change the same lines of these files; start from the work and bring both sides together by hand.
    Conflicts(Vec<String>),
}

/// The commit (hex) that the next run goes on from: the checkpoint that the coordinator knows, or what was saved on top of
/// it by a run that could not report it any more.
pub(crate) fn newest_work(source: &Source, job: &JobId, known: Option<&str>) -> Result<Option<String>, WorkspaceError> {
    let repo = source.repository()?;
    let saved = super::refs::commit_of(&repo, &super::refs::wip_ref(job))?;
    let goes_on = |saved: Oid| match known.map(Oid::from_str) {
        None => true,
        // One that cannot be read is for the run to be told of, not to be passed over.
        Some(known) => known.is_ok_and(|known| repo.graph_descendant_of(saved, known).unwrap_or(false)),
    };
    let later = saved.filter(|saved| goes_on(*saved)).map(|saved| saved.to_string());
    Ok(later.or_else(|| known.map(str::to_owned)))
}

/// Merges the base into the work `commit` (hex), if the base has moved.
pub(crate) fn bring_up_to_date(source: &Source, commit: &str, author: &Author<'_>) -> Result<Updated, WorkspaceError> {
    let repo = source.repository()?;
    let unusable =
        |reason: &str| WorkspaceError::UnusableCheckpoint { commit: commit.to_owned(), reason: reason.to_owned() };
    let work = Oid::from_str(commit).map_err(|_| unusable("it is no commit id"))?;
    repo.find_commit(work).map_err(|error| unusable(error.message()))?;
    match merged(&repo, source, work, author) {
        // Found out now or by the checkout: the work is not whole.
        Err(error) if error.code() == git2::ErrorCode::NotFound => Err(unusable(error.message())),
        merged => merged.during("merge the base in", &source.git_dir),
    }
}

fn merged(repo: &Repository, source: &Source, work: Oid, author: &Author<'_>) -> Result<Updated, git2::Error> {
    let base = source.base_commit;
    let is_current = work == base || repo.graph_descendant_of(work, base)?;
    if is_current || repo.merge_base(work, base).is_err() {
        return Ok(Updated::Current);
    }
    let (ours, theirs) = (repo.find_commit(work)?, repo.find_commit(base)?);
    let mut index = repo.merge_commits(&ours, &theirs, Some(MergeOptions::new().find_renames(true)))?;
    if index.has_conflicts() {
        let mut files = Vec::new();
        for conflict in index.conflicts()? {
            let conflict = conflict?;
            let side = conflict.our.or(conflict.their).or(conflict.ancestor);
            files.extend(side.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
        }
        files.sort();
        files.dedup();
        return Ok(Updated::Conflicts(files));
    }
    let tree = repo.find_tree(index.write_tree_to(repo)?)?;
    let who = Signature::now(&author.identity.name, &author.identity.email)?;
    let message = format!("Merge {} into the work so far\n\nFleet-Job: {}\n", source.base, author.job);
    Ok(Updated::Merged(repo.commit(None, &who, &who, &message, &tree, &[&ours, &theirs])?))
}

/// The commit (hex) that a ref means; empty when there is none.
pub(crate) fn commit_at(git_dir: &std::path::Path, name: &str) -> Result<String, WorkspaceError> {
    let repo = super::source::open(git_dir)?;
    Ok(super::refs::commit_of(&repo, name)?.map(|commit| commit.to_string()).unwrap_or_default())
}

/// The commits between the base and `start`, oldest first, each with the first line of its message; the newest 50.
pub(crate) fn history(source: &Source, start: Oid) -> Result<Vec<(Oid, String)>, WorkspaceError> {
    const MOST: usize = 50;
    let repo = source.repository()?;
    let list = || {
        let mut walk = repo.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(start)?;
        walk.hide(source.base_commit)?;
        let mut commits = Vec::new();
        for id in walk.take(MOST) {
            let commit = repo.find_commit(id?)?;
            let subject = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned();
            commits.push((commit.id(), subject));
        }
        commits.reverse();
        Ok::<_, git2::Error>(commits)
    };
    list().during("list the commits in", &source.git_dir)
}
