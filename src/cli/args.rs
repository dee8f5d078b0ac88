//! What can be typed: the global flags and the verbs.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use fleet_protocol::Action;

use super::{
    act, clean, completions, config, context::Makes, db, debug, demo, diff, doctor, events, explain, help, init, jobs,
    logs, man, profile, project, recover, run, runs, selftest, show, stats, status, submit, watch,
};

/// Runs AI coding agents over a queue of tasks, and proves what they did.
#[derive(Debug, Parser)]
#[command(name = "fleet", version, disable_help_subcommand = true, subcommand_required = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Flags that every verb takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Use this configuration file, and no other.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Use this queue folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) queue: Option<String>,
    /// Keep database, runs and clones in this folder.
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(super) home: Option<String>,
    /// Act for this product.
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub(super) product: Option<String>,
    /// Set any configuration key, for example `worker.max=2`.
    #[arg(long, global = true, value_name = "KEY=VALUE", hide_short_help = true)]
    pub(super) set: Vec<String>,
    /// Print machine-readable data (`fleet help json`).
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto, hide_short_help = true)]
    pub(super) color: Colour,
    /// Say nothing but what was asked for, and errors.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Log more; twice: still more.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    /// Never ask, even on a terminal.
    #[arg(long, global = true, hide_short_help = true)]
    pub(super) no_input: bool,
    /// How log lines look: auto, text or json.
    #[arg(long, global = true, value_name = "FORMAT", hide_short_help = true)]
    pub(super) log_format: Option<String>,
    /// Honour the variables for tests.
    #[arg(long, global = true, hide = true)]
    pub(super) test_mode: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` says otherwise.
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    Init(init::Args),
    Submit(submit::Args),
    Run(run::Args),
    Status(status::Args),
    Stats(stats::Args),
    Watch(watch::Args),
    Jobs(jobs::Args),
    Show(show::Args),
    Runs(runs::Args),
    Logs(logs::Args),
    Events(events::Args),
    Diff(diff::Args),
    Explain(explain::Args),
    Debug(debug::Args),
    /// Merge a proven job into its base: the last human gate.
    Ship(act::Args),
    /// Move a job one stage on: review to testing, testing to shipped.
    Promote(act::Args),
    /// Say yes to a job in review.
    Approve(act::Args),
    /// Send a job in review back to the agent, with what is missing.
    RequestChanges(act::Args),
    /// Say no to a job in review or testing.
    Reject(act::Args),
    /// Put a job back into the queue; its work is kept.
    Requeue(act::Args),
    /// Take a job back from the dead letters, with fresh retries.
    Redrive(act::Args),
    /// End a job, whatever it does; its work is kept.
    Cancel(act::Args),
    /// End a job's run and hold the job.
    Stop(act::Args),
    /// Keep a job out of the queue until it is released.
    Hold(act::Args),
    /// Let a held job go on.
    Release(act::Args),
    /// Freeze the agent that works on a job.
    Pause(act::Args),
    /// Let a frozen agent go on.
    Resume(act::Args),
    Recover(recover::Args),
    Clean(clean::Args),
    Profile(profile::Args),
    Project(project::Args),
    Config(config::Args),
    Db(db::Args),
    Doctor(doctor::Args),
    Selftest(selftest::Args),
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

impl Verb {
    /// The operator's act behind the verb, where it is one.
    pub(super) const fn act(&self) -> Option<(Action, &act::Args)> {
        Some(match self {
            Self::Ship(args) => (Action::Ship, args),
            Self::Promote(args) => (Action::Promote, args),
            Self::Approve(args) => (Action::Approve, args),
            Self::RequestChanges(args) => (Action::RequestChanges, args),
            Self::Reject(args) => (Action::Reject, args),
            Self::Requeue(args) => (Action::Requeue, args),
            Self::Redrive(args) => (Action::Redrive, args),
            Self::Cancel(args) => (Action::Cancel, args),
            Self::Stop(args) => (Action::Stop, args),
            Self::Hold(args) => (Action::Hold, args),
            Self::Release(args) => (Action::Release, args),
            Self::Pause(args) => (Action::Pause, args),
            Self::Resume(args) => (Action::Resume, args),
            _ => return None,
        })
    }

    /// What it may make where there is no fleet yet.
    pub(super) const fn makes(&self) -> Makes {
        match self {
            Self::Submit(args) if !args.dry_run => Makes::State,
            Self::Init(_) | Self::Run(_) | Self::Status(_) | Self::Watch(_) => Makes::State,
            _ => Makes::Nothing,
        }
    }

    /// Whether it works on the queue for long: it logs what it does and listens to signals.
    pub(super) const fn is_service(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}

/// The verbs as the overview groups them.
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    ("Give work", &["init", "submit", "run"]),
    ("Look", &["status", "stats", "watch", "jobs", "show", "runs", "logs", "events", "diff", "explain", "debug"]),
    ("Decide", &["ship", "promote", "approve", "request-changes", "reject"]),
    ("Steer", &["requeue", "redrive", "cancel", "stop", "hold", "release", "pause", "resume"]),
    ("Look after it", &["recover", "clean", "db", "profile", "project", "config", "doctor", "selftest", "demo"]),
    ("Shell", &["completions", "man", "help"]),
];
