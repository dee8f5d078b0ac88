//! How many workspaces there are, how much disk they fill, and how much of either there may be.
//!
//! Counting is cheap and always done anew. Walking through ten gigabytes is not: sizes are measured beside the work, and
//! remembered until the next time.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fleet_protocol::JobId;

use super::{error::WorkspaceError, leftover::leftovers, record};

/// How much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) number: u32,
    /// Bytes.
    pub(crate) disk: u64,
    /// Bytes that the disk must have left for one more to begin.
    pub(crate) min_free: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Usage {
    pub(crate) number: u32,
    /// Bytes on the disk, as measured last.
    pub(crate) disk: u64,
}

/// How the one stands to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Roomy,
    /// Leftovers had better go.
    Tight,
    /// No room for one more.
    Full,
}

/// From this part of a limit on it is tight, percent.
const TIGHT: u64 = 80;

impl Limits {
    pub(crate) fn standing(&self, usage: Usage) -> Standing {
        let parts = [(u64::from(usage.number), u64::from(self.number)), (usage.disk, self.disk)];
        if parts.iter().any(|(there_is, there_may_be)| there_is >= there_may_be) {
            return Standing::Full;
        }
        let is_tight = |there_is: u64, there_may_be: u64| {
            u128::from(there_is) * 100 >= u128::from(there_may_be) * u128::from(TIGHT)
        };
        if parts.iter().any(|(there_is, there_may_be)| is_tight(*there_is, *there_may_be)) {
            Standing::Tight
        } else {
            Standing::Roomy
        }
    }

    /// The same for whoever looks: workspaces that `runs` are at are there by right, however many seats there are.
    pub(crate) fn standing_beside(&self, runs: usize, usage: Usage) -> Standing {
        let leftover = usize::try_from(usage.number).is_ok_and(|number| number > runs);
        self.standing(if leftover { usage } else { Usage { number: 0, ..usage } })
    }

    /// What is wrong when the disk has only `free` bytes left, a part of a sentence; none when that is enough.
    pub(crate) fn low_disk(&self, free: u64) -> Option<String> {
        (free < self.min_free).then(|| {
            format!(
                "disk space is low (low_disk): {} left where clones and logs are kept, and workspaces.min-free is {}",
                amount(free),
                amount(self.min_free)
            )
        })
    }

    /// How many there are and how much they fill, for people.
    pub(crate) fn told(&self, usage: Usage) -> String {
        format!("{} of {} workspaces, {} of {} disk", usage.number, self.number, amount(usage.disk), amount(self.disk))
    }
}

/// Three digits or so, with a unit.
fn amount(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    match bytes {
        0..KIB => format!("{bytes} B"),
        _ if bytes < KIB.pow(2) => format!("{} KiB", bytes / KIB),
        _ if bytes < 10 * KIB.pow(3) => format!("{} MiB", bytes / KIB.pow(2)),
        _ => format!("{} GiB", bytes / KIB.pow(3)),
    }
}

/// The sizes of what lies in the folder of all workspaces, as far as they are known.
#[derive(Debug, Clone)]
pub(crate) struct Measure {
    workspaces: PathBuf,
    /// Where the last figures are kept for whoever only looks.
    note: PathBuf,
    known: HashMap<PathBuf, u64>,
    /// What the note says, if it is ours.
    written: Option<Usage>,
}

impl Measure {
    /// Knows nothing yet. `state` holds the workspaces, and the note of their sizes.
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            workspaces: state.join("work"),
            note: state.join("workspaces.json"),
            known: HashMap::new(),
            written: None,
        }
    }

    /// What there is, with `at_work` counted whether or not they have their folders yet. Sizes are those that are known.
    pub(crate) fn usage(&self, at_work: &BTreeSet<JobId>) -> Result<Usage, WorkspaceError> {
        let mut usage = Usage::default();
        let mut counted = BTreeSet::new();
        for leftover in leftovers(&self.workspaces)? {
            usage.disk = usage.disk.saturating_add(self.known.get(&leftover.path).copied().unwrap_or(0));
            if let Some(job) = leftover.job() {
                counted.insert(job.clone());
            }
        }
        counted.extend(at_work.iter().cloned());
        usage.number = u32::try_from(counted.len()).unwrap_or(u32::MAX);
        Ok(usage)
    }

    /// Whether the size of something is not known at all.
    pub(crate) fn is_blind(&self) -> Result<bool, WorkspaceError> {
        Ok(leftovers(&self.workspaces)?.iter().any(|leftover| !self.known.contains_key(&leftover.path)))
    }

    /// Measures everything, and notes it. Takes as long as walking through it does.
    pub(crate) fn renew(&mut self) -> Result<(), WorkspaceError> {
        let found = leftovers(&self.workspaces)?;
        self.known = found
            .into_iter()
            .map(|leftover| (size_of(&leftover.path), leftover.path))
            .map(|(size, path)| (path, size))
            .collect();
        let usage = self.usage(&BTreeSet::new())?;
        // While nothing changes, nothing is written.
        if self.written != Some(usage) {
            record::save(&self.note, &usage)?;
            self.written = Some(usage);
        }
        Ok(())
    }

    /// What there is, for whoever only looks: counted now, measured by the last runner that did.
    pub(crate) fn noted(&self) -> Result<Usage, WorkspaceError> {
        let counted = self.usage(&BTreeSet::new())?;
        if counted.number == 0 {
            return Ok(counted);
        }
        let noted: Option<Usage> = record::load(&self.note)?;
        Ok(Usage { disk: noted.unwrap_or_default().disk, ..counted })
    }
}

/// Bytes on the disk of a folder and all below. What goes while it is looked at counts for nothing.
fn size_of(path: &Path) -> u64 {
    const BLOCK: u64 = 512;
    let mut waiting = vec![path.to_owned()];
    let mut bytes: u64 = 0;
    while let Some(path) = waiting.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        bytes = bytes.saturating_add(meta.blocks().saturating_mul(BLOCK));
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { number: 20, disk: 10 << 30, min_free: 2 << 30 };

    fn standing(number: u32, disk: u64) -> Standing {
        LIMITS.standing(Usage { number, disk })
    }

    #[test]
    fn from_four_fifths_on_it_is_tight_and_at_the_limit_it_is_full() {
        assert_eq!([0, 15, 16, 19, 20, 21].map(|number| standing(number, 0)), {
            use Standing::{Full, Roomy, Tight};
            [Roomy, Roomy, Tight, Tight, Full, Full]
        });
        let gib = 1_u64 << 30;
        assert_eq!([7 * gib, 8 * gib, 10 * gib - 1, 10 * gib].map(|disk| standing(1, disk)), {
            use Standing::{Full, Roomy, Tight};
            [Roomy, Tight, Tight, Full]
        });
        assert_eq!(Limits { number: 1, disk: u64::MAX, min_free: 0 }.standing(Usage::default()), Standing::Roomy);
        let all = Usage { number: 20, disk: 0 };
        assert_eq!([20, 19].map(|runs| LIMITS.standing_beside(runs, all)), [Standing::Roomy, Standing::Full]);
    }

    #[test]
    fn a_disk_is_low_below_what_must_be_left_and_not_at_it() {
        let gib = 1_u64 << 30;
        assert_eq!([0, 2 * gib - 1, 2 * gib].map(|free| LIMITS.low_disk(free).is_some()), [true, true, false]);
        assert_eq!(Limits { min_free: 0, ..LIMITS }.low_disk(0), None, "0 switches it off");
    }

    #[test]
    fn sizes_are_remembered_until_the_next_time_and_what_is_gone_counts_no_more() {
        let state = tempfile::tempdir().unwrap();
        let (one, two) = (JobId::from_random(1), JobId::from_random(2));
        let folder = |job: &JobId| state.path().join("work").join(job.as_str());
        for job in [&one, &two] {
            fs::create_dir_all(folder(job)).unwrap();
            fs::write(folder(job).join("workspace.json"), vec![7; 100_000]).unwrap();
        }
        let mut measure = Measure::new(state.path());
        assert_eq!(measure.usage(&BTreeSet::new()).unwrap(), Usage { number: 2, disk: 0 });
        assert!(measure.is_blind().unwrap());
        measure.renew().unwrap();
        let both = measure.usage(&BTreeSet::new()).unwrap();
        assert!((200_000..400_000).contains(&both.disk), "{both:?}");
        assert_eq!(Measure::new(state.path()).noted().unwrap(), both, "another process may look");
        fs::remove_dir_all(folder(&two)).unwrap();
        let one_is_left = measure.usage(&BTreeSet::from([one, JobId::from_random(3)])).unwrap();
        assert_eq!((one_is_left.number, one_is_left.disk), (2, both.disk / 2));
    }
}
