//! What a run of this machine is held to: its workspace and temporary folder, its engine's own folders, and what the user
//! allows besides.

use std::{
    collections::BTreeMap,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{agent::Under, equip::Place, options::Options, probe::locate};
use crate::{
    confinement::{Grounds, Level, Policy, RealDisk, credentials, expanded},
    engine::{Definition, Invocation},
    workspace::Workspace,
};

/// How runs are confined on this machine, and what the user allows them.
#[derive(Debug)]
pub(crate) struct Confinement {
    pub(crate) level: Level,
    pub(crate) read: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    /// Never written by a run, whatever is allowed: the queue.
    pub(crate) kept: Vec<PathBuf>,
}

/// What an agent may reach; none where nothing confines it.
pub(super) fn agent(under: &Under<'_>, invocation: &Invocation) -> Option<Policy> {
    let program = invocation.argv.first()?;
    Confined { engine: Some((under.engine, program)), ..Confined::of(under, &invocation.env) }.policy()
}

/// What a verify command may reach: the same but for its engine's login.
pub(super) fn verify(under: &Under<'_>, environment: &BTreeMap<String, String>) -> Option<Policy> {
    Confined::of(under, environment).policy()
}

/// One process tree that is about to be started.
struct Confined<'a> {
    options: &'a Options,
    place: &'a Place,
    workspace: &'a Workspace,
    environment: &'a BTreeMap<String, String>,
    /// The agent's engine with the program that is started.
    engine: Option<(&'a Definition, &'a str)>,
}

impl<'a> Confined<'a> {
    fn of(under: &'a Under<'_>, environment: &'a BTreeMap<String, String>) -> Self {
        let workspace = &under.equipped.workspace;
        Self { options: &under.seat.options, place: under.place, workspace, environment, engine: None }
    }

    fn policy(&self) -> Option<Policy> {
        let Confinement { level: Level::Landlock(_), read, write, kept } = &self.options.confinement else {
            return None;
        };
        let (options, place) = (self.options, self.place);
        let home = self.environment.get("HOME").map(Path::new).filter(|home| home.is_absolute());
        let path = self.environment.get("PATH").map_or("", String::as_str);
        let reach = self.workspace.reach();
        let own = self.engine.map(|(engine, _)| self.made(engine)).unwrap_or_default();
        let others = options.engines.iter().flat_map(|engine| self.places(engine));
        let closed: Vec<PathBuf> =
            others.filter(|other| !own.contains(other)).chain(home.into_iter().flat_map(credentials)).collect();
        let program = self.engine.and_then(|(_, program)| locate(program, path, &reach.tree));
        Some(Policy::of(
            &Grounds {
                home,
                path,
                own_write: vec![reach.tree.clone(), place.tmp.clone()],
                own_read: [place.prompt.clone(), options.exe.clone()].into_iter().chain(reach.objects).collect(),
                tree: &reach.tree,
                program: program.as_deref(),
                engine: &own,
                read,
                write,
                closed: &closed,
                sealed: std::slice::from_ref(&options.state),
                kept: &[kept.clone(), reach.repository].concat(),
            },
            &RealDisk,
        ))
    }

    fn places(&self, engine: &Definition) -> Vec<PathBuf> {
        let places = engine.folders.iter().chain(&engine.files).chain(&engine.credentials.files);
        places.filter_map(|place| expanded(place, self.environment)).collect()
    }

    /// The engine's own places; another name for the same program, with other arguments, shares them. A program that is new
    /// here could not make its folder itself.
    fn made(&self, engine: &Definition) -> Vec<PathBuf> {
        let same = self.options.engines.iter().filter(|other| other.program() == engine.program());
        let mut own = Vec::new();
        for engine in same {
            for folder in engine.folders.iter().filter_map(|folder| expanded(folder, self.environment)) {
                if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(&folder) {
                    tracing::warn!(folder = %folder.display(), %error, "an engine's folder could not be made");
                }
            }
            own.extend(self.places(engine));
        }
        own
    }
}

/// Caches that lie in the home folder and that tools cannot do without: where, and the variable that moves them.
const CACHES: [(&str, &str); 2] = [("XDG_CACHE_HOME", ".cache"), ("npm_config_cache", ".npm")];

/// Variables by which a confined run keeps its caches in its temporary folder, unless the user allows the usual place.
pub(super) fn variables(options: &Options, place: &Place) -> BTreeMap<String, String> {
    let Confinement { level: Level::Landlock(_), write, .. } = &options.confinement else { return BTreeMap::new() };
    let set = |name: &str| options.environment.get(name).filter(|value| !value.is_empty());
    let usual = |name: &str, below: &str| set(name).map(PathBuf::from).or(Some(Path::new(set("HOME")?).join(below)));
    CACHES
        .iter()
        .filter(|(name, below)| {
            !usual(name, below).is_some_and(|usual| write.iter().any(|open| usual.starts_with(open)))
        })
        .map(|(name, below)| ((*name).to_owned(), place.tmp.join(below).to_string_lossy().into_owned()))
        .collect()
}
