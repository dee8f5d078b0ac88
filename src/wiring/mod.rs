//! The composition root: what the command line needs from worker, engines, runtimes and git, put together here and
//! nowhere else.

mod clean;
mod database;
mod debug;
mod demo;
mod doctor;
mod embedded;
mod fault;
mod folder;
mod hidden;
mod hints;
mod profile;
mod replace;
mod report;
mod room;
mod runner;
mod selftest;
mod submission;
mod work;
mod worker;

pub(crate) use crate::worker::Unwatched;
pub(crate) use clean::{CleanMode, clean};
pub(crate) use database::{Examined, back_up_database, check_database};
pub(crate) use debug::{Launched, Redaction, Role, Shown, launches};
pub(crate) use demo::{DemoRequest, Played, demo};
pub(crate) use doctor::doctor;
pub(crate) use embedded::{Embedded, clock, has_state, open, open_nothing};
pub(crate) use fault::Fault;
pub(crate) use fleet_coordinator::Clock;
pub(crate) use folder::{draw_newcomers, redraw, set_up, ship};
pub(crate) use hidden::{scripted, shim};
pub(crate) use profile::{ListedProfile, check_names, engine_classes, profiles};
pub(crate) use report::{Check, Verdict};
pub(crate) use room::room_alerts;
pub(crate) use runner::{Meeting, Reclaimed, Until, capabilities, is_worked_on, reclaim, run_loop, run_one, unwatched};
pub(crate) use selftest::selftest;
pub(crate) use submission::check_submission;
pub(crate) use work::{Difference, diff, restore};
