//! Works on jobs: claim, prepare, start, supervise, prove, report.
//!
//! `crew` is the loop over seats, `seat` one job from claim to report; `equip` prepares it, `agent` starts the agent and
//! `supervise` watches it, `judge` names how it ended, `prove` verifies, `report` puts the evidence together, `last_word`
//! tells it. `leases`, `pumps` and `save` run beside; `spool` masks what could not be carried. `record` is what another
//! runner needs to go on with a run, `orphans` sorts what one left; `reap` clears what runs left behind. Nothing here knows the command line, the folder or where settings come from.

mod agent;
mod bounds;
mod confine;
mod crew;
mod dependencies;
mod equip;
mod flood;
mod glance;
mod input;
mod journal;
mod judge;
mod last_word;
mod leases;
mod mask;
mod notes;
mod options;
mod orphans;
mod probe;
mod prove;
mod pump;
mod pumps;
mod random;
mod reap;
mod record;
mod replay;
mod report;
mod save;
mod seat;
mod secret;
mod spool;
mod supervise;
mod trace;
mod trouble;
mod turns;

pub(crate) use bounds::Bounds;
pub(crate) use confine::Confinement;
pub(crate) use crew::{Shift, Until, Worker};
pub(crate) use glance::{Unwatched, glance};
pub(crate) use options::Options;
pub(crate) use orphans::{Orphaned, reclaim};
pub(crate) use probe::{every_capability, probe};
use random::{random, random_uuid};
pub(crate) use reap::{Mode, Reach, Reaped, Reaper};
pub(crate) use record::launches;
pub(crate) use secret::{Audience, Secret, SecretSource};
