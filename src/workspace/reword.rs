//! Keeps the messages of commits to the job's convention.
//!
//! A reworded commit is a new one: the same files, parents, author, committer and dates, its old message whole below the
//! new first line. It loses its signature, which was of another text. Only commits of this run are reworded, and the
//! messages of merges never are. Doing it again gives the same commits.

use std::collections::{HashMap, HashSet};

use fleet_protocol::convention::{self, Convention, Otherwise};
use git2::{ObjectType, Odb, Oid, Repository, Sort};

use super::{
    checkpoint::{Saved, Work},
    error::{During, WorkspaceError},
    prepare::Workspace,
};

impl Workspace {
    /// A message of ours as the convention wants it.
    pub(super) fn fitted(&self, message: &str) -> String {
        self.record.convention.as_ref().map_or_else(|| message.to_owned(), |convention| convention.fitted(message))
    }

    /// Rewords what this run committed to the branch, where the convention says so.
    pub(super) fn reword(&self, saved: Saved) -> Result<Saved, WorkspaceError> {
        match &self.record.convention {
            Some(convention) if convention.otherwise() == Otherwise::Reword => reword(&self.main(), saved, convention),
            _ => Ok(saved),
        }
    }

    /// Id and first line of each commit of the job up to `head` that the convention refuses. Commits of earlier runs count
    /// too, else a second run would pass with what the first was refused for; those that a ref of the user leads to do not.
    pub(super) fn refused(&self, head: Oid) -> Result<Vec<String>, WorkspaceError> {
        let convention = self.record.convention.as_ref().filter(|it| it.otherwise() == Otherwise::Refuse);
        let Some(convention) = convention else { return Ok(Vec::new()) };
        let repo = self.repository()?;
        let mut hidden = self.main().users_tips();
        hidden.push(self.record.base_commit);
        let list = || {
            let mut found = Vec::new();
            for oid in between(&repo, head, &hidden)? {
                let commit = repo.find_commit(oid)?;
                let message = String::from_utf8_lossy(commit.message_bytes());
                if commit.parent_count() < 2 && !convention.is_followed(&message) {
                    found.push(format!("{:.12} {}", oid.to_string(), convention::subject(&message)));
                }
            }
            Ok::<_, git2::Error>(found)
        };
        list().during("read the history of", repo.path())
    }
}

fn reword(work: &Work, mut saved: Saved, convention: &Convention) -> Result<Saved, WorkspaceError> {
    let source = work.area.open_source()?;
    let line = between(&source, saved.head, &[work.start, work.base]).during("read the history of", source.path())?;
    let odb = source.odb().during("open the objects of", source.path())?;
    let ours: HashSet<Oid> = saved.commits.iter().copied().collect();
    let mut replaced: HashMap<Oid, Oid> = HashMap::new();
    let mut reworded = 0;
    for oid in line.into_iter().filter(|oid| ours.contains(oid)) {
        let stored = Stored::read(&odb, oid).during("read a commit of", source.path())?;
        let subject = stored.subject(convention);
        let Some(data) = stored.changed(subject.as_deref(), &replaced) else { continue };
        let new = Oid::hash_object(ObjectType::Commit, &data).during("name a commit of", source.path())?;
        // Noted before it is written, as every commit is that a run brings.
        work.remember(std::iter::once(new))?;
        odb.write(ObjectType::Commit, &data).during("write a commit of", source.path())?;
        replaced.insert(oid, new);
        reworded += usize::from(subject.is_some());
    }
    if replaced.is_empty() {
        return Ok(saved);
    }
    for oid in std::iter::once(&mut saved.head).chain(&mut saved.leftovers).chain(&mut saved.commits) {
        *oid = replaced.get(oid).copied().unwrap_or(*oid);
    }
    saved.kept = work.keep(&source, saved.head, &work.brought())?;
    let what = if reworded == 1 { "a commit was".to_owned() } else { format!("{reworded} commits were") };
    saved.notes.push(format!("{what} reworded to match `{}`", convention.pattern()));
    Ok(saved)
}

/// The commits that `head` reaches and `hidden` do not, oldest first.
fn between(repo: &Repository, head: Oid, hidden: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME | Sort::REVERSE)?;
    walk.push(head)?;
    for tip in hidden.iter().filter(|tip| repo.find_commit(**tip).is_ok()) {
        walk.hide(*tip)?;
    }
    walk.collect()
}

/// A commit as it is stored, so that what is not changed stays byte for byte.
struct Stored {
    /// Its lines, each with its end.
    header: Vec<u8>,
    message: Vec<u8>,
}

impl Stored {
    fn read(odb: &Odb<'_>, oid: Oid) -> Result<Self, git2::Error> {
        let object = odb.read(oid)?;
        let data = object.data();
        let end = data.windows(2).position(|two| two == b"\n\n").map_or(data.len(), |at| at + 1);
        Ok(Self { header: data[..end].to_vec(), message: data.get(end + 1..).unwrap_or_default().to_vec() })
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.header.split_inclusive(|byte| *byte == b'\n')
    }

    /// The first line that it has to get; none where it may stay as it is.
    fn subject(&self, convention: &Convention) -> Option<String> {
        let is_merge = self.lines().filter_map(parent).count() > 1;
        match str::from_utf8(&self.message) {
            _ if is_merge => None,
            Ok(message) if convention.is_followed(message) => None,
            Ok(message) => Some(convention.subject_for(convention::subject(message))),
            // Written in another alphabet's encoding: nothing of it can stand in a line of ours.
            Err(_) => Some(convention.subject_for("")),
        }
    }

    /// With this first line and with the parents that took their places; none where nothing changes.
    fn changed(&self, subject: Option<&str>, replaced: &HashMap<Oid, Oid>) -> Option<Vec<u8>> {
        let moved = |line: &[u8]| replaced.get(&parent(line)?).copied();
        if subject.is_none() && !self.lines().any(|line| moved(line).is_some()) {
            return None;
        }
        let mut data = Vec::new();
        let mut is_signature = false;
        for line in self.lines() {
            is_signature = if line.starts_with(b" ") { is_signature } else { line.starts_with(b"gpgsig") };
            match moved(line) {
                _ if is_signature => {}
                Some(new) => data.extend_from_slice(format!("parent {new}\n").as_bytes()),
                None => data.extend_from_slice(line),
            }
        }
        data.push(b'\n');
        if let Some(subject) = subject {
            data.extend_from_slice(subject.as_bytes());
            data.extend_from_slice(if self.message.is_empty() { b"\n" } else { b"\n\n" });
        }
        data.extend_from_slice(&self.message);
        Some(data)
    }
}

/// The commit that a line of a header names as a parent.
fn parent(line: &[u8]) -> Option<Oid> {
    Oid::from_str(str::from_utf8(line.strip_prefix(b"parent ")?).ok()?.trim_end()).ok()
}
