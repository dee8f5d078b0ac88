//! The table of settings: name in the file, type, variable, flag, default, meaning.

use std::{marker::PhantomData, num::NonZeroU32, path::PathBuf};

use fleet_protocol::{
    ByteSize, Span,
    convention::CommitRule,
    manifest::{CommandLine, ReviewPolicy, RuntimeName},
};

use super::{
    env::Variable,
    model::{Identity, LogFormat},
    value::Setting,
};
use crate::confinement::Mode;

/// What is known about a setting without its type.
#[derive(Debug)]
pub(crate) struct Info {
    /// `section.key`, or just the key.
    pub(crate) name: &'static str,
    pub(crate) variable: Variable,
    /// The flag of its own, where it has one; `--set NAME=VALUE` always works.
    pub(crate) flag: Option<&'static str>,
    /// What a right value looks like.
    pub(crate) expected: &'static str,
    /// As one would write it in a variable.
    pub(crate) default: Option<&'static str>,
    pub(crate) reach: Reach,
    pub(crate) doc: &'static str,
}

/// Where a setting may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// File, variable and flag.
    Everywhere,
    /// Variable and flag: in a file it would name its own surroundings.
    NotInFile,
    /// A secret: variable only, never shown.
    Secret,
    /// Known, and refused with a clear word until this program can do it.
    Later,
}

/// A setting with its type.
#[derive(Debug)]
pub(crate) struct Key<T> {
    pub(crate) info: &'static Info,
    value: PhantomData<fn() -> T>,
}

macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $konst:ident: $type:ty = $name:literal, $env:literal $aliases:expr,
       flag $flag:expr, default $default:expr, $reach:ident;)+) => {
        mod infos {
            use super::*;
            $(pub(super) const $konst: Info = Info {
                name: $name,
                variable: Variable { name: $env, aliases: &$aliases },
                flag: $flag,
                expected: <$type as Setting>::EXPECTED,
                default: $default,
                reach: Reach::$reach,
                doc: concat!($($doc),+).trim_ascii(),
            };)+
        }

        $($(#[doc = $doc])+ pub(crate) const $konst: Key<$type> = Key { info: &infos::$konst, value: PhantomData };)+

        /// Every setting, in the order of the reference.
        pub(crate) const ALL: &[&Info] = &[$(&infos::$konst,)+];
    };
}

keys! {
    /// Jobs, queues and budgets belong to a product; one machine usually has one.
    PRODUCT: String = "product", "FLEET_PRODUCT" ["FLEET_PRODUCT_ID", "AQ_PRODUCT_ID"],
        flag Some("--product"), default Some("default"), Everywhere;
    /// The queue folder; relative to the file, or (variable, flag) to where you stand.
    QUEUE: PathBuf = "queue", "FLEET_QUEUE" [], flag Some("--queue"), default Some("tasks"), Everywhere;
    /// Database, run folders and clones; `.fleet` beside `fleet.toml` when left out.
    HOME: PathBuf = "home", "FLEET_HOME" [], flag Some("--home"), default None, NotInFile;

    /// Seats: how many agents work at the same time.
    WORKER_MAX: NonZeroU32 = "worker.max", "FLEET_WORKER_MAX" [], flag Some("--max"), default Some("5"), Everywhere;
    /// Where runs happen. (`docker` is not supported here yet.)
    WORKER_RUNTIME: RuntimeName = "worker.runtime", "FLEET_WORKER_RUNTIME" [],
        flag None, default Some("local"), Everywhere;
    /// Capabilities added to what is detected on this machine.
    WORKER_CAPABILITIES: Vec<String> = "worker.capabilities", "FLEET_WORKER_CAPABILITIES" [],
        flag None, default Some(""), Everywhere;
    /// How often a run's work is saved.
    WORKER_CHECKPOINT: Span = "worker.checkpoint", "FLEET_WORKER_CHECKPOINT" [],
        flag None, default Some("60s"), Everywhere;
    /// Memory ceiling of one run's process tree; a task's `limits.memory` goes before it.
    WORKER_MEMORY: ByteSize = "worker.memory", "FLEET_WORKER_MEMORY" [], flag None, default Some("4GiB"), Everywhere;
    /// How many processes a run may be at one time.
    WORKER_PROCESSES: NonZeroU32 = "worker.processes", "FLEET_WORKER_PROCESSES" [],
        flag None, default Some("512"), Everywhere;
    /// How many processors a run may use, where this machine can ration them; a task's `limits.cpus` goes before it.
    WORKER_CPUS: NonZeroU32 = "worker.cpus", "FLEET_WORKER_CPUS" [], flag None, default None, Everywhere;
    /// Whether control groups hold a run's processes together where they can be had. Without them it is done by looking.
    WORKER_CGROUPS: bool = "worker.cgroups", "FLEET_WORKER_CGROUPS" [], flag None, default Some("true"), Everywhere;
    /// An agent from which nothing came for so long is ended; without it, none is ended for being silent.
    WORKER_SILENCE: Span = "worker.silence", "FLEET_WORKER_SILENCE" [], flag None, default None, Everywhere;
    /// How often a running agent is looked at, at least: whether it lives, and what it uses.
    WORKER_HEALTH_EVERY: Span = "worker.health-every", "FLEET_WORKER_HEALTH_EVERY" [],
        flag None, default Some("30s"), Everywhere;
    /// How often the queue folder is read where the file system does not tell of changes; where it does, 30 times as rarely.
    WORKER_POLL: Span = "worker.poll", "FLEET_WORKER_POLL" [], flag None, default Some("1s"), Everywhere;

    /// Whether the file system is asked to tell of changes in the queue folder, besides reading it every `worker.poll`.
    WORKER_NOTIFY: bool = "worker.notify", "FLEET_WORKER_NOTIFY" [], flag None, default Some("true"), Everywhere;

    /// How long a worker owns a job without a sign of life; it renews at a third of it.
    LEASE_TTL: Span = "coordinator.lease-ttl", "FLEET_LEASE_TTL" [], flag None, default Some("90s"), Everywhere;
    /// How often expired leases are looked for.
    REAP_EVERY: Span = "coordinator.reap-every", "FLEET_REAP_EVERY" [], flag None, default Some("10s"), Everywhere;
    /// How long a claimed job may take until its start is reported, and a started run until its agent runs.
    START_LIMIT: Span = "coordinator.start-limit", "FLEET_START_LIMIT" [],
        flag None, default Some("120s"), Everywhere;
    /// A factory unheard of for so long is stale.
    STALE_AFTER: Span = "coordinator.stale-after", "FLEET_STALE_AFTER" [],
        flag None, default Some("90s"), Everywhere;
    /// A running job without output for so long is marked stalled.
    STALL_AFTER: Span = "coordinator.stall-after", "FLEET_STALL_AFTER" [],
        flag None, default Some("10m"), Everywhere;
    /// A job that waits for so long for a dependency that no job is called is pointed out.
    UNKNOWN_DEP_AFTER: Span = "coordinator.unknown-dep-after", "FLEET_UNKNOWN_DEP_AFTER" [],
        flag None, default Some("1h"), Everywhere;
    /// Address of a coordinator elsewhere. (Not supported here yet; without one, this machine is its own.)
    API: String = "coordinator.api", "FLEET_API" ["AQ_FLEET_API"], flag None, default None, Later;
    /// File with the token for that coordinator. (Not supported here yet.)
    TOKEN_FILE: PathBuf = "coordinator.token-file", "FLEET_TOKEN_FILE" [], flag None, default None, Later;
    /// The token itself; used only together with an address.
    TOKEN: String = "coordinator.token", "FLEET_TOKEN" ["AQ_FLEET_TOKEN"], flag None, default None, Secret;

    /// How many workspaces there may be at once. No job starts that would make one more.
    WORKSPACES_MAX: NonZeroU32 = "workspaces.max", "FLEET_WORKSPACES_MAX" [], flag None, default Some("20"), Everywhere;
    /// How much disk workspaces may fill together. At 80% of either, leftovers are collected, the oldest merged first.
    WORKSPACES_DISK: ByteSize = "workspaces.disk", "FLEET_WORKSPACES_DISK" [],
        flag None, default Some("10GiB"), Everywhere;
    /// How much the disk must have left where the state lies for another job to start; 0 for not looking.
    WORKSPACES_MIN_FREE: ByteSize = "workspaces.min-free", "FLEET_WORKSPACES_MIN_FREE" [],
        flag None, default Some("2GiB"), Everywhere;

    /// How much of each stream of a run is kept in its log; of the rest is only said how much it was.
    LOGS_MAX_STREAM: ByteSize = "logs.max-stream", "FLEET_LOGS_MAX_STREAM" [],
        flag None, default Some("256MiB"), Everywhere;

    /// How long after a job has finished its logs, run folders and merged refs are kept. Its history stays for good.
    RETENTION_MAX_AGE: Span = "retention.max-age", "FLEET_RETENTION_MAX_AGE" [],
        flag None, default Some("90d"), Everywhere;
    /// Of how many finished jobs they are kept, the newest; of all when left out.
    RETENTION_MAX_JOBS: NonZeroU32 = "retention.max-jobs", "FLEET_RETENTION_MAX_JOBS" [],
        flag None, default None, Everywhere;

    /// Engine of jobs that name none; the first installed of the built-in ones when left out.
    DEFAULT_ENGINE: String = "defaults.engine", "FLEET_DEFAULT_ENGINE" [], flag None, default None, Everywhere;
    /// Verify command of jobs that name none.
    DEFAULT_VERIFY: CommandLine = "defaults.verify", "FLEET_DEFAULT_VERIFY" [], flag None, default None, Everywhere;
    /// Who must agree before `testing`.
    DEFAULT_REVIEW_POLICY: ReviewPolicy = "defaults.review-policy", "FLEET_DEFAULT_REVIEW_POLICY" [],
        flag None, default Some("auto"), Everywhere;
    /// Whether engines get their approve-everything flag; where runs are confined when left out.
    DEFAULT_YOLO: bool = "defaults.yolo", "FLEET_DEFAULT_YOLO" [], flag None, default None, Everywhere;
    /// What the first line of each commit's message must match; `otherwise` is `reword` (default) or `refuse`.
    DEFAULT_COMMITS: CommitRule = "defaults.commits", "FLEET_DEFAULT_COMMITS" [],
        flag None, default None, Everywhere;

    /// Whether the kernel (Landlock) keeps agents and verify commands to their own work: `auto` where it can, `required` to
    /// run nothing where it cannot, `off`.
    CONFINEMENT_MODE: Mode = "confinement.mode", "FLEET_CONFINEMENT" [], flag None, default Some("auto"), Everywhere;
    /// Folders and files that a confined run may read, besides what toolchains need; `~/` is your home folder, other relative paths
    /// as in `queue`.
    CONFINEMENT_READ: Vec<String> = "confinement.read", "FLEET_CONFINEMENT_READ" [],
        flag None, default Some(""), Everywhere;
    /// Folders and files that it may also write: shared caches.
    CONFINEMENT_WRITE: Vec<String> = "confinement.write", "FLEET_CONFINEMENT_WRITE" [],
        flag None, default Some(""), Everywhere;

    /// Further runs of a task that wants to be tried again (`retry`) and does not say how often.
    RETRY_MAX: NonZeroU32 = "retry.max", "FLEET_RETRY_MAX" [], flag None, default Some("3"), Everywhere;
    /// `backoff: exp`: the wait before the first retry.
    RETRY_BASE: Span = "retry.base", "FLEET_RETRY_BASE" [], flag None, default Some("30s"), Everywhere;
    /// `backoff: exp`: by how much each wait is longer than the one before.
    RETRY_MULTIPLIER: NonZeroU32 = "retry.multiplier", "FLEET_RETRY_MULTIPLIER" [],
        flag None, default Some("2"), Everywhere;
    /// `backoff: exp`: the longest wait.
    RETRY_CAP: Span = "retry.cap", "FLEET_RETRY_CAP" [], flag None, default Some("1h"), Everywhere;

    /// Who commits, in the private clones and when work is shipped; you, as git knows you, when left out.
    GIT_IDENTITY: Identity = "git.identity", "FLEET_GIT_IDENTITY" [], flag None, default None, Everywhere;

    /// What is logged: a level (error, warn, info, debug, trace), or directives such as `fleet::worker=debug`.
    LOG_LEVEL: String = "logging.level", "FLEET_LOG" [], flag Some("-v"), default None, Everywhere;
    /// How log lines look: `auto` is text on a terminal and JSON elsewhere.
    LOG_FORMAT: LogFormat = "logging.format", "FLEET_LOG_FORMAT" [],
        flag Some("--log-format"), default Some("auto"), Everywhere;

    /// Take work from a coordinator elsewhere. (Not supported here yet.)
    FEATURE_WORKER: bool = "features.worker", "FLEET_WORKER" ["AQ_FLEET"], flag None, default Some("false"), Later;
    /// Let that coordinator choose the work. (Not supported here yet.)
    FEATURE_ROUTE: bool = "features.route", "FLEET_ROUTE" ["AQ_FLEET_ROUTE"], flag None, default Some("false"), Later;
    /// Ask it what it would choose, and only compare. (Not supported here yet.)
    FEATURE_SHADOW: bool = "features.shadow", "FLEET_SHADOW" ["AQ_FLEET_SHADOW"],
        flag None, default Some("false"), Later;
    /// Show the whole fleet in the dashboard. (Not supported here yet.)
    FEATURE_DASH: bool = "features.dash", "FLEET_DASH" ["AQ_FLEET_DASH"], flag None, default Some("false"), Later;
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Info> {
    ALL.iter().copied().find(|info| info.name == name)
}

/// Reads a switch as all variables write them: true, 1, yes, on, and their opposites.
pub(crate) fn switch(text: &str) -> Option<bool> {
    bool::from_text(text)
}

/// Tables of the file whose keys the user chooses.
pub(crate) const FREE_TABLES: &[&str] = &["engines", "projects", "secrets"];
