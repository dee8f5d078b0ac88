//! Plays the stories, a few at a time, and tells each check as soon as it is judged.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{
    diagnosis,
    expect::Miss,
    machine::{self, Found},
    scenarios,
    story::{Scenario, Stop},
    world::World,
};
use crate::shutdown::{Phase, Shutdown};

/// What is to be played, and where.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// This program.
    pub(crate) exe: PathBuf,
    /// Only checks whose name contains this.
    pub(crate) only: Option<String>,
    /// A folder that does not exist yet; it is gone afterwards.
    pub(crate) folder: PathBuf,
}

/// A check that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `area: behaviour`.
    pub(crate) name: String,
    pub(crate) standing: Standing,
}

/// How a check came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Held,
    /// What was seen instead, and what is known about the world it was seen in, line by line.
    Broken {
        seen: String,
        diagnosis: Vec<String>,
    },
    /// Why it cannot be told here.
    Skipped(String),
}

/// Why nothing was proven at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelftestError {
    #[error("no check's name contains `{0}`")]
    NoSuchCheck(String),
    #[error("cannot create {}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("interrupted")]
    Interrupted,
    #[error("a story broke off; its checks were not judged")]
    BrokeOff,
}

/// Stories at the same time. They mostly wait.
const TOGETHER: usize = 3;
/// How long processes may take to be gone after their story.
const GONE: Duration = Duration::from_secs(5);
/// Programs without which no story can be played.
const NEEDED: [&str; 2] = ["git", "sh"];
const PROGRAMS: &str = "machine: the programs that fleet calls are here";
const NO_PROCESS: &str = "clean: no process of any story is left";
const NO_FOLDER: &str = "clean: no temporary folder is left";

/// What the players share.
struct Stage {
    plan: Plan,
    waiting: Mutex<Stories>,
    /// Processes that outlived their story.
    left: Arc<Mutex<Vec<Found>>>,
    interrupted: Arc<AtomicBool>,
    findings: UnboundedSender<Finding>,
}

/// Plays every story that has a check of this plan.
pub(crate) async fn play(
    plan: Plan,
    shutdown: &Shutdown,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<(), SelftestError> {
    let stories = chosen(&plan)?;
    if let Some(missing) = NEEDED.into_iter().find(|program| !machine::is_on_path(program)) {
        lacking(missing, &plan, &stories, tell);
        return Ok(());
    }
    if plan.wants(PROGRAMS) {
        tell(Finding { name: PROGRAMS.to_owned(), standing: Standing::Held });
    }
    let made = DirBuilder::new().mode(0o700).create(&plan.folder);
    made.map_err(|source| SelftestError::Folder { path: plan.folder.clone(), source })?;
    let (findings, mut found) = unbounded_channel();
    let left = Arc::new(Mutex::default());
    let interrupted = Arc::new(AtomicBool::new(false));
    let stage = Arc::new(Stage {
        plan: plan.clone(),
        waiting: Mutex::new(stories),
        left: Arc::clone(&left),
        interrupted: Arc::clone(&interrupted),
        findings,
    });
    let player = |_| {
        let stage = Arc::clone(&stage);
        thread::spawn(move || stage.perform())
    };
    let players: Vec<_> = (0..TOGETHER).map(player).collect();
    // The last player that goes takes the stage along, and then there is nothing more to be told.
    drop(stage);
    loop {
        tokio::select! {
            finding = found.recv() => match finding {
                Some(finding) => tell(finding),
                None => break,
            },
            () = shutdown.at_least(Phase::Drain), if !interrupted.load(Ordering::Relaxed) => {
                interrupted.store(true, Ordering::Relaxed);
            }
        }
    }
    let broke_off = players.into_iter().map(thread::JoinHandle::join).any(|ended| ended.is_err());
    machine::end(&plan.folder);
    let removed = fs::remove_dir_all(&plan.folder);
    if interrupted.load(Ordering::Relaxed) {
        return Err(SelftestError::Interrupted);
    }
    if broke_off {
        return Err(SelftestError::BrokeOff);
    }
    if plan.only.is_none() {
        let left = left.lock().unwrap_or_else(PoisonError::into_inner);
        tell(Finding { name: NO_PROCESS.to_owned(), standing: no_process(&left) });
        let seen = removed.err().map(|error| format!("{}: {error}", plan.folder.display()));
        let standing = seen.map_or(Standing::Held, |seen| Standing::Broken { seen, diagnosis: Vec::new() });
        tell(Finding { name: NO_FOLDER.to_owned(), standing });
    }
    Ok(())
}

/// Stories with their numbers, which name their folders.
type Stories = VecDeque<(usize, Box<dyn Scenario>)>;

impl Plan {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|text| name.contains(text))
    }
}

fn chosen(plan: &Plan) -> Result<Stories, SelftestError> {
    let wanted = |story: &dyn Scenario| story.names().iter().any(|name| plan.wants(name));
    let stories: Stories =
        scenarios::all().into_iter().enumerate().filter(|(_, story)| wanted(story.as_ref())).collect();
    match &plan.only {
        Some(text) if stories.is_empty() => Err(SelftestError::NoSuchCheck(text.clone())),
        _ => Ok(stories),
    }
}

/// Tells that nothing can be proven, and every check that was not judged for it.
fn lacking(program: &str, plan: &Plan, stories: &Stories, tell: &mut (dyn FnMut(Finding) + Send)) {
    let seen = format!("`{program}` is not on PATH");
    tell(Finding { name: PROGRAMS.to_owned(), standing: Standing::Broken { seen, diagnosis: Vec::new() } });
    for name in stories.iter().flat_map(|(_, story)| story.names()).filter(|name| plan.wants(name)) {
        tell(Finding { name, standing: Standing::Skipped(format!("needs `{program}`")) });
    }
}

fn no_process(left: &[Found]) -> Standing {
    if !machine::can_tell() {
        return Standing::Skipped("this system does not show processes under /proc".to_owned());
    }
    match left {
        [] => Standing::Held,
        [first, ..] => Standing::Broken {
            seen: format!("{} were left, such as {} `{}`", left.len(), first.pid, first.command),
            diagnosis: left.iter().map(|process| format!("{} {}", process.pid, process.command)).collect(),
        },
    }
}

impl Stage {
    /// Plays stories until none is waiting.
    fn perform(&self) {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((number, story)) = next.filter(|_| !self.interrupted.load(Ordering::Relaxed)) else { return };
            let folder = self.plan.folder.join(number.to_string());
            self.tell(story.as_ref(), &folder);
            let left = machine::settle(&folder, GONE);
            self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
            // What stays is found when the folder above is removed, and told then.
            let _ = fs::remove_dir_all(&folder);
        }
    }

    fn tell(&self, story: &dyn Scenario, folder: &Path) {
        let world = World::make(folder.to_owned(), self.plan.exe.clone(), Arc::clone(&self.interrupted));
        let names = story.names();
        let judged = match world.as_ref().map_err(Clone::clone).and_then(|world| story.judge(world)) {
            Ok(judgements) => judgements,
            Err(Stop::Interrupted) => return,
            Err(Stop::Skip(why)) => vec![Err(Miss::Skip(why)); names.len()],
            Err(Stop::Broken(why)) => vec![Err(Miss::Seen(format!("not reached: {why}"))); names.len()],
        };
        // Told once for a story, with the first check that does not hold.
        let mut diagnosis = world.as_ref().ok();
        for (name, judgement) in names.into_iter().zip(judged) {
            if self.plan.wants(&name) {
                let standing = match judgement {
                    Ok(()) => Standing::Held,
                    Err(Miss::Skip(why)) => Standing::Skipped(why),
                    Err(Miss::Seen(seen)) => {
                        Standing::Broken { seen, diagnosis: diagnosis.take().map(diagnosis::of).unwrap_or_default() }
                    }
                };
                // Nobody listens any more after an interruption.
                let _ = self.findings.send(Finding { name, standing });
            }
        }
    }
}
