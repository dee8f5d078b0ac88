//! How a launch stands, for people: looked at without touching anything, not even what nobody has taken up.

use std::{fs, path::Path};

use super::{
    ExitRecord, OwnedBy, RuntimeError,
    find::ShimFile,
    identity::{Identity, Liveness},
    process::{Process, ProcessState},
    run_dir::{AGENT, EXIT, LOG, RunDir, SHIM, SPEC, USAGE},
    tree::Tree,
    usage::{self, Used},
};

/// More of a shim's log is never looked at, bytes.
const LOG_TAIL: usize = 64 * 1024;

/// A launch as it was found.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) standing: Standing,
    pub(crate) owned_by: OwnedBy,
    /// None before it has said who it is.
    pub(crate) shim: Option<Seen>,
    pub(crate) agent: Option<Seen>,
    /// What else of its tree lives.
    pub(crate) others: Vec<Seen>,
    pub(crate) record: Option<ExitRecord>,
    pub(crate) used: Option<Used>,
    /// The last lines of the shim's own log.
    pub(crate) said: Vec<String>,
}

/// Where a launch is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No shim has taken it up yet.
    Waiting,
    /// Its shim is up, and its agent not yet.
    Starting,
    Running,
    /// With a record.
    Over,
    /// The shim is dead and left no record.
    Lost,
    Unknown(String),
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pid: i32,
    /// Its command's name; empty when it has ended.
    pub(crate) name: String,
    /// The letter that the kernel gives its state; none when it has ended.
    pub(crate) state: Option<char>,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) cpu_ms: u64,
}

/// Looks at a launch. None where there never was one.
pub(crate) fn observe(run_dir: &Path, lines: usize) -> Result<Option<Observed>, RuntimeError> {
    let dir = RunDir::at(run_dir);
    let shim: Option<ShimFile> = dir.read(SHIM, "a shim's identity")?;
    let agent: Option<Identity> = dir.read(AGENT, "an agent's identity")?;
    let record: Option<ExitRecord> = dir.read(EXIT, "an exit record")?;
    let waits = dir.file(SPEC).exists();
    if shim.is_none() && record.is_none() && !waits {
        return Ok(None);
    }
    let standing = match (&record, shim.as_ref().map(|shim| shim.identity.liveness())) {
        (Some(_), _) => Standing::Over,
        (None, None) => Standing::Waiting,
        (None, Some(Liveness::Unknown(why))) => Standing::Unknown(why),
        (None, Some(Liveness::Dead)) => Standing::Lost,
        (None, Some(Liveness::Alive(_))) if agent.is_none() => Standing::Starting,
        (None, Some(Liveness::Alive(_))) => Standing::Running,
    };
    let group = shim.as_ref().and_then(|shim| shim.group.as_ref());
    let owned_by = group.map_or(OwnedBy::ProcessTable, |group| group.owned_by());
    let living = if standing == Standing::Over { Vec::new() } else { members(shim.as_ref(), agent.as_ref())? };
    let known: Vec<i32> =
        shim.iter().map(|shim| shim.identity.pid).chain(agent.iter().map(|agent| agent.pid)).collect();
    Ok(Some(Observed {
        standing,
        owned_by,
        others: living.iter().filter(|process| !known.contains(&process.pid)).map(Seen::of).collect(),
        shim: shim.as_ref().map(|shim| Seen::who(&shim.identity)),
        agent: agent.as_ref().map(Seen::who),
        record,
        used: dir.read(USAGE, "what a run used")?,
        said: said(&dir, lines),
    }))
}

/// As if its shim were dead: this process is not the shim, and may not be what the tree hangs below.
fn members(shim: Option<&ShimFile>, agent: Option<&Identity>) -> Result<Vec<Process>, RuntimeError> {
    let Some(shim) = shim else { return Ok(Vec::new()) };
    let mut tree = Tree::orphaned(&shim.identity, agent.cloned(), shim.group.clone());
    tree.members().map_err(RuntimeError::system("read the process table"))
}

fn said(dir: &RunDir, lines: usize) -> Vec<String> {
    let text = fs::read(dir.file(LOG)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL)..]).into_owned();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|&line| line.to_owned()).collect()
}

impl Seen {
    fn who(identity: &Identity) -> Self {
        match identity.liveness() {
            Liveness::Alive(process) => Self::of(&process),
            Liveness::Dead | Liveness::Unknown(_) => {
                Self { pid: identity.pid, name: String::new(), state: None, memory: 0, cpu_ms: 0 }
            }
        }
    }

    fn of(process: &Process) -> Self {
        let stat = fs::read(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(name, _)| name.to_owned());
        Self {
            pid: process.pid,
            name: name.unwrap_or_default(),
            state: state.filter(|_| process.state != ProcessState::Ended),
            memory: usage::resident(process),
            cpu_ms: usage::cpu_ms(process),
        }
    }
}
