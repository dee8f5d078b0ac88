//! After the agent: gathers what it did, commits what it left, keeps its messages to the convention, and gives the tree a `.git` that it never touched.
//!
//! Everything is in the user's repository (as objects and under the job's own refs) before anything is replaced. Whatever
//! runs in the tree afterwards, such as the verify command, meets no hook, filter or setting of the agent.

use std::{fs, path::PathBuf};

use fleet_protocol::job::DiffStat;
use git2::{Oid, Repository};

use super::{
    checkpoint::{Saved, Work},
    clone::{self, HeadAt, Seat},
    diff,
    error::{During, WorkspaceError},
    prepare::{Workspace, checkout},
    record::{self, Verdict},
};

/// What a run did, as the worker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collected {
    /// Where the run started.
    pub(crate) start: Oid,
    /// The commit that holds the work.
    pub(crate) head: Oid,
    /// The ref that keeps it in the user's repository.
    pub(crate) kept: String,
    /// Made by this run (the one for leftovers included), on any branch, oldest first.
    pub(crate) commits: Vec<Oid>,
    /// The commit made of what the agent left uncommitted.
    pub(crate) leftovers: Option<Oid>,
    /// Nothing that counts is outside `head`.
    pub(crate) clean: bool,
    /// From where the branch left the base to `head`.
    pub(crate) diff: DiffStat,
    /// This run made commits that change something, and `head` is not what it started from.
    pub(crate) changed: bool,
    pub(crate) differs_from_base: bool,
    /// Paths changed since the branch left the base, both names of a moved file.
    pub(crate) paths: Vec<String>,
    /// Commits whose messages the job's convention refuses, id and first line of each.
    pub(crate) refused: Vec<String>,
    /// What a person should know, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// Gathers the work of a run whose agent has ended. `message` is that of the commit for leftovers; a trailer with the job
/// is added. Doing it again changes nothing.
pub(crate) fn collect(workspace: &Workspace, message: &str) -> Result<Collected, WorkspaceError> {
    let verdict = match workspace.verdict()? {
        Some(verdict) => verdict,
        None => decide(workspace, message)?,
    };
    report(workspace, verdict)
}

fn decide(workspace: &Workspace, message: &str) -> Result<Verdict, WorkspaceError> {
    let message = &workspace.fitted(message);
    let mut notes = Vec::new();
    let mut whole = true;
    for (module, at) in workspace.submodules().zip(&workspace.record.submodules) {
        let saved = module.save(message)?;
        if saved.head != at.commit {
            whole = false;
            notes.push(format!(
                "work in the submodule `{}` is kept as {} in {}; it is not part of the branch",
                at.path.display(),
                saved.kept,
                at.git_dir.display(),
            ));
        }
        reseat(workspace, &module, &saved, HeadAt::Detached)?;
    }
    let main = workspace.main();
    let saved = workspace.reword(main.save(message)?)?;
    reseat(workspace, &main, &saved, HeadAt::Branch(workspace.branch()))?;
    notes.extend(saved.notes);
    let verdict = Verdict {
        head: saved.head,
        kept: saved.kept,
        leftovers: saved.leftovers.into_iter().collect(),
        commits: saved.commits,
        changed: saved.changed,
        whole: whole && saved.whole,
        notes,
    };
    record::save(&workspace.verdict_path(), &verdict)?;
    Ok(verdict)
}

/// Replaces the agent's `.git` by a new one at the saved commit.
fn reseat(workspace: &Workspace, work: &Work, saved: &Saved, head: HeadAt<'_>) -> Result<(), WorkspaceError> {
    let area = &work.area;
    let fresh = area.view.join("fresh.git");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).during("remove", &fresh)?;
    }
    let record = &workspace.record;
    let refs = match head {
        HeadAt::Branch(branch) => {
            clone::context_refs(&workspace.repository()?, (&record.base, record.base_commit), branch)?
        }
        HeadAt::Detached => Vec::new(),
    };
    let objects: Vec<PathBuf> = clone::object_folders(&area.git_dir.join("objects"));
    let exclude = area.view.join("info/exclude");
    let shallow = fs::read(area.view.join("shallow")).ok();
    let seat = Seat {
        head,
        commit: saved.head,
        refs,
        borrowed: &objects,
        identity: &work.identity,
        exclude: &fs::read(&exclude).during("read", &exclude)?,
        shallow: shallow.as_deref(),
    };
    seat.make(&fresh)?;
    let index = area.view.join("index");
    fs::copy(&index, fresh.join("index")).during("copy", &index)?;
    let git = area.tree.join(".git");
    if git.symlink_metadata().is_ok() {
        if area.aside.exists() {
            // We got here before and were cut off: this one is ours already.
            fs::remove_dir_all(&git).during("remove", &git)?;
        } else {
            fs::rename(&git, &area.aside).during("set aside", &git)?;
        }
    }
    fs::rename(&fresh, &git).during("put in place", &git)?;
    if saved.elsewhere {
        checkout(&area.tree, saved.head)?;
        area.take_over_index()?;
    }
    Ok(())
}

fn report(workspace: &Workspace, verdict: Verdict) -> Result<Collected, WorkspaceError> {
    let repo = workspace.repository()?;
    let record = &workspace.record;
    let from = diff::fork(&repo, record.base_commit, verdict.head)?;
    let same = |a, b| -> Result<bool, WorkspaceError> { Ok(tree_of(&repo, a)? == tree_of(&repo, b)?) };
    Ok(Collected {
        start: record.start,
        head: verdict.head,
        kept: verdict.kept,
        changed: verdict.changed && !same(record.start, verdict.head)?,
        differs_from_base: !same(from, verdict.head)?,
        commits: verdict.commits,
        leftovers: verdict.leftovers.first().copied(),
        clean: verdict.whole,
        diff: diff::between(&repo, from, verdict.head)?,
        paths: diff::paths(&repo, from, verdict.head)?,
        refused: workspace.refused(verdict.head)?,
        notes: verdict.notes,
    })
}

fn tree_of(repo: &Repository, commit: Oid) -> Result<Oid, WorkspaceError> {
    repo.find_commit(commit).map(|commit| commit.tree_id()).during("read a commit of", repo.path())
}
