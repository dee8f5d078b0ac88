//! Every key of a task file: the one list that reading, help and documentation share.

/// A key of a task file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As written in a task file; in JSON the same in camelCase.
    pub key: &'static str,
    /// What it says, one sentence.
    pub what: &'static str,
    /// A value as it may stand after the key.
    pub example: &'static str,
    pub support: Support,
}

/// What this version does about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Everything it says.
    Honoured,
    /// Keeps and shows it; nothing depends on it yet.
    Recorded,
    /// Some of its values; the sentence says which are refused at submit.
    Partial(&'static str),
    /// Refuses it at submit, because a job that asks for it would not get it.
    NotYet,
}

impl Field {
    /// The field of this key.
    pub fn named(key: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.key == key)
    }
}

const fn field(key: &'static str, example: &'static str, support: Support, what: &'static str) -> Field {
    Field { key, what, example, support }
}

use Support::{Honoured, NotYet, Partial, Recorded};

/// Every key, in the order in which a manifest is written.
pub const FIELDS: &[Field] = &[
    field(
        "title",
        "Add input validation",
        Honoured,
        "The title; else the first heading of the body, else the file's name.",
    ),
    field("engine", "claude", Honoured, "The coding agent to use, by its name in the configuration."),
    field(
        "engine-class",
        "agentic-coder",
        Honoured,
        "Any engine of this class (agentic-coder or chat-coder) when `engine` is not given.",
    ),
    field("prefers-engine", "[claude, codex]", Honoured, "Engines of the class to try first, in this order."),
    field("model", "opus", Honoured, "The model to ask the engine for."),
    field("max-turns", "40", Honoured, "The most turns the engine may take, where it supports a limit."),
    field(
        "profile",
        "backend-engineer",
        Honoured,
        "The profile to work as; it gives a persona, and values for what the task leaves out.",
    ),
    field(
        "yolo",
        "true",
        Honoured,
        "Whether the engine gets its approve-everything flag; by default where the run is confined.",
    ),
    field(
        "cwd",
        "services/api",
        Honoured,
        "A directory inside the local repository to work on; not together with `repo`.",
    ),
    field("repo", "../shop", Honoured, "The repository to work on: a local path or a git address."),
    field("base", "main", Honoured, "The branch to start from and to ship into."),
    field(
        "project",
        "shop",
        Honoured,
        "A repository with its defaults, by its name in the configuration; it gives what task and profile leave out.",
    ),
    field(
        "priority",
        "high",
        Honoured,
        "How urgent it is: critical, high, medium (default) or low, or 1 (most urgent) to 5.",
    ),
    field(
        "capabilities",
        "[\"node>=20\", os:linux]",
        Honoured,
        "What a factory must have: key, key:value, key>=version (or > = < <=), os:any.",
    ),
    field("prefers", "[factory:desk]", Recorded, "Soft hints about where to run it."),
    field("tags", "[backend, api]", Honoured, "Words to group and filter jobs by."),
    field(
        "lock",
        "database-schema",
        Honoured,
        "Jobs with the same lock run one after another, whatever the concurrency.",
    ),
    field("hold", "true", Honoured, "Submit it held; it waits until somebody releases it."),
    field(
        "idempotency-key",
        "nightly-2026-11-20",
        Honoured,
        "At most one job has this key: submitting the same again is answered with that job.",
    ),
    field("deps", "[add-schema]", Honoured, "Jobs, by idempotency key or id, that must be done first."),
    field(
        "deps-mode",
        "soft",
        Honoured,
        "When a dependency counts as done: shipped (hard, default) or from testing on (soft).",
    ),
    field(
        "kind",
        "composite",
        Partial("composite"),
        "Whether the job does work (leaf, default) or gathers children (composite).",
    ),
    field("parent-id", "8kq2m4xw9d", NotYet, "The composite job that this one is a child of."),
    field(
        "acceptance",
        "[\"an empty e-mail is refused\"]",
        Honoured,
        "What must be true in the end, one sentence each; the agent is told.",
    ),
    field(
        "target-files",
        "[src/signup.rs]",
        Honoured,
        "Where to look first, relative to the repository; the agent is told.",
    ),
    field(
        "test-commands",
        "[\"cargo test signup\"]",
        Honoured,
        "Commands the agent should check its work with; the agent is told.",
    ),
    field(
        "verify",
        "cargo test",
        Honoured,
        "The command that proves the work: a line for `sh -c`, or a list of arguments.",
    ),
    field("timeout", "45m", Honoured, "The longest a run may take; then it ends with `timeout`."),
    field(
        "budget",
        "{ wall: 30m, usd: 2.5, tokens: 2000000 }",
        Honoured,
        "Ceilings of one run in time, money and tokens; past one it ends with `budget_exceeded`.",
    ),
    field(
        "retry",
        "{ max: 2, backoff: 30s, on: [timeout, crash] }",
        Honoured,
        "When a failed run is tried again, how often and after what wait; a number alone is `max`.",
    ),
    field(
        "review-policy",
        "manual",
        Partial("more than one approval, and named reviewers"),
        "Who must approve before testing: auto (default), manual, or { approvals, reviewers }.",
    ),
    field(
        "allowed-scope",
        "{ paths: [\"src/**\"], mode: enforce }",
        Honoured,
        "Where changes are expected; others are reported (mode warn, default) or fail the run (enforce).",
    ),
    field(
        "commits",
        "{ pattern: \"^(feat|fix): \", message: \"fix: {subject}\", otherwise: refuse }",
        Honoured,
        "What the first line of each commit's message must match; another is reworded (default), or the run is refused.",
    ),
    field("artifacts", "[\"coverage/**\"]", NotYet, "Globs of extra outputs to keep."),
    field(
        "secrets",
        "[NPM_TOKEN]",
        Honoured,
        "Names of secrets the agent is given; their values stay in the worker's configuration.",
    ),
    field("runtime", "docker", Partial("docker"), "Where the agent runs: local or docker."),
    field("limits", "{ memory: 4GiB, cpus: 2 }", Honoured, "Ceilings of one run's process tree."),
    field(
        "trust",
        "untrusted",
        Partial("untrusted"),
        "Whether the text comes from somebody trusted (trusted, default) or not (untrusted).",
    ),
    field(
        "schedule",
        "{ cron: \"0 9 * * 1-5\", timezone: Europe/Berlin }",
        NotYet,
        "Makes this a template from which jobs are created at these times.",
    ),
    field("tracker-item", "SHOP-412", Recorded, "The item in an issue tracker that this belongs to."),
];
