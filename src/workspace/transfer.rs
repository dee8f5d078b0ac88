//! Copies objects into the user's repository: nothing else of a clone ever gets there.
//!
//! An object is written after everything it refers to, or all at once as one pack, so that an interruption leaves nothing
//! that looks complete and is not. Trees are checked for names that a checkout must never follow.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::Path,
};

use git2::{ObjectType, Odb, OdbLookupFlags, Oid, Repository};

use super::error::{During, WorkspaceError};

/// Up to so many objects are written one by one, as `git` itself does for small fetches; more become a pack.
const LOOSE: usize = 64;
/// A blob of so many bytes that lies loose in our own view is linked rather than read.
const LARGE: usize = 16 << 20;
const TREE: i32 = 0o040_000;
const GITLINK: i32 = 0o160_000;

/// What has to be copied, each object after those it refers to.
pub(super) struct Missing {
    objects: Vec<(Oid, ObjectType)>,
}

impl Missing {
    /// Everything that `tips` (commits) reach in `from` and that `into` lacks.
    ///
    /// # Errors
    /// [`WorkspaceError::BrokenObject`] when something is not there or not sound.
    pub(super) fn find(from: &Repository, into: &Repository, tips: &[Oid]) -> Result<Self, WorkspaceError> {
        let odb = into.odb().during("open the objects of", into.path())?;
        odb.refresh().during("read the objects of", into.path())?;
        let mut walk = Walk { from, there: &odb, reached: HashSet::new(), waiting: Vec::new(), objects: Vec::new() };
        for tip in tips {
            walk.reach(*tip, ObjectType::Commit);
            walk.drain()?;
        }
        Ok(Self { objects: walk.objects })
    }

    /// The commits among them.
    pub(super) fn commits(&self) -> impl Iterator<Item = Oid> {
        self.objects.iter().filter(|(_, kind)| *kind == ObjectType::Commit).map(|(oid, _)| *oid)
    }

    /// Copies them.
    pub(super) fn copy(mut self, from: &Repository, into: &Repository) -> Result<(), WorkspaceError> {
        let source = from.odb().during("open the objects of", from.path())?;
        let target = into.odb().during("open the objects of", into.path())?;
        let objects = into.commondir().join("objects");
        let mut linked = Ok(());
        self.objects.retain(|(oid, kind)| {
            let large = *kind == ObjectType::Blob && source.read_header(*oid).is_ok_and(|(size, _)| size >= LARGE);
            let name = oid.to_string();
            let loose = from.path().join("objects").join(&name[..2]).join(&name[2..]);
            if !large || linked.is_err() || !loose.is_file() {
                return true;
            }
            linked = link(&loose, &objects.join(&name[..2]), &name[2..]);
            false
        });
        linked?;
        if self.objects.len() > LOOSE {
            return self.pack(from, &objects.join("pack"));
        }
        for (oid, kind) in self.objects {
            let object = source.read(oid).during("read an object of", from.path())?;
            target.write(kind, object.data()).during("write an object of", into.path())?;
        }
        Ok(())
    }

    fn pack(&self, from: &Repository, folder: &Path) -> Result<(), WorkspaceError> {
        let mut pack = from.packbuilder().during("pack the objects of", from.path())?;
        for (oid, _) in &self.objects {
            pack.insert_object(*oid, None).during("pack the objects of", from.path())?;
        }
        pack.write(folder, 0).during("write a pack into", folder)
    }
}

struct Walk<'a> {
    from: &'a Repository,
    there: &'a Odb<'a>,
    reached: HashSet<Oid>,
    /// True: what it refers to is done.
    waiting: Vec<(Oid, ObjectType, bool)>,
    objects: Vec<(Oid, ObjectType)>,
}

impl Walk<'_> {
    fn reach(&mut self, oid: Oid, kind: ObjectType) {
        if !self.there.exists_ext(oid, OdbLookupFlags::NO_REFRESH) && self.reached.insert(oid) {
            self.waiting.push((oid, kind, false));
        }
    }

    fn drain(&mut self) -> Result<(), WorkspaceError> {
        while let Some((oid, kind, done)) = self.waiting.pop() {
            if done {
                self.objects.push((oid, kind));
                continue;
            }
            self.waiting.push((oid, kind, true));
            self.references(oid, kind).map_err(|reason| WorkspaceError::BrokenObject {
                path: self.from.path().to_owned(),
                reason: format!("{oid}: {reason}"),
            })?;
        }
        Ok(())
    }

    fn references(&mut self, oid: Oid, kind: ObjectType) -> Result<(), String> {
        let say = |error: git2::Error| error.message().to_owned();
        match kind {
            ObjectType::Commit => {
                let commit = self.from.find_commit(oid).map_err(say)?;
                self.reach(commit.tree_id(), ObjectType::Tree);
                for parent in commit.parent_ids() {
                    self.reach(parent, ObjectType::Commit);
                }
            }
            ObjectType::Tree => {
                let tree = self.from.find_tree(oid).map_err(say)?;
                for entry in &tree {
                    check_name(entry.name_bytes())?;
                    match entry.filemode_raw() {
                        GITLINK => {}
                        TREE => self.reach(entry.id(), ObjectType::Tree),
                        _ => self.reach(entry.id(), ObjectType::Blob),
                    }
                }
            }
            _ => {
                let (_, found) = self.from.odb().and_then(|odb| odb.read_header(oid)).map_err(say)?;
                if found != kind {
                    return Err(format!("a {found} where a {kind} should be"));
                }
            }
        }
        Ok(())
    }
}

/// Refuses names that mean something to a file system or to git.
fn check_name(name: &[u8]) -> Result<(), String> {
    let refused = matches!(name, b"" | b"." | b"..") || name.eq_ignore_ascii_case(b".git") || name.contains(&b'/');
    if refused { Err(format!("a file named `{}`", String::from_utf8_lossy(name))) } else { Ok(()) }
}

/// Puts a loose object that we wrote ourselves beside the others, without reading it.
fn link(loose: &Path, folder: &Path, name: &str) -> Result<(), WorkspaceError> {
    fs::create_dir_all(folder).during("create", folder)?;
    let to = folder.join(name);
    match fs::hard_link(loose, &to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(_) => {
            // Another file system: copied under a name that git sweeps up should we die half-way.
            let new = folder.join(format!("tmp_obj_{name}"));
            fs::copy(loose, &new).during("copy into", &new)?;
            fs::rename(&new, &to).during("write", &to)?;
        }
    }
    File::open(&to).and_then(|file| file.sync_all()).during("write", &to)?;
    File::open(folder).and_then(|folder| folder.sync_all()).during("write", folder)
}
