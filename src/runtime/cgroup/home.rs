//! Where this process's own groups lie, in which others can be made.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

/// What a hierarchy of version 1 counts or limits; version 2 has one hierarchy for all.
pub(super) const CONTROLLERS: [&str; 5] = ["freezer", "memory", "pids", "cpu", "cpuacct"];

/// The folders of the groups that this process is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Homes {
    pub(super) unified: Option<PathBuf>,
    /// By controller.
    pub(super) legacy: BTreeMap<String, PathBuf>,
}

impl Homes {
    pub(super) fn ours() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        Ok(Self::parse(&mounts, &own, &|folder| folder.join("cgroup.procs").is_file()))
    }

    /// Of several mounts of a hierarchy the first counts in which our group `exists`.
    fn parse(mounts: &str, own: &str, exists: &dyn Fn(&Path) -> bool) -> Self {
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let mut homes = Self::default();
        for line in own.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let find = |fits: &dyn Fn(&Mount) -> bool| {
                let folders = mounts.iter().filter(|mount| fits(mount)).filter_map(|mount| mount.folder_of(path));
                folders.into_iter().find(|folder| exists(folder))
            };
            if controllers.is_empty() {
                homes.unified = find(&|mount| mount.kind == "cgroup2");
                continue;
            }
            for controller in controllers.split(',').filter(|name| CONTROLLERS.contains(name)) {
                let fits = |mount: &Mount| mount.kind == "cgroup" && mount.options.split(',').any(|o| o == controller);
                if let Some(folder) = find(&fits) {
                    homes.legacy.insert(controller.to_owned(), folder);
                }
            }
        }
        homes
    }
}

/// A line of `mountinfo` that mounts groups.
struct Mount {
    /// Which part of the hierarchy is to be seen.
    root: String,
    at: PathBuf,
    kind: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (place, system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, at) = (place.next()?, place.next()?);
        let mut system = system.split(' ');
        let (kind, _, options) = (system.next()?, system.next()?, system.next()?);
        let mount = Self {
            root: unescape(root),
            at: PathBuf::from(unescape(at)),
            kind: kind.to_owned(),
            options: options.to_owned(),
        };
        kind.starts_with("cgroup").then_some(mount)
    }

    /// Where the group that the kernel calls `path` lies, if it is to be seen through this mount.
    fn folder_of(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let plain = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        plain.then(|| self.at.join(below))
    }
}

/// Spaces and their like stand as octal numbers in the table of mounts.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

/// What this machine would let a run have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The version of the groups that hold the processes together; none where there is no such group.
    pub(crate) version: Option<u8>,
    /// Whether the kernel itself keeps a run's memory below its ceiling.
    pub(crate) memory: bool,
    /// Whether processors can be rationed.
    pub(crate) cpus: bool,
}

/// Finds out by making a group and removing it again. No process is moved.
pub(crate) fn offer() -> Offer {
    let name = format!("fleet-offer-{}", std::process::id());
    let homes = Homes::ours().unwrap_or_default();
    let found = |home: &Path, wanted: &[&str]| -> Option<Vec<bool>> {
        access(&home.join("cgroup.procs"), AccessFlags::W_OK).ok()?;
        let folder = home.join(&name);
        fs::create_dir(&folder).ok()?;
        let has = wanted.iter().map(|file| folder.join(file).exists()).collect();
        // What was made a moment ago is empty.
        fs::remove_dir(&folder).ok()?;
        Some(has)
    };
    let unified = homes.unified.as_deref().and_then(|home| found(home, &["memory.max", "cpu.max"]));
    let legacy = |controller: &str| homes.legacy.get(controller).is_some_and(|home| found(home, &[]).is_some());
    let (memory, cpu) = (legacy("memory"), legacy("cpu"));
    let any = memory || cpu || legacy("freezer") || legacy("pids");
    let in_unified = |index: usize| unified.as_ref().is_some_and(|has| has[index]);
    Offer {
        version: if unified.is_some() { Some(2) } else { any.then_some(1) },
        memory: memory || in_unified(0),
        cpus: cpu || in_unified(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw
45 44 0:32 / /jail/memory rw,relatime - cgroup cgroup rw,memory
";

    #[test]
    fn both_versions_are_found_where_this_process_is() {
        let own = "9:name=systemd:/init\n4:memory:/box/1\n2:cpu,cpuacct:/\n0::/user.slice/a b\n";
        let homes = Homes::parse(HYBRID, own, &|_| true);
        assert_eq!(homes.unified.as_deref(), Some(Path::new("/sys/fs/cgroup/uni fied/user.slice/a b")));
        let legacy: Vec<(&str, &str)> =
            homes.legacy.iter().map(|(name, path)| (name.as_str(), path.to_str().unwrap())).collect();
        assert_eq!(
            legacy,
            [
                ("cpu", "/sys/fs/cgroup/cpu,cpuacct/"),
                ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/"),
                ("memory", "/sys/fs/cgroup/memory/box/1"),
            ]
        );
    }

    #[test]
    fn a_mount_that_does_not_show_our_group_is_passed_over() {
        let own = "4:memory:/box/1\n";
        let homes = Homes::parse(HYBRID, own, &|folder| folder.starts_with("/jail"));
        assert_eq!(homes.legacy["memory"], Path::new("/jail/memory/box/1"));
        assert_eq!(Homes::parse(HYBRID, own, &|_| false), Homes::default());
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_or_of_the_namespace_is_none_of_ours() {
        let mounts = "41 31 0:38 /docker/7 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let unified = |own: &str| Homes::parse(mounts, own, &|_| true).unified;
        assert_eq!(unified("0::/docker/7/x").as_deref(), Some(Path::new("/sys/fs/cgroup/x")));
        assert_eq!(unified("0::/docker/8"), None);
        let whole = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(Homes::parse(whole, "0::/../other", &|_| true).unified, None);
    }
}
