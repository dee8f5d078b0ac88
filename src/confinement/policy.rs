//! From what a run stands on to what it may reach: pure rules over a disk that is asked through [`Disk`].
//!
//! No rule's path may lead through a folder that a confined run can write: what lies there today may be a link to anywhere
//! tomorrow. So every path is the real one, and what lies within a written folder is left out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::places::{HOME_READ, LOOKED_FOR_ABOVE, SYSTEM_READ, SYSTEM_WRITE};

/// What a process tree may reach; all else is refused. Paths are real ones, files or whole folders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// Read, listed and executed.
    pub(crate) read: Vec<PathBuf>,
    /// The same, and written, made and removed within.
    pub(crate) write: Vec<PathBuf>,
}

/// What one run stands on. Paths are absolute.
#[derive(Debug, Clone)]
pub(crate) struct Grounds<'a> {
    pub(crate) home: Option<&'a Path>,
    /// The agent's `PATH`.
    pub(crate) path: &'a str,
    /// What was made for this run alone; it may lie within what is sealed.
    pub(crate) own_write: Vec<PathBuf>,
    pub(crate) own_read: Vec<PathBuf>,
    /// The folder that is worked in: tools look for settings above it.
    pub(crate) tree: &'a Path,
    /// The program that is started, where it was found.
    pub(crate) program: Option<&'a Path>,
    /// Folders and files of the engine itself.
    pub(crate) engine: &'a [PathBuf],
    /// What the user allows besides.
    pub(crate) read: &'a [PathBuf],
    pub(crate) write: &'a [PathBuf],
    /// Open only to somebody who names it: credentials, folders of other engines.
    pub(crate) closed: &'a [PathBuf],
    /// Never open: fleet's own state.
    pub(crate) sealed: &'a [PathBuf],
    /// Never written: the repository, the queue.
    pub(crate) kept: &'a [PathBuf],
}

/// What has to be known of the disk.
pub(crate) trait Disk {
    /// The path without links; none when there is nothing.
    fn real(&self, path: &Path) -> Option<PathBuf>;
    /// What lies in a folder, without links; nothing for a file.
    fn children(&self, folder: &Path) -> Vec<PathBuf>;
}

/// This machine's.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn real(&self, path: &Path) -> Option<PathBuf> {
        fs::canonicalize(path).ok()
    }

    fn children(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()))
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        paths
    }
}

impl Policy {
    /// The policy of a run. The same grounds on the same disk give the same policy.
    pub(crate) fn of(grounds: &Grounds<'_>, disk: &dyn Disk) -> Self {
        let written = grounds.engine.iter().chain(grounds.write).map(|path| real(disk, path)).collect();
        Maker { grounds, disk, home: grounds.home.map(|home| real(disk, home)), written }.make()
    }
}

struct Maker<'a> {
    grounds: &'a Grounds<'a>,
    disk: &'a dyn Disk,
    home: Option<PathBuf>,
    /// What somebody else than this run may have written.
    written: Vec<PathBuf>,
}

impl Maker<'_> {
    fn make(&self) -> Policy {
        let grounds = self.grounds;
        let mut write: Vec<PathBuf> = grounds.own_write.iter().filter_map(|path| self.disk.real(path)).collect();
        write.extend(SYSTEM_WRITE.iter().filter_map(|path| self.disk.real(Path::new(path))));
        let fixed = [grounds.sealed, grounds.kept].concat();
        for granted in grounds.write {
            write.extend(self.granted(granted, &fixed));
        }
        for place in grounds.engine {
            // Someone's home folder may be their repository; the engine needs its folder there all the same.
            let place_now = real(self.disk, place);
            let lies_in = |kept: &PathBuf| {
                let kept = real(self.disk, kept);
                place_now != kept && place_now.starts_with(kept)
            };
            let beside = grounds.kept.iter().filter(|kept| !lies_in(kept)).chain(grounds.sealed).cloned();
            write.extend(self.granted(place, &beside.collect::<Vec<_>>()));
        }
        let mut read: Vec<PathBuf> = grounds.own_read.iter().filter_map(|path| self.disk.real(path)).collect();
        read.extend(grounds.read.iter().flat_map(|granted| self.granted(granted, grounds.sealed)));
        read.extend(self.ambient());
        let write = outermost(write, &[]);
        Policy { read: outermost(read, &write), write }
    }

    /// What somebody named. It opens something closed only if that is what was named, and never all of the home folder.
    fn granted(&self, named: &Path, sealed: &[PathBuf]) -> Vec<PathBuf> {
        let Some(path) = self.disk.real(named).filter(|_| !self.leads_through(named, &self.written)) else {
            return Vec::new();
        };
        // A link that another engine's agent planted in its folder does not lead out of there.
        let (around, closed): (Vec<&PathBuf>, Vec<&PathBuf>) =
            self.grounds.closed.iter().partition(|closed| named.starts_with(closed));
        let leads_out = around.iter().any(|closed| !path.starts_with(real(self.disk, closed)));
        if leads_out || self.home.as_ref().is_some_and(|home| home.starts_with(&path)) {
            return Vec::new();
        }
        let closed: Vec<PathBuf> = closed.into_iter().chain(sealed).map(|closed| real(self.disk, closed)).collect();
        self.without(path, &closed)
    }

    /// Whether a part of the way to this place lies in one of the folders, where it can be turned into a link.
    fn leads_through(&self, path: &Path, folders: &[PathBuf]) -> bool {
        let mut ways = path.ancestors().skip(1).map(|way| real(self.disk, way));
        ways.any(|way| folders.iter().any(|folder| way.starts_with(folder)))
    }

    /// What any toolchain needs, whoever runs.
    fn ambient(&self) -> Vec<PathBuf> {
        let grounds = self.grounds;
        let everywhere = [grounds.closed, grounds.sealed].concat();
        let closed: Vec<PathBuf> = everywhere.iter().map(|path| real(self.disk, path)).collect();
        let elsewhere = self.home.iter().cloned().chain(grounds.kept.iter().map(|path| real(self.disk, path)));
        let closed_to_system: Vec<PathBuf> = closed.iter().cloned().chain(elsewhere).collect();
        let system = SYSTEM_READ.iter().filter_map(|path| self.disk.real(Path::new(path)));
        let mut open: Vec<PathBuf> = system.flat_map(|path| self.without(path, &closed_to_system)).collect();
        let home = grounds.home.into_iter().flat_map(|home| HOME_READ.iter().map(|below| home.join(below)));
        let folders = grounds.path.split(':').map(PathBuf::from).filter(|folder| folder.is_absolute());
        let above = grounds.tree.ancestors().skip(1);
        let above = above.flat_map(|folder| LOOKED_FOR_ABOVE.iter().map(|name| folder.join(name)));
        for path in home.chain(folders).chain(above).chain(self.program()) {
            open.extend(self.harmless(&path, &closed));
        }
        open
    }

    /// The real path, unless somebody can write the way to it, or anything closed is in it or around it.
    fn harmless(&self, named: &Path, closed: &[PathBuf]) -> Option<PathBuf> {
        let path = self.disk.real(named)?;
        let touches = |other: &PathBuf| other.starts_with(&path) || path.starts_with(other);
        let above_home = self.home.as_ref().is_some_and(|home| home.starts_with(&path));
        let taken = above_home || closed.iter().any(touches);
        let astray = self.leads_through(named, &self.written) || self.leads_through(named, closed);
        (!taken && !astray).then_some(path)
    }

    /// The started program, and what is installed together with it.
    fn program(&self) -> Vec<PathBuf> {
        // One that lies in the engine's own folder is open already, and a link there leads nowhere else.
        let found = self.grounds.program.filter(|program| !self.leads_through(program, &self.written));
        let Some(program) = found.and_then(|program| self.disk.real(program)) else { return Vec::new() };
        let mut parts = vec![program.clone()];
        let package = program.ancestors().filter(|folder| folder.ends_with("node_modules")).last();
        parts.extend(package.map(Path::to_owned));
        if let Some(prefix) = program.parent().filter(|folder| folder.ends_with("bin")).and_then(Path::parent) {
            parts.extend(["lib", "libexec", "pyvenv.cfg"].map(|part| prefix.join(part)));
        }
        parts
    }

    /// The folder; where something closed lies in it, its other children instead. Names that appear in such a folder later
    /// stay closed.
    fn without(&self, folder: PathBuf, closed: &[PathBuf]) -> Vec<PathBuf> {
        if closed.iter().any(|closed| folder.starts_with(closed)) {
            return Vec::new();
        }
        if !closed.iter().any(|closed| closed.starts_with(&folder)) {
            return vec![folder];
        }
        self.disk.children(&folder).into_iter().flat_map(|child| self.without(child, closed)).collect()
    }
}

/// What the user may not allow, because it lies around something that nobody means: `home` itself, and what is protected in it or
/// elsewhere. Each grant with what it would take along. A protected place that is named itself is no mistake.
pub(crate) fn too_wide(
    grants: &[PathBuf],
    home: Option<&Path>,
    protected: &[PathBuf],
    disk: &dyn Disk,
) -> Vec<(PathBuf, PathBuf)> {
    let home = home.map(|home| real(disk, home));
    let protected: Vec<PathBuf> = protected.iter().map(|path| real(disk, path)).collect();
    let takes = |grant: &PathBuf| {
        let wide = real(disk, grant);
        let at_home = home.iter().find(|home| home.starts_with(&wide));
        at_home.or_else(|| protected.iter().find(|path| path.starts_with(&wide) && **path != wide)).cloned()
    };
    grants.iter().filter_map(|grant| Some((grant.clone(), takes(grant)?))).collect()
}

/// The first grant that lies in one of the `kept` places, and which.
pub(crate) fn within(grants: &[PathBuf], kept: &[PathBuf], disk: &dyn Disk) -> Option<(PathBuf, PathBuf)> {
    let holder = |grant: &PathBuf| kept.iter().find(|kept| real(disk, grant).starts_with(real(disk, kept))).cloned();
    grants.iter().find_map(|grant| Some((grant.clone(), holder(grant)?)))
}

/// The real path, or the path itself where there is nothing yet.
fn real(disk: &dyn Disk, path: &Path) -> PathBuf {
    disk.real(path).unwrap_or_else(|| path.to_owned())
}

/// Each once, in order, without what lies within another one or within `also`.
fn outermost(mut paths: Vec<PathBuf>, also: &[PathBuf]) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !kept.iter().chain(also).any(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}
