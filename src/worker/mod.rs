//! Works on jobs: claim, prepare, start, supervise, prove, report.
//!
//! `crew` is the loop over seats, `seat` one job from claim to report; `equip` prepares it, `supervise` watches the agent,
//! `judge` names how it ended, `prove` verifies, `report` puts the evidence together. `leases`, `pumps` and `save` run
//! beside. Nothing here knows the command line, the folder or where settings come from.

mod crew;
mod dependencies;
mod equip;
mod input;
mod journal;
mod judge;
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
mod report;
mod save;
mod seat;
mod secret;
mod supervise;
mod trace;
mod trouble;
mod turns;

pub(crate) use crew::{Shift, Until, Worker};
pub(crate) use options::{Options, SecretSource};
pub(crate) use orphans::{Orphaned, reclaim};
pub(crate) use probe::{every_capability, probe};
use random::{random, random_uuid};
