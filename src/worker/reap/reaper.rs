//! Looks at what lies about, asks whose it is, and takes away what may go.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use fleet_protocol::{ErrorCode, Job, JobId, Problem, Stage};
use jiff::{Timestamp, ToSpan};

use super::rules::{Owner, Processes, Verdict, judge};
use crate::{
    client::Client,
    runtime::{Found, find},
    shutdown::{Phase, Shutdown},
    worker::{options::Options, orphans::end_runs, record::launches, save::blocking, turns::Turns},
    workspace::{Kind, Leftover, leftovers, take_away},
};

/// How long what was over long ago may lie about after it could have gone.
const FINISHED_EVERY_HOURS: i64 = 1;

/// Something that went, would go, or stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reaped {
    /// The job that it belongs to, where it does.
    pub(crate) job: Option<JobId>,
    /// For example `workspace`, `branch fleet/…`.
    pub(crate) what: String,
    /// Whether it went, or would go.
    pub(crate) goes: bool,
    /// A sentence for people.
    pub(crate) why: String,
}

/// Whether things really go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Remove,
    DryRun,
}

/// How far a reaper may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The caller holds the queue's lock: whoever works on it is this process.
    Everything,
    /// Another process works on the queue.
    Finished,
}

/// Takes away what is left.
#[derive(Clone)]
pub(crate) struct Reaper {
    pub(super) options: Arc<Options>,
    pub(super) client: Client,
    pub(super) turns: Turns,
    pub(super) shutdown: Shutdown,
    reach: Reach,
}

impl Reaper {
    /// A reaper for a process in which no run is under way.
    pub(crate) fn new(options: Arc<Options>, client: Client, reach: Reach) -> Self {
        // Nobody ever asks this one to end.
        let (_, shutdown) = Shutdown::new();
        Self { options, client, turns: Turns::default(), shutdown, reach }
    }

    /// The one beside a worker, whose runs it leaves alone.
    pub(in crate::worker) fn beside(options: Arc<Options>, client: Client, turns: Turns, shutdown: Shutdown) -> Self {
        Self { options, client, turns, shutdown, reach: Reach::Everything }
    }

    /// One round: what is left of workspaces, and now and then what is left of jobs that were over long ago.
    pub(crate) async fn tick(&self, now: Timestamp) -> Result<Vec<Reaped>, Problem> {
        let mut reaped = self.workspaces(Mode::Remove).await?;
        let stamp = self.options.state.join("reaped");
        if is_due(&stamp, now) {
            reaped.extend(self.finished(Mode::Remove).await?);
            if self.goes_on()
                && let Err(error) = note(&stamp, now)
            {
                tracing::warn!(path = %stamp.display(), %error, "the next round comes sooner than it needs to");
            }
        }
        Ok(reaped)
    }

    /// Whether nobody waits for this process to end.
    pub(super) fn goes_on(&self) -> bool {
        self.shutdown.phase() == Phase::Running
    }

    /// Saves and clears workspaces that nobody is at: those of shipped jobs first, of these the oldest.
    pub(crate) async fn workspaces(&self, mode: Mode) -> Result<Vec<Reaped>, Problem> {
        let folder = self.options.workspaces();
        let found = blocking(move || leftovers(&folder)).await;
        let found = found.map_err(|error| Problem::new(ErrorCode::Unavailable, error.to_string()))?;
        let mut reaped = Vec::new();
        for leftover in self.in_order(found).await? {
            if !self.goes_on() {
                break;
            }
            reaped.push(self.workspace(leftover, mode).await?);
        }
        Ok(reaped)
    }

    /// They come oldest first, and stay so among those that have landed and among the others.
    async fn in_order(&self, found: Vec<Leftover>) -> Result<Vec<Leftover>, Problem> {
        let (mut landed, mut others) = (Vec::new(), Vec::new());
        for leftover in found {
            let job = match leftover.job() {
                Some(id) => self.job(id).await?,
                None => None,
            };
            let first = job.is_some_and(|job| job.stage == Stage::Shipped);
            if first { &mut landed } else { &mut others }.push(leftover);
        }
        landed.append(&mut others);
        Ok(landed)
    }

    async fn workspace(&self, leftover: Leftover, mode: Mode) -> Result<Reaped, Problem> {
        let name = leftover.path.file_name().unwrap_or_default().to_string_lossy();
        let what = match &leftover.kind {
            Kind::Workspace(_) => "workspace".to_owned(),
            Kind::HalfMade(_) => "half-made workspace".to_owned(),
            Kind::Trash { .. } => format!("rest of a workspace {name}"),
            Kind::Foreign => format!("`{name}` among the workspaces"),
        };
        let job = leftover.job().cloned();
        // Kept until it is out of the way: a run of the job that begins meanwhile waits.
        let turn = job.as_ref().map(|job| self.turns.take_if_free(job));
        let owner = match (&job, &turn) {
            _ if self.reach == Reach::Finished => Owner::Elsewhere,
            (_, Some(None)) => Owner::AtWork,
            (Some(id), Some(Some(_))) => self.owner(id, mode).await?,
            (_, None) | (None, _) => Owner::Nobody,
        };
        let (goes, why) = match judge(&leftover.kind, owner) {
            Verdict::Stays(why) => (false, why.to_owned()),
            Verdict::Goes(why) if mode == Mode::DryRun => (true, why.to_owned()),
            Verdict::Goes(why) => match self.clear(leftover, turn.flatten()).await {
                Ok(()) => (true, why.to_owned()),
                Err(error) => (false, error),
            },
        };
        Ok(Reaped { job, what, goes, why })
    }

    /// Saves what lies there, takes it out of the way and deletes it.
    async fn clear(&self, leftover: Leftover, turn: Option<crate::worker::turns::Turn>) -> Result<(), String> {
        let trash = blocking(move || take_away(&leftover)).await.map_err(|error| error.to_string())?;
        // Whoever waits for the job need not wait for its files to be deleted.
        drop(turn);
        match trash {
            Some(trash) => blocking(move || trash.delete()).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Who may be at what belongs to a job, as it stands now that no run of this process is. What is left of a run whose
    /// job nobody holds is ended.
    async fn owner(&self, id: &JobId, mode: Mode) -> Result<Owner, Problem> {
        let Some(job) = self.job(id).await? else {
            let runs = self.options.state.join("runs").join(id.as_str());
            return Ok(Owner::Unknown(blocking(move || processes(&runs)).await));
        };
        if job.stage.is_held() {
            return Ok(Owner::AtWork);
        }
        if mode == Mode::DryRun {
            return Ok(Owner::Nobody);
        }
        Ok(match end_runs(&self.options, id, job.runs).await {
            Ok(()) => Owner::Nobody,
            Err(why) => {
                tracing::warn!(job.id = %id, why, "processes of a run that is over are left");
                Owner::AtWork
            }
        })
    }

    /// The job; none when it is not known here.
    pub(super) async fn job(&self, id: &JobId) -> Result<Option<Job>, Problem> {
        match self.client.job(id).await {
            Ok(job) => Ok(Some(job)),
            Err(problem) if problem.code == ErrorCode::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// Whether a process of any run in this folder may live. Nothing is ended.
fn processes(runs: &Path) -> Processes {
    let alive = |launch: &Path| {
        // Without a shim's file, looking would withdraw a launch that somebody is about to make.
        launch.join("shim.json").exists() && !matches!(find(launch), Ok(Found::Finished(_) | Found::Gone))
    };
    let folders = std::fs::read_dir(runs).into_iter().flatten().flatten().map(|run| run.path());
    let any = folders.into_iter().any(|run| launches(&run).iter().any(|launch| alive(launch)));
    if any { Processes::Alive } else { Processes::Gone }
}

/// Writes down when the last round was, for this user alone.
fn note(stamp: &Path, now: Timestamp) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(stamp)?;
    file.write_all(now.to_string().as_bytes())
}

/// Whether the last round was long ago, never was, or lies ahead of the clock.
fn is_due(stamp: &Path, now: Timestamp) -> bool {
    let last: Option<Timestamp> = std::fs::read_to_string(stamp).ok().and_then(|text| text.trim().parse().ok());
    last.is_none_or(|last| {
        let next = last.checked_add(FINISHED_EVERY_HOURS.hours()).unwrap_or(Timestamp::MAX);
        now < last || now >= next
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_round_is_due_once_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = folder.path().join("reaped");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(is_due(&stamp, at("2026-11-20T08:00:00Z")), "there was none yet");
        std::fs::write(&stamp, "2026-11-20T08:00:00Z").unwrap();
        let due = ["2026-11-20T08:00:00Z", "2026-11-20T08:59:59Z", "2026-11-20T09:00:00Z", "2026-11-20T07:59:59Z"];
        assert_eq!(due.map(|now| is_due(&stamp, at(now))), [false, false, true, true]);
        std::fs::write(&stamp, "long ago").unwrap();
        assert!(is_due(&stamp, at("2026-11-20T08:00:00Z")));
    }
}
