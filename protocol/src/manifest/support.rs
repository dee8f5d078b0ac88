//! What a task file may ask for that this version does not do, so that it is refused and not ignored.
//!
//! The rule: a key is only recorded where nothing that happens would differ; where a job would not get what it asks for,
//! submit answers with one of these sentences. `FIELDS` says the same per key; a test holds the two together.
//!
//! | key | refused | why ignoring it would be a lie |
//! | --- | --- | --- |
//! | `runtime` | `docker` | the agent would run on the host |
//! | `trust` | `untrusted` | the agent would run on the host, with its secrets |
//! | `schedule` | always | one job would run, once |
//! | `kind` | `composite` | an agent would be started where children were meant |
//! | `parent-id` | always | the parent would not wait for it |
//! | `review-policy` | more than one approval, or named reviewers | one approval of anybody would do |
//! | `artifacts` | always | the outputs would be deleted with the workspace |
//!
//! Recorded only: `prefers` (there is one factory to prefer) and `tracker-item` (a note for people).
//! `limits.cpus` is kept where the machine can ration processors; `fleet doctor` says whether this one can.

use super::{
    model::{Kind, Manifest, RuntimeName, Trust},
    policy::ReviewPolicy,
};

/// Something that a manifest asks for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// As a task file spells it.
    pub key: &'static str,
    /// One sentence for people.
    pub message: String,
}

/// Everything that a manifest asks for and would not get. Empty for a job that can be taken.
pub fn unsupported(manifest: &Manifest) -> Vec<Unsupported> {
    let quorum = match &manifest.review_policy {
        Some(ReviewPolicy::Quorum { approvals, reviewers }) => *approvals > 1 || !reviewers.is_empty(),
        Some(ReviewPolicy::Auto | ReviewPolicy::Manual) | None => false,
    };
    let asked = [
        (
            "runtime",
            manifest.runtime == Some(RuntimeName::Docker),
            "running in a container is not yet supported here: leave `runtime` out to run on this machine",
        ),
        (
            "trust",
            manifest.trust == Some(Trust::Untrusted),
            "untrusted jobs are not yet supported here: they need a container, and there is none",
        ),
        (
            "schedule",
            manifest.schedule.is_some(),
            "schedules are not yet supported here: call `fleet submit` from cron, with an `idempotency-key`",
        ),
        (
            "kind",
            manifest.kind == Some(Kind::Composite),
            "composite jobs are not yet supported here: submit the parts and tie them with `deps`",
        ),
        (
            "parent-id",
            manifest.parent_id.is_some(),
            "children of composite jobs are not yet supported here: tie jobs with `deps`",
        ),
        (
            "review-policy",
            quorum,
            "several approvals and named reviewers are not yet supported here: `review-policy: manual` asks for one approval",
        ),
        (
            "artifacts",
            !manifest.artifacts.is_empty(),
            "keeping extra outputs is not yet supported here: have the agent commit what must stay",
        ),
    ];
    let told = |(key, asked, sentence): (&'static str, bool, &str)| {
        asked.then(|| Unsupported { key, message: sentence.to_owned() })
    };
    asked.into_iter().filter_map(told).collect()
}
