//! The composition root: what the command line needs from worker, engines, runtimes and git, put together here and
//! nowhere else.

mod clean;
mod demo;
mod doctor;
mod embedded;
mod fault;
mod folder;
mod hidden;
mod profile;
mod report;
mod runner;
mod selftest;
mod submission;
mod work;
mod worker;

pub(crate) use clean::{CleanMode, clean};
pub(crate) use demo::{DemoRequest, Played, demo};
pub(crate) use doctor::doctor;
pub(crate) use embedded::{Embedded, clock, has_state, open, open_nothing};
pub(crate) use fault::Fault;
pub(crate) use fleet_coordinator::Clock;
pub(crate) use folder::{redraw, set_up, ship};
pub(crate) use hidden::{scripted, shim};
pub(crate) use profile::{ListedProfile, check_engines, engine_classes, profiles};
pub(crate) use report::{Check, Verdict};
pub(crate) use runner::{Until, capabilities, is_worked_on, reclaim, run_loop, run_one};
pub(crate) use selftest::selftest;
pub(crate) use submission::check_submission;
pub(crate) use work::{Difference, diff, restore};
