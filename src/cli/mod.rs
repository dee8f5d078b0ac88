//! The command line: one file per verb, and what they share.
//!
//! Data goes to stdout, talk to stderr. A verb speaks to the coordinator through `client` and to everything else through
//! `wiring`; it knows nothing of workers, engines and runtimes.

mod args;
mod command;
mod context;
mod entry;
mod error;
mod excerpt;
mod field;
mod job_view;
mod output;
mod progress;
#[cfg(test)]
mod reference;
mod sanitise;
mod style;
mod table;
mod task;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topics;
mod when;

mod act;
mod clean;
mod completions;
mod config;
mod db;
mod debug;
mod demo;
mod diff;
mod doctor;
mod events;
mod explain;
mod help;
mod init;
mod jobs;
mod json_task;
mod logs;
mod long_lines;
mod man;
mod profile;
mod project;
mod recover;
mod run;
mod runs;
mod selftest;
mod show;
mod stats;
mod status;
mod submit;
mod submit_check;
mod watch;

pub(crate) use entry::main;
