//! Proof that work has arrived in its base, without which no branch goes.
//!
//! Proof is ancestry (a merge), or that the same change is in the base (a squash, or every commit picked on its own), and
//! in both cases that it was not taken back since. What cannot be proven did not land.

use std::collections::{HashMap, HashSet};

use git2::{Commit, Oid, Repository, Sort};

use super::{
    diff,
    error::{During, WorkspaceError},
};

/// Whether, and how, work arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Landing {
    /// There is nothing beyond the base.
    Nothing,
    /// The base contains the commit since this one.
    Merged(Oid),
    /// This commit of the base makes the same change (of several, the last).
    Squashed(Oid),
    /// It was there, and this commit took it back.
    Reverted(Oid),
    No,
}

impl Landing {
    /// Whether nothing is lost when the work's own refs go.
    pub(crate) const fn is_proof(&self) -> bool {
        matches!(self, Self::Nothing | Self::Merged(_) | Self::Squashed(_))
    }
}

impl Landing {
    /// The verdict as a sentence for people.
    pub(crate) fn told(&self, base: &str) -> String {
        match self {
            Self::Nothing => format!("there is nothing beyond `{base}` in it"),
            Self::Merged(at) => format!("`{base}` contains it since {at:.10}"),
            Self::Squashed(at) => format!("{at:.10} makes the same change in `{base}`"),
            Self::Reverted(at) => format!("its work was in `{base}`, and {at:.10} took it back"),
            Self::No => format!("its work is not in `{base}`"),
        }
    }
}

/// Commits of the base that are looked at for a change; older ones prove nothing.
const WINDOW: usize = 5_000;

/// Looks whether the work from `forked` (where it left the base when it began) to `head` is in `base`.
pub(crate) fn landing(repo: &Repository, base: Oid, (forked, head): (Oid, Oid)) -> Result<Landing, WorkspaceError> {
    look(repo, base, forked, head).during("compare histories in", repo.path())
}

fn look(repo: &Repository, base: Oid, forked: Oid, head: Oid) -> Result<Landing, git2::Error> {
    if head == forked || repo.graph_descendant_of(forked, head)? {
        return Ok(Landing::Nothing);
    }
    let merged = head == base || repo.graph_descendant_of(base, head)?;
    let Some(fork) = (if merged { Some(forked) } else { repo.merge_base(base, head).ok() }) else {
        return Ok(Landing::No);
    };
    let arrival = if merged { Some(arrival(repo, base, head)?) } else { None };
    let mut changes = Changes::of(repo, fork, head, arrival)?;
    let mut landing = Landing::No;
    for commit in mainline(repo, base, fork)? {
        let change = of_commit(repo, &commit)?;
        if Some(commit.id()) == arrival {
            landing = Landing::Merged(commit.id());
        } else if landing.is_proof() && changes.takes_back(&commit, change) {
            landing = Landing::Reverted(commit.id());
        } else if change.is_some_and(|change| changes.bring_in(change)) && !landing.is_proof() {
            landing = Landing::Squashed(commit.id());
        }
        if let Landing::Squashed(at) = landing {
            changes.commits.insert(at);
        }
    }
    Ok(landing)
}

/// The work as changes, by patch id.
struct Changes {
    whole: Option<Oid>,
    /// Each commit's own; true once it is in the base.
    parts: HashMap<Oid, bool>,
    /// The opposite of any of those.
    back: HashSet<Oid>,
    /// The commits that hold the work, or brought it.
    commits: HashSet<Oid>,
}

impl Changes {
    fn of(repo: &Repository, fork: Oid, head: Oid, arrival: Option<Oid>) -> Result<Self, git2::Error> {
        let mut walk = repo.revwalk()?;
        walk.push(head)?;
        walk.hide(fork)?;
        let mut commits = walk.collect::<Result<HashSet<_>, _>>()?;
        let mut parts = HashMap::new();
        let mut back: HashSet<_> = patch_id(repo, head, fork)?.into_iter().collect();
        for oid in &commits {
            parts.extend(of_commit(repo, &repo.find_commit(*oid)?)?.map(|change| (change, false)));
        }
        commits.extend(arrival);
        for oid in &commits {
            if let Ok(before) = repo.find_commit(*oid)?.parent_id(0) {
                back.extend(patch_id(repo, *oid, before)?);
            }
        }
        Ok(Self { whole: patch_id(repo, fork, head)?, parts, back, commits })
    }

    /// Notes a change that is in the base. Returns whether with it all of the work is.
    fn bring_in(&mut self, change: Oid) -> bool {
        if Some(change) == self.whole {
            return true;
        }
        match self.parts.get_mut(&change) {
            Some(arrived) => *arrived = true,
            None => return false,
        }
        self.parts.values().all(|arrived| *arrived)
    }

    /// Whether a commit undoes the work or a part of it: by what it does, or by what it says.
    fn takes_back(&self, commit: &Commit<'_>, change: Option<Oid>) -> bool {
        let said = String::from_utf8_lossy(commit.message_bytes());
        change.is_some_and(|change| self.back.contains(&change))
            || self.commits.iter().any(|oid| said.contains(&format!("This reverts commit {oid}")))
    }
}

/// The first commit of the base's own line that contains `head`.
fn arrival(repo: &Repository, base: Oid, head: Oid) -> Result<Oid, git2::Error> {
    let mut at = repo.find_commit(base)?;
    while let Ok(before) = at.parent(0) {
        if before.id() != head && !repo.graph_descendant_of(before.id(), head)? {
            break;
        }
        at = before;
    }
    Ok(at.id())
}

/// The commits of the base since the fork, its own line only, oldest first.
fn mainline(repo: &Repository, base: Oid, fork: Oid) -> Result<Vec<Commit<'_>>, git2::Error> {
    let mut walk = repo.revwalk()?;
    walk.simplify_first_parent()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.push(base)?;
    walk.hide(fork)?;
    let mut commits = walk.take(WINDOW).map(|oid| repo.find_commit(oid?)).collect::<Result<Vec<_>, git2::Error>>()?;
    commits.reverse();
    Ok(commits)
}

/// A commit's own change. None when it has none.
fn of_commit(repo: &Repository, commit: &Commit<'_>) -> Result<Option<Oid>, git2::Error> {
    commit.parent_id(0).map_or(Ok(None), |parent| patch_id(repo, parent, commit.id()))
}

/// The change between two commits, by what it does rather than where. None when they have the same tree.
fn patch_id(repo: &Repository, from: Oid, to: Oid) -> Result<Option<Oid>, git2::Error> {
    let difference = diff::trees(repo, from, to)?;
    if difference.deltas().len() == 0 { Ok(None) } else { difference.patchid(None).map(Some) }
}
