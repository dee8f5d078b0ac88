//! Which of the things an agent left is its work: a rule over histories, deciding nothing by itself.

use git2::{Oid, Repository, Sort};

use super::agent::AgentRefs;

/// What to take as the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The files as they lie, on top of this commit (HEAD, which they belong to).
    Files { on: Oid },
    /// The files as they lie, as one change on top of this commit (the start): HEAD is of no use.
    Flattened { on: Oid },
    /// This commit; the files lie as in another one, with nothing new in them.
    Commit(Oid),
}

/// Histories as seen from a run.
pub(super) struct Histories<'a> {
    /// Sees the agent's commits and the user's.
    pub(super) view: &'a Repository,
    pub(super) start: Oid,
    pub(super) base: Oid,
    /// Whether this run made the commit: it was not in the user's repository before.
    pub(super) is_new: &'a dyn Fn(Oid) -> bool,
}

impl Histories<'_> {
    /// The commits that this run made and that `tips` reach, oldest first. A tip whose history is broken counts for none.
    pub(super) fn made(&self, tips: &[Oid]) -> Vec<Oid> {
        let sound: Vec<Oid> = tips.iter().copied().filter(|tip| self.walk(&[*tip]).is_ok()).collect();
        self.walk(&sound).unwrap_or_default().into_iter().filter(|oid| (self.is_new)(*oid)).collect()
    }

    fn walk(&self, tips: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
        let mut walk = self.view.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME | Sort::REVERSE)?;
        for tip in tips {
            walk.push(*tip)?;
        }
        walk.hide(self.start)?;
        walk.hide(self.base)?;
        walk.collect()
    }

    /// Whether `commit` is `ancestor` or comes after it.
    pub(super) fn descends(&self, commit: Oid, ancestor: Oid) -> bool {
        commit == ancestor || self.view.graph_descendant_of(commit, ancestor).unwrap_or(false)
    }

    /// Decides. `tree` is that of the files as they lie.
    ///
    /// HEAD's commit, if there is work on it (commits made by this run, or files that differ from it) and its history is
    /// related to ours. Without work on it, the branch with the most new commits. Without such a branch, the start.
    pub(super) fn choose(&self, refs: &AgentRefs, tree: Oid) -> Choice {
        let Some(head) = refs.head else { return Choice::Flattened { on: self.start } };
        let Ok(commit) = self.view.find_commit(head) else { return Choice::Flattened { on: self.start } };
        let works = commit.tree_id() != tree || !self.made(&[head]).is_empty();
        if !works {
            let other = self.busiest(refs).unwrap_or(self.start);
            return if other == head { Choice::Files { on: head } } else { Choice::Commit(other) };
        }
        let on = if self.is_related(head) { head } else { self.start };
        if on == head { Choice::Files { on } } else { Choice::Flattened { on } }
    }

    /// The tip of the related branch with the most new commits, if any has some.
    fn busiest(&self, refs: &AgentRefs) -> Option<Oid> {
        let tips = refs.refs.iter().filter(|(name, _)| name.starts_with("refs/heads/")).map(|(_, tip)| *tip);
        let counted = tips.filter(|tip| self.is_related(*tip)).map(|tip| (self.made(&[tip]).len(), tip));
        counted.filter(|(count, _)| *count > 0).max_by_key(|(count, _)| *count).map(|(_, tip)| tip)
    }

    fn is_related(&self, tip: Oid) -> bool {
        self.descends(tip, self.start) || self.view.merge_base(tip, self.base).is_ok()
    }

    /// Whether one of `commits` holds a change of its own, rather than being empty or joining what was there.
    pub(super) fn change_something(&self, commits: &[Oid]) -> bool {
        let own = |oid: &Oid| -> Result<bool, git2::Error> {
            let commit = self.view.find_commit(*oid)?;
            let mut parents = commit.parents();
            Ok(parents.all(|parent| parent.tree_id() != commit.tree_id()))
        };
        commits.iter().any(|oid| own(oid).unwrap_or(false))
    }
}
