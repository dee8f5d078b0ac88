//! Submodules: populated from what the user's repository has of them, without a network.
//!
//! Work in a submodule is saved (under `refs/fleet/wip/<job>` of the submodule's repository inside the user's) and a next
//! run goes on from it, but it is no part of the job's branch: that stays at the submodule's commit of the start.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use git2::{Config, Oid, Repository};

use super::{
    clone::{self, HeadAt, Seat},
    error::{During, WorkspaceError},
    prepare::{Step, checkout},
    record::{Record, SubmoduleRecord},
    refs,
    source::{Identity, Source},
    view::Area,
};

/// Populates the submodules of a tree.
pub(super) struct Populate<'a> {
    pub(super) dir: &'a Path,
    pub(super) source: &'a Source,
    pub(super) identity: &'a Identity,
    pub(super) record: &'a mut Record,
}

/// A submodule as the tree names it.
struct Submodule {
    name: String,
    /// Below the tree.
    path: PathBuf,
    commit: Oid,
}

/// The area of a submodule that was populated.
pub(super) fn area(dir: &Path, nth: usize, module: &SubmoduleRecord) -> Area {
    Area {
        tree: dir.join("tree").join(&module.path),
        view: dir.join(format!("view-{nth}")),
        aside: dir.join(format!("agent-{nth}.git")),
        git_dir: module.git_dir.clone(),
    }
}

impl Populate<'_> {
    /// Populates what can be, and notes what cannot. Submodules of submodules stay empty.
    pub(super) fn all(&mut self, main: &Area, step: &mut dyn FnMut(Step)) -> Result<(), WorkspaceError> {
        for module in declared(main)? {
            step(Step::Submodule(module.path.clone()));
            let found = self.candidates(&module).into_iter().find_map(|git_dir| usable(&git_dir, module.commit));
            match found {
                Some(repo) => self.one(&module, &repo)?,
                None => self.record.notes.push(format!(
                    "the submodule `{}` is empty: your repository does not have its commit; \
                     run `git submodule update --init {}` in your checkout",
                    module.path.display(),
                    module.path.display(),
                )),
            }
        }
        Ok(())
    }

    /// Where the user's repository may keep it.
    fn candidates(&self, module: &Submodule) -> Vec<PathBuf> {
        let modules = self.source.git_dir.join("modules").join(&module.name);
        let inside = self.source.checkout.as_ref().map(|checkout| checkout.join(&module.path));
        std::iter::once(modules).chain(inside).collect()
    }

    fn one(&mut self, module: &Submodule, repo: &Repository) -> Result<(), WorkspaceError> {
        let git_dir = repo.commondir().to_owned();
        let saved = refs::commit_of(repo, &refs::wip_ref(&self.record.job))?;
        let commit = saved.unwrap_or(module.commit);
        let record = SubmoduleRecord { path: module.path.clone(), git_dir, commit };
        let area = area(self.dir, self.record.submodules.len(), &record);
        let objects = clone::object_folders(&record.git_dir.join("objects"));
        let exclude = clone::users_ignore_rules(repo);
        let shallow = fs::read(record.git_dir.join("shallow")).ok();
        let seat = Seat {
            head: HeadAt::Detached,
            commit,
            refs: Vec::new(),
            borrowed: &objects,
            identity: self.identity,
            exclude: &exclude,
            shallow: shallow.as_deref(),
        };
        seat.make(&area.tree.join(".git"))?;
        checkout(&area.tree, commit)?;
        area.make_view(&objects, &exclude, shallow.as_deref())?;
        if !declared(&area)?.is_empty() {
            let path = module.path.display();
            self.record.notes.push(format!("submodules inside the submodule `{path}` are empty"));
        }
        self.record.submodules.push(record);
        Ok(())
    }
}

/// The submodules of a tree, as `.gitmodules` and the index agree on them.
fn declared(area: &Area) -> Result<Vec<Submodule>, WorkspaceError> {
    let file = area.tree.join(".gitmodules");
    let plain = fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file());
    // A file that is no configuration declares nothing.
    let Some(config) = plain.then(|| Config::open(&file).ok()).flatten() else { return Ok(Vec::new()) };
    let view = area.open()?;
    let index = view.index().during("read the index of", &area.view)?;
    let mut found = Vec::new();
    let mut entries = config.entries(Some(r"^submodule\..*\.path$")).during("read", &file)?;
    while let Some(entry) = entries.next() {
        let entry = entry.during("read", &file)?;
        let (Ok(key), Ok(path)) = (entry.name(), entry.value()) else { continue };
        let name = key.trim_start_matches("submodule.").trim_end_matches(".path").to_owned();
        let path = PathBuf::from(path);
        // Names and paths come from the tree, so from anyone.
        let tame =
            |path: &Path| path.components().all(|part| matches!(part, Component::Normal(name) if name != ".git"));
        let link = index.get_path(&path, 0).filter(|entry| entry.mode == 0o160_000);
        if let (Some(link), true, true) = (link, tame(&path), tame(Path::new(&name))) {
            found.push(Submodule { name, path, commit: link.id });
        }
    }
    Ok(found)
}

/// The repository, if it is one and has the commit.
fn usable(git_dir: &Path, commit: Oid) -> Option<Repository> {
    let repo = Repository::open(git_dir).ok()?;
    repo.find_commit(commit).ok()?.tree().ok()?;
    Some(repo)
}
