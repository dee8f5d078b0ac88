//! Puts a run's work on its branch in the user's repository.

use git2::{Oid, Repository};

use super::{
    collect::Collected,
    error::WorkspaceError,
    prepare::Workspace,
    refs::{self, Expect, Moved},
    source::checkouts,
};

/// Where the work can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// Without `refs/heads/`.
    pub(crate) branch: String,
    pub(crate) commit: Oid,
    /// Why it is not the branch that was meant.
    pub(crate) note: Option<String>,
}

/// Moves the job's branch to the collected commit.
///
/// A branch is moved forward, or from the commit that was recorded last. One that somebody else moved, or that is checked
/// out, is left alone: the work then gets a branch of the next free name, `…-2`.
pub(crate) fn publish(workspace: &Workspace, collected: &Collected) -> Result<Published, WorkspaceError> {
    let repo = workspace.repository()?;
    let recorded = workspace.record.recorded.as_deref().and_then(|commit| Oid::from_str(commit).ok());
    let (mut nth, mut note) = (1, None);
    loop {
        let branch = if nth == 1 { workspace.branch().to_owned() } else { format!("{}-{nth}", workspace.branch()) };
        match point(&repo, &branch, collected.head, recorded)? {
            Pointed::There => return Ok(Published { branch, commit: collected.head, note }),
            // It moved between looking and swapping; look again.
            Pointed::Raced => {}
            Pointed::Left(why) => {
                note.get_or_insert_with(|| format!("`{branch}` {why}, so it is left alone"));
                nth += 1;
            }
        }
    }
}

enum Pointed {
    There,
    Left(String),
    Raced,
}

fn point(repo: &Repository, branch: &str, head: Oid, recorded: Option<Oid>) -> Result<Pointed, WorkspaceError> {
    let name = format!("refs/heads/{branch}");
    let expect = match refs::commit_of(repo, &name)? {
        None => Expect::Absent,
        Some(at) if at == head => return Ok(Pointed::There),
        Some(at) if recorded == Some(at) || repo.graph_descendant_of(head, at).unwrap_or(false) => {
            if let Some(checkout) = checkouts(repo)?.into_iter().find(|checkout| checkout.branch == branch) {
                return Ok(Pointed::Left(format!("is checked out in `{}`", checkout.path.display())));
            }
            Expect::Commit(at)
        }
        Some(at) => return Ok(Pointed::Left(format!("was moved to {at} by somebody else"))),
    };
    Ok(match refs::set(repo, &name, head, expect)? {
        Moved::Yes => Pointed::There,
        Moved::No => Pointed::Raced,
    })
}
