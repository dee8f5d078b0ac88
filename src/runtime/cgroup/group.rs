//! One run's group: made, entered, listed, frozen, ended, removed.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    files::{entry, nested, put, soon},
    home::{CONTROLLERS, Homes},
};
use crate::runtime::{Ceilings, OwnedBy, Token};

/// How long a group may take to come to rest, or to be empty for its removal.
const PATIENCE: Duration = Duration::from_millis(500);
/// The kernel counts threads where people count processes; this many for each are let through.
const THREADS: u64 = 8;
const CPU_PERIOD_US: f64 = 100_000.0;

/// Which kinds of group are tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grouping {
    /// Whatever can be had here.
    #[default]
    Auto,
    /// Version 1 only.
    V1,
    /// None: processes are found in the process table, and measured there.
    Off,
}

/// The folders of one run's group, one for each hierarchy. Kept in `shim.json`, so that it is found when the shim is dead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    #[serde(default)]
    pub(super) unified: Option<PathBuf>,
    /// Version 1, by controller.
    #[serde(default)]
    pub(super) legacy: BTreeMap<String, PathBuf>,
    /// Which ceilings the kernel itself keeps.
    #[serde(default)]
    pub(super) kept: BTreeSet<Kept>,
    /// The shim could not leave it again: what ends or stops all of the group at once would do so to the shim.
    #[serde(skip)]
    pub(super) joined: bool,
}

/// A ceiling that the kernel keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Memory,
    Processes,
    Cpus,
}

impl Group {
    /// Makes the run's group with its ceilings. None where there is none to be had: then this machine's groups were tried
    /// and left as they were.
    pub(crate) fn make(grouping: Grouping, token: &Token, ceilings: &Ceilings) -> Option<Self> {
        if grouping == Grouping::Off {
            return None;
        }
        let homes = Homes::ours().ok()?;
        let name = name(token);
        let mut group = Self::default();
        if grouping == Grouping::Auto {
            group.unified = homes.unified.as_deref().and_then(|home| made(home, &name));
        }
        for controller in CONTROLLERS {
            // With version 2 there is a better freezer.
            if controller == "freezer" && group.unified.is_some() {
                continue;
            }
            let folder = homes.legacy.get(controller).and_then(|home| made(home, &name));
            group.legacy.extend(folder.map(|folder| (controller.to_owned(), folder)));
        }
        if group.unified.is_none() && group.legacy.is_empty() {
            return None;
        }
        group.limit(ceilings);
        Some(group)
    }

    /// Whether all of it was made for this launch: what a file says is not believed.
    pub(crate) fn is_of(&self, token: &Token) -> bool {
        let name = name(token);
        self.folders().all(|folder| folder.file_name().is_some_and(|own| own == name.as_str()))
    }

    /// How a run with this group is held together.
    pub(crate) const fn owned_by(&self) -> OwnedBy {
        if self.unified.is_some() { OwnedBy::Cgroup2 } else { OwnedBy::Cgroup1 }
    }

    pub(crate) fn keeps(&self, ceiling: Kept) -> bool {
        self.kept.contains(&ceiling)
    }

    /// Does something as a member of the group: what it starts is in the group from its first moment. Afterwards this
    /// process is where it was. Nothing is done when the group cannot be entered.
    pub(crate) fn inside<T>(&mut self, act: impl FnOnce() -> T) -> io::Result<T> {
        let me = std::process::id().to_string();
        let entered = self.folders().try_for_each(|folder| put(folder, "cgroup.procs", &me));
        let done = entered.map(|()| act());
        let left = |folder: &Path| folder.parent().is_some_and(|home| put(home, "cgroup.procs", &me).is_ok());
        // All of them, also after one that failed.
        let stays = self.folders().filter(|folder| !left(folder)).count();
        self.joined = stays > 0;
        done
    }

    /// The pids in it, those of groups inside it too. Nothing when it is gone.
    pub(crate) fn pids(&self) -> HashSet<i32> {
        let mut pids = HashSet::new();
        for folder in self.folders().flat_map(nested) {
            let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            // 0 stands for a process that this one cannot see.
            pids.extend(listed.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
        }
        pids
    }

    /// Ends all of it at once. False where the kernel has no such order: then its processes are to be ended one by one,
    /// and [`freeze`](Self::freeze) keeps them from forking meanwhile.
    pub(crate) fn kill(&self) -> bool {
        !self.joined && self.unified.as_deref().is_some_and(|folder| put(folder, "cgroup.kill", "1").is_ok())
    }

    /// Stops all of it where it is, and what it forks with it. False where that cannot be done.
    pub(crate) fn freeze(&self) -> bool {
        if self.joined {
            return false;
        }
        let frozen = match (&self.unified, self.legacy.get("freezer")) {
            (Some(folder), _) => {
                put(folder, "cgroup.freeze", "1").is_ok()
                    && soon(PATIENCE, || entry(folder, "cgroup.events", "frozen") == Some(1))
            }
            (None, Some(folder)) => {
                let state = || fs::read_to_string(folder.join("freezer.state")).unwrap_or_default();
                put(folder, "freezer.state", "FROZEN").is_ok() && soon(PATIENCE, || state().trim() == "FROZEN")
            }
            (None, None) => return false,
        };
        if !frozen {
            self.thaw();
        }
        frozen
    }

    /// Lets it go on. Does nothing to one that is not frozen.
    pub(crate) fn thaw(&self) {
        // It fails only for a group that is gone, and then nothing of it is frozen.
        if let Some(folder) = &self.unified {
            drop(put(folder, "cgroup.freeze", "0"));
        }
        if let Some(folder) = self.legacy.get("freezer") {
            drop(put(folder, "freezer.state", "THAWED"));
        }
    }

    /// Removes it, once nothing runs in it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for folder in self.folders() {
            let gone = |folder: &Path| match fs::remove_dir(folder) {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            let all_gone = || nested(folder).iter().try_for_each(|folder| gone(folder));
            if !soon(PATIENCE, || all_gone().is_ok()) {
                all_gone()?;
            }
        }
        Ok(())
    }

    /// Each folder once: two controllers of version 1 can share one.
    pub(in crate::runtime) fn folders(&self) -> impl Iterator<Item = &Path> {
        let all: BTreeSet<&Path> = self.unified.iter().chain(self.legacy.values()).map(PathBuf::as_path).collect();
        all.into_iter()
    }

    fn limit(&mut self, ceilings: &Ceilings) {
        let unified = self.unified.as_deref();
        let legacy = |controller: &str| self.legacy.get(controller).map(PathBuf::as_path);
        let set = |folder: Option<&Path>, file: &str, value: &str| {
            folder.is_some_and(|folder| put(folder, file, value).is_ok())
        };
        let mut kept = BTreeSet::new();
        if let Some(bytes) = ceilings.memory {
            let bytes = bytes.to_string();
            let new = set(unified, "memory.max", &bytes);
            let old = set(legacy("memory"), "memory.limit_in_bytes", &bytes);
            // Where there is swap, a tree would else grow into it. Not every kernel has these files.
            set(unified, "memory.swap.max", "0");
            set(unified, "memory.oom.group", "1");
            set(legacy("memory"), "memory.memsw.limit_in_bytes", &bytes);
            kept.extend((new || old).then_some(Kept::Memory));
        }
        if let Some(processes) = ceilings.processes {
            let threads = (u64::from(processes) * THREADS).to_string();
            let new = set(unified, "pids.max", &threads);
            let old = set(legacy("pids"), "pids.max", &threads);
            kept.extend((new || old).then_some(Kept::Processes));
        }
        if let Some(cpus) = ceilings.cpus {
            let quota = format!("{:.0}", (cpus * CPU_PERIOD_US).max(1_000.0));
            let new = set(unified, "cpu.max", &format!("{quota} {CPU_PERIOD_US:.0}"));
            let old = set(legacy("cpu"), "cpu.cfs_quota_us", &quota);
            kept.extend((new || old).then_some(Kept::Cpus));
        }
        self.kept = kept;
    }
}

fn name(token: &Token) -> String {
    format!("fleet-{}", token.mark())
}

/// Makes a group that this process can enter and leave; else leaves nothing behind.
fn made(home: &Path, name: &str) -> Option<PathBuf> {
    let folder = home.join(name);
    match fs::create_dir(&folder) {
        Ok(()) => {}
        // Made a moment ago for another controller of the same hierarchy: the name is random.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Some(folder),
        Err(_) => return None,
    }
    let me = std::process::id().to_string();
    let entered = put(&folder, "cgroup.procs", &me).and_then(|()| put(home, "cgroup.procs", &me));
    if entered.is_err() {
        // It is empty, for this process could not stay in it.
        drop(fs::remove_dir(&folder));
        return None;
    }
    Some(folder)
}
