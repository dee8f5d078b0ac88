//! Saves what lies in a workspace into the user's repository: on the way, and at the end.
//!
//! The agent's HEAD, index and files are not touched, so this can run while it works.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashSet,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fleet_protocol::{JobId, job::Checkpoint};
use git2::{OdbLookupFlags, Oid, Repository};

use super::{
    agent::AgentRefs,
    clone::object_folders,
    error::{During, WorkspaceError},
    head::{Choice, Histories},
    prepare::Workspace,
    refs::{self, Expect, Moved},
    source::Identity,
    transfer::Missing,
    view::{self, Area},
};

/// How the message of a checkpoint begins.
const IN_PROGRESS: &str = "Work in progress of job";

/// Saves all tracked and all untracked, not ignored files, and every commit of the agent, under `refs/fleet/wip/<job>` of
/// the user's repository. `why` is a word for the commit's message, such as `periodic`.
///
/// None when there is nothing beyond the base yet. Costs one look at every file when nothing changed.
pub(crate) fn checkpoint(workspace: &Workspace, why: &str) -> Result<Option<Checkpoint>, WorkspaceError> {
    let record = &workspace.record;
    let (head, branch) = match workspace.verdict()? {
        Some(verdict) => (verdict.head, verdict.kept),
        None => {
            let message = workspace.fitted(&format!("{IN_PROGRESS} {} ({why})", record.job));
            for module in workspace.submodules() {
                module.save(&message)?;
            }
            let saved = workspace.main().save(&message)?;
            (saved.head, saved.kept)
        }
    };
    Ok((head != record.base_commit).then(|| Checkpoint { commit: head.to_string(), branch }))
}

/// An area and what its work is measured against.
pub(super) struct Work {
    pub(super) area: Area,
    pub(super) job: JobId,
    pub(super) start: Oid,
    pub(super) base: Oid,
    pub(super) identity: Identity,
    /// Lists the commits that this run brought over.
    pub(super) saved: PathBuf,
    /// Lists the refs of the user's repository as they were when the run was prepared.
    pub(super) before: PathBuf,
}

/// What an agent left, as it was found.
struct Left {
    source: Repository,
    view: Repository,
    agent: AgentRefs,
    /// Of the files.
    tree: Oid,
}

/// What was saved.
pub(super) struct Saved {
    pub(super) head: Oid,
    /// The ref that keeps `head`.
    pub(super) kept: String,
    /// The commit made of what the agent left uncommitted, when it left something.
    pub(super) leftovers: Option<Oid>,
    /// Made by this run, oldest first.
    pub(super) commits: Vec<Oid>,
    /// Whether those commits change something.
    pub(super) changed: bool,
    /// The files lie as in another commit than `head`.
    pub(super) elsewhere: bool,
    /// Everything that counts is in it.
    pub(super) whole: bool,
    pub(super) notes: Vec<String>,
}

impl Work {
    /// Saves the area as it is now.
    pub(super) fn save(&self, message: &str) -> Result<Saved, WorkspaceError> {
        let _alone = self.area.lock()?;
        let source = self.area.open_source()?;
        let lent = self.area.restore_alternates(&object_folders(&source.commondir().join("objects")))?;
        // HEAD before the files: a commit made in between then only makes the saved files newer than their parent.
        let agent = if lent { AgentRefs::read(&self.area.tree.join(".git")) } else { AgentRefs::default() };
        let view = self.area.open()?;
        let scan = self.area.scan(&view)?;
        let mut taken = self.take(&Left { source, view, agent, tree: scan.tree }, message)?;
        taken.notes.extend(scan.notes);
        taken.whole = scan.whole;
        Ok(taken)
    }

    fn take(&self, left: &Left, message: &str) -> Result<Saved, WorkspaceError> {
        let Left { source, view, agent, tree } = left;
        let origins = Origins { source, brought: RefCell::new(self.brought()), before: OnceCell::new(), work: self };
        // A commit that cannot be read is evidence of nothing.
        let is_new = |oid| origins.is_new(oid).unwrap_or(false);
        let histories = Histories { view, start: self.start, base: self.base, is_new: &is_new };
        let mut notes = notes_on(agent);
        let mut choice = histories.choose(agent, *tree);
        let (head, leftovers) = match self.bring(left, choice, message) {
            Err(WorkspaceError::BrokenObject { reason, .. }) => {
                notes.push(format!("the agent's history cannot be read ({reason}); its files are kept as one change"));
                choice = Choice::Flattened { on: self.start };
                self.bring(left, choice, message)?
            }
            done => done?,
        };
        *origins.brought.borrow_mut() = self.brought();
        let tips: Vec<Oid> = agent.refs.iter().filter(|(name, _)| *name != "refs/stash").map(|(_, tip)| *tip).collect();
        let commits = histories.made(&[&[head], tips.as_slice()].concat());
        let changed = histories.change_something(&commits);
        let sides = self.sides(&histories, agent, head);
        let kept = self.keep(source, head, &origins.brought.borrow())?;
        self.keep_sides(source, &sides, &mut notes)?;
        if !histories.descends(head, self.start) {
            notes.push(format!("the history was rewritten: the work is no longer based on {}", self.start));
        }
        if let Choice::Flattened { .. } = choice
            && leftovers.is_some()
        {
            notes.push(
                "HEAD did not lead to our history; the files are kept as one change on top of the start".to_owned(),
            );
        }
        let elsewhere = matches!(choice, Choice::Commit(_));
        Ok(Saved { head, kept, leftovers, commits, changed, elsewhere, whole: true, notes })
    }

    /// Makes the commit for the files if they need one, and copies it with all it needs. Returns the commit that holds the
    /// work, and the one made here.
    fn bring(&self, left: &Left, choice: Choice, message: &str) -> Result<(Oid, Option<Oid>), WorkspaceError> {
        let Left { source, view, tree, .. } = left;
        let text = format!("{message}\n\nFleet-Job: {}\n", self.job);
        let (head, leftovers) = match choice {
            Choice::Commit(commit) => (commit, None),
            Choice::Files { on } | Choice::Flattened { on } => {
                let parent = view.find_commit(on).during("read a commit of", view.path())?;
                if parent.tree_id() == *tree {
                    (on, None)
                } else if let Some(same) = self.already(source, (*tree, on), &text)? {
                    (same, Some(same))
                } else {
                    let made = view::commit(view, &self.identity, &text, (*tree, &[on]))?;
                    (made, Some(made))
                }
            }
        };
        self.copy(source, head)?;
        Ok((head, leftovers))
    }

    /// The saved commit, if it holds just this: nothing changed since.
    fn already(
        &self,
        source: &Repository,
        (tree, parent): (Oid, Oid),
        message: &str,
    ) -> Result<Option<Oid>, WorkspaceError> {
        let Some(saved) = refs::commit_of(source, &refs::wip_ref(&self.job))? else { return Ok(None) };
        let commit = source.find_commit(saved).during("read a commit of", source.path())?;
        // Why it was saved makes no new work of it: what was told of a checkpoint shall stay under its ref.
        let in_progress = |text: &[u8]| text.starts_with(IN_PROGRESS.as_bytes());
        let (said, says) = (commit.message_bytes(), message.as_bytes());
        let same = commit.tree_id() == tree
            && commit.parent_ids().eq([parent])
            && (said == says || (in_progress(said) && in_progress(says)));
        // One of an earlier run would not count as made by this one.
        Ok((same && self.brought().contains(&saved)).then_some(saved))
    }

    /// Puts the work under the job's ref. What another run of the job put there meanwhile stays; ours then goes beside it.
    pub(super) fn keep(
        &self,
        source: &Repository,
        head: Oid,
        brought: &HashSet<Oid>,
    ) -> Result<String, WorkspaceError> {
        let name = refs::wip_ref(&self.job);
        let expect = match refs::commit_of(source, &name)? {
            Some(at) if at == head => return Ok(name),
            Some(at) if at == self.start || brought.contains(&at) => Some(Expect::Commit(at)),
            Some(_) => None,
            None if head == self.base => return Ok(name),
            None => Some(Expect::Absent),
        };
        if let Some(expect) = expect
            && refs::set(source, &name, head, expect)? == Moved::Yes
        {
            return Ok(name);
        }
        let beside = format!("{}{:.12}", refs::side_prefix(&self.job), head.to_string());
        refs::set(source, &beside, head, Expect::Anything)?;
        Ok(beside)
    }

    fn copy(&self, source: &Repository, tip: Oid) -> Result<(), WorkspaceError> {
        let from = self.area.open_durable()?;
        let missing = Missing::find(&from, source, &[tip])?;
        // Written before the copy: a commit that is listed and not there is made again, one that is there and not listed
        // would count as somebody else's.
        self.remember(missing.commits())?;
        missing.copy(&from, source)
    }

    /// Branches (and the stash) that hold commits of this run which `head` does not.
    fn sides(&self, histories: &Histories<'_>, agent: &AgentRefs, head: Oid) -> Vec<(String, Oid)> {
        let beside = |tip: Oid| !histories.descends(head, tip) && !histories.made(&[tip]).is_empty();
        let mut sides: Vec<(String, Oid)> = agent
            .refs
            .iter()
            .filter(|(_, tip)| beside(**tip))
            .map(|(name, tip)| (name.trim_start_matches("refs/heads/").trim_start_matches("refs/").to_owned(), *tip))
            .collect();
        let detached = agent.head.filter(|tip| beside(*tip) && !sides.iter().any(|(_, side)| side == tip));
        sides.extend(detached.map(|tip| ("HEAD".to_owned(), tip)));
        if self.start != self.base && !histories.descends(head, self.start) {
            sides.push(("earlier".to_owned(), self.start));
        }
        sides
    }

    fn keep_sides(
        &self,
        source: &Repository,
        sides: &[(String, Oid)],
        notes: &mut Vec<String>,
    ) -> Result<(), WorkspaceError> {
        for (name, tip) in sides {
            match self.copy(source, *tip) {
                Ok(()) => {
                    let kept = format!("{}{name}", refs::side_prefix(&self.job));
                    refs::set(source, &kept, *tip, Expect::Anything)?;
                    notes.push(format!("`{name}` holds commits that the branch does not; they are kept as {kept}"));
                }
                Err(WorkspaceError::BrokenObject { reason, .. }) => {
                    notes.push(format!("`{name}` cannot be read and is not kept ({reason})"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Commits that this run brought into the user's repository.
    pub(super) fn brought(&self) -> HashSet<Oid> {
        let text = fs::read_to_string(&self.saved).unwrap_or_default();
        text.lines().filter_map(|line| Oid::from_str(line).ok()).collect()
    }

    /// Where the user's own refs stood when the run was prepared.
    pub(super) fn users_tips(&self) -> Vec<Oid> {
        read_tips(&self.before).into_iter().filter(|(_, name)| !refs::is_ours(name)).map(|(tip, _)| tip).collect()
    }

    pub(super) fn remember(&self, commits: impl Iterator<Item = Oid>) -> Result<(), WorkspaceError> {
        let lines: String = commits.map(|oid| format!("{oid}\n")).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let open = OpenOptions::new().create(true).append(true).open(&self.saved);
        open.and_then(|mut file| file.write_all(lines.as_bytes())).during("write", &self.saved)
    }
}

/// Tells commits of this run from those that were there before it.
struct Origins<'a> {
    source: &'a Repository,
    work: &'a Work,
    brought: RefCell<HashSet<Oid>>,
    /// Where the refs of the user's repository were when the run was prepared.
    before: OnceCell<Vec<(Oid, String)>>,
}

impl Origins<'_> {
    /// A commit is new if it is not in the user's repository, or we brought it, or no ref led to it when the run was
    /// prepared.
    ///
    /// Two agents that do the same thing in the same second make the same commit. So what only another job's ref led to is
    /// old only if it is older than the run.
    fn is_new(&self, oid: Oid) -> Result<bool, git2::Error> {
        let there = self.source.odb()?.exists_ext(oid, OdbLookupFlags::NO_REFRESH);
        if !there || self.brought.borrow().contains(&oid) {
            return Ok(true);
        }
        let prepared = fs::metadata(&self.work.before).map_or(i64::MAX, |meta| meta.mtime());
        let older = self.source.find_commit(oid)?.time().seconds() < prepared;
        let before = self.before.get_or_init(|| read_tips(&self.work.before));
        let mut walk = self.source.revwalk()?;
        walk.push(oid)?;
        for (tip, _) in before.iter().filter(|(_, name)| older || !refs::is_ours(name)) {
            if self.source.find_commit(*tip).is_ok() {
                walk.hide(*tip)?;
            }
        }
        Ok(walk.next().is_some())
    }
}

/// Refs and their targets, as `prepare` notes them; none when there is no such file.
fn read_tips(path: &Path) -> Vec<(Oid, String)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(oid, name)| Some((Oid::from_str(oid).ok()?, name.to_owned()))).collect()
}

fn notes_on(agent: &AgentRefs) -> Vec<String> {
    let unfinished = agent.under_way.map(|what| format!("a {what} was not concluded; its files are kept as they lie"));
    let gone = agent.head.is_none().then(|| "HEAD of the clone is gone; the files are kept".to_owned());
    unfinished.into_iter().chain(gone).collect()
}
