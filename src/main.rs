//! `fleet`: runs AI coding agents over a queue of tasks, and proves what they did.

mod catalogue;
mod cli;
mod client;
mod config;
mod confinement;
mod demo;
mod doctor;
mod engine;
mod queue;
mod runtime;
mod scripted;
mod selftest;
mod ship;
mod shutdown;
mod telemetry;
mod wiring;
mod worker;
mod workspace;

use std::ffi::OsString;

fn main() -> std::process::ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1).and_then(|verb| verb.to_str()) {
        // Hidden verbs, which are not the person's side: no configuration, no runtime, no help.
        Some("shim") => wiring::shim(&arguments[2..]),
        Some("scripted") => wiring::scripted(&arguments[2..]),
        _ => cli::main(arguments),
    }
}
