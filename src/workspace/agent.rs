//! Reads where an agent left its clone: HEAD, branches, stash, and what is under way.
//!
//! Plain files are read, and no setting: opening the clone as a repository would follow whatever the agent configured.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use git2::{Oid, Reference};

/// The refs of an agent's clone.
#[derive(Debug, Default)]
pub(super) struct AgentRefs {
    /// The commit that HEAD means; none when there is none (or no readable `.git`).
    pub(super) head: Option<Oid>,
    /// `refs/heads/*` and `refs/stash`, by full name.
    pub(super) refs: BTreeMap<String, Oid>,
    /// An operation that was not concluded.
    pub(super) under_way: Option<&'static str>,
}

/// Traces of an operation that is not concluded.
const UNDER_WAY: &[(&str, &str)] = &[
    ("MERGE_HEAD", "merge"),
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisection"),
];
/// Folders within one another below `refs/heads`; more is no branch name of a person.
const DEPTH: usize = 16;

impl AgentRefs {
    /// Reads the git directory `git`. Whatever is not there or not readable counts as not there.
    pub(super) fn read(git: &Path) -> Self {
        let real = fs::symlink_metadata(git).is_ok_and(|meta| meta.is_dir());
        if !real {
            return Self::default();
        }
        let mut refs = packed(git);
        loose(git, &mut refs);
        refs.retain(|name, _| Reference::is_valid_name(name));
        let head = text(&git.join("HEAD")).unwrap_or_default();
        let head = match head.strip_prefix("ref: ") {
            Some(name) => refs.get(name).copied(),
            None => Oid::from_str(&head).ok(),
        };
        let under_way = UNDER_WAY.iter().find(|(trace, _)| git.join(trace).exists()).map(|(_, what)| *what);
        Self { head, refs, under_way }
    }
}

fn packed(git: &Path) -> BTreeMap<String, Oid> {
    let text = text(&git.join("packed-refs")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let ours = lines.filter(|(_, name)| name.starts_with("refs/heads/") || *name == "refs/stash");
    ours.filter_map(|(oid, name)| Some((name.to_owned(), Oid::from_str(oid).ok()?))).collect()
}

fn loose(git: &Path, refs: &mut BTreeMap<String, Oid>) {
    let mut read = |path: PathBuf| {
        let Some(oid) = text(&path).and_then(|text| Oid::from_str(&text).ok()) else { return };
        if let Some(name) = path.strip_prefix(git).ok().and_then(Path::to_str) {
            refs.insert(name.to_owned(), oid);
        }
    };
    read(git.join("refs/stash"));
    let mut waiting = vec![(git.join("refs/heads"), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEPTH => waiting.push((entry.path(), depth + 1)),
                Ok(kind) if kind.is_file() => read(entry.path()),
                _ => {}
            }
        }
    }
}

/// The content of a small plain file, trimmed.
fn text(path: &Path) -> Option<String> {
    let meta = fs::symlink_metadata(path).ok()?;
    let small = meta.is_file() && meta.len() < 64 << 20;
    small.then(|| fs::read_to_string(path).ok())?.map(|text| text.trim().to_owned())
}
