//! Git: the program, who commits, and the repository that one stands in.

use std::path::PathBuf;

use git2::{ObjectType, Repository, Submodule, TreeWalkMode, TreeWalkResult};
use nix::unistd::{AccessFlags, access};

use super::{
    check::Check,
    program::{first_words, locate, several},
    subject::Subject,
};
use crate::workspace::{Source, WorkspaceError};

/// The oldest `git` whose checkouts behave as ours expect.
const OLDEST_GIT: (u32, u32) = (2, 39);

pub(super) fn git_program(subject: &Subject) -> Check {
    const NAME: &str = "git program";
    let (major, minor) = OLDEST_GIT;
    let install = format!("install git {major}.{minor} or newer, and see to it that it is on the PATH of the runner");
    let path = match locate("git", &subject.environment) {
        Ok(path) => path,
        Err(places) => {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            return Check::fail(
                NAME,
                format!("there is no program `git` (looked at {})", several(&places, ", ")),
                install,
            );
        }
    };
    match first_words(&path, &["--version".to_owned()], &subject.environment, subject.patience) {
        Ok(said) => match version(&said) {
            Some(version) if version >= OLDEST_GIT => Check::ok(NAME, format!("{said} at {}", path.display())),
            Some(_) => Check::fail(NAME, format!("{said} at {} is too old", path.display()), install),
            None => Check::fail(NAME, format!("{} says `{said}`, which is no version of git", path.display()), install),
        },
        Err(error) => Check::fail(NAME, format!("{} does not work: {error}", path.display()), install),
    }
}

/// Major and minor of `git version 2.47.3 (…)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn git_identity(subject: &Subject) -> Check {
    const NAME: &str = "git identity";
    match &subject.identity {
        Ok(Some(who)) => Check::ok(NAME, format!("{} <{}>", who.name, who.email)),
        Ok(None) => Check::warn(
            NAME,
            "user.name and user.email are not both set, so work is committed as `fleet`",
            "git config --global user.name NAME; git config --global user.email ADDRESS",
        ),
        Err(why) => {
            Check::fail(NAME, why, "correct the settings that git reads; `git config --list --show-origin` lists them")
        }
    }
}

pub(super) fn repository(subject: &Subject) -> Check {
    const NAME: &str = "repository";
    let source = match &subject.repository {
        Ok(source) => source,
        Err(error) => return unusable(NAME, error),
    };
    for folder in ["objects", "refs"] {
        let path = source.git_dir.join(folder);
        if let Err(error) = access(&path, AccessFlags::W_OK | AccessFlags::X_OK) {
            let found = format!("{} cannot be written ({}), so no work could come back", path.display(), error.desc());
            return Check::fail(NAME, found, "give it to the user that runs fleet");
        }
    }
    // Without the slash at the end that git gives a folder.
    let at: PathBuf = source.checkout.as_ref().unwrap_or(&source.git_dir).components().collect();
    let commit = source.base_commit.to_string();
    Check::ok(NAME, format!("{} on `{}` at {}", at.display(), source.base, &commit[..8]))
}

fn unusable(name: &str, error: &WorkspaceError) -> Check {
    use WorkspaceError as E;
    match error {
        E::NotARepository { path } => Check::warn(
            name,
            format!("{} is not in a git repository", path.display()),
            "start in a repository, make one (`git init`, then commit), or name one in each task (`repo:`)",
        ),
        E::NoCommits { path } => Check::fail(
            name,
            format!("{} has no commit yet, so there is nothing to start from", path.display()),
            "git add -A && git commit -m first",
        ),
        E::DetachedHead { path } => Check::warn(
            name,
            format!("HEAD of {} is detached, so tasks have no base", path.display()),
            "`git switch` to a branch, or name one in each task (`base:`)",
        ),
        E::UnknownBase { .. } => Check::fail(name, error.to_string(), "`git switch` to a branch that exists"),
        E::Unsupported { path, what, remedy } => {
            Check::fail(name, format!("{} cannot be used: {what}", path.display()), *remedy)
        }
        other => Check::fail(name, other.to_string(), "`git status` should say more"),
    }
}

pub(super) fn submodules(subject: &Subject) -> Check {
    const NAME: &str = "submodules";
    let Ok(source) = &subject.repository else { return Check::skip(NAME, "no repository to look into") };
    let Some(checkout) = &source.checkout else { return Check::skip(NAME, "a bare repository has none checked out") };
    let found = Repository::open(checkout).and_then(|repo| {
        let modules = repo.submodules()?;
        let empty = modules.iter().filter(|module| !is_here(source, module));
        Ok((modules.len(), empty.map(|module| module.path().display().to_string()).collect::<Vec<_>>()))
    });
    match found {
        Ok((0, _)) => Check::skip(NAME, "there are none"),
        Ok((count, empty)) if empty.is_empty() => Check::ok(
            NAME,
            format!("{count}, and agents get their files; work in them is saved, but is no part of the branch"),
        ),
        Ok((_, empty)) => Check::warn(
            NAME,
            format!("{} would be empty for an agent: its commit is not here", several(&empty, ", ")),
            "git submodule update --init",
        ),
        Err(error) => Check::warn(
            NAME,
            format!("they cannot be read: {}", error.message()),
            "`git submodule status` should say more",
        ),
    }
}

/// Whether the user's repository has the submodule's commit, where a workspace would take it from.
fn is_here(source: &Source, module: &Submodule<'_>) -> bool {
    let Some(commit) = module.head_id().or(module.index_id()) else { return false };
    let kept = module.name().map(|name| source.git_dir.join("modules").join(name)).ok();
    let inside = source.checkout.as_ref().map(|checkout| checkout.join(module.path()));
    let has = |path| Repository::open(path).is_ok_and(|repo| repo.find_commit(commit).is_ok());
    kept.into_iter().chain(inside).any(has)
}

pub(super) fn large_files(subject: &Subject) -> Check {
    const NAME: &str = "large files";
    let Ok(source) = &subject.repository else { return Check::skip(NAME, "no repository to look into") };
    match uses_lfs(source) {
        Ok(false) => Check::skip(NAME, "none are kept by Git LFS"),
        Ok(true) => Check::warn(
            NAME,
            "this repository uses Git LFS, and an agent sees pointers in place of the files",
            "a task that needs them runs `git lfs pull` itself, with a remote of its own",
        ),
        Err(error) => {
            Check::warn(NAME, format!("the base cannot be read: {}", error.message()), "`git fsck` should say more")
        }
    }
}

/// Whether any `.gitattributes` of the base hands files to LFS.
fn uses_lfs(source: &Source) -> Result<bool, git2::Error> {
    let repo = Repository::open(&source.git_dir)?;
    let mut found = false;
    let walked = repo.find_commit(source.base_commit)?.tree()?.walk(TreeWalkMode::PreOrder, |_, entry| {
        let attributes = entry.kind() == Some(ObjectType::Blob) && entry.name_bytes() == b".gitattributes";
        found = attributes
            && repo
                .find_blob(entry.id())
                .is_ok_and(|blob| blob.content().windows(10).any(|part| part == b"filter=lfs"));
        if found { TreeWalkResult::Abort } else { TreeWalkResult::Ok }
    });
    // Ending the walk early is reported as an error too.
    if found { Ok(true) } else { walked.map(|()| false) }
}
