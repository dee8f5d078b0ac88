//! What a run has proven. An agent's word is a claim; only what the worker saw counts.

use fleet_protocol::{
    JobResult, Manifest,
    manifest::{ReviewPolicy, ScopeMode},
    run::Evidence,
};

/// What follows from a run that says it did what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is proven and nobody wants to be asked.
    Proven(JobResult),
    /// A person has to look; says why.
    Ask(JobResult, &'static str),
    /// The evidence speaks against it.
    Refuted(JobResult, String),
}

/// Judges a success claimed as `claimed` by its evidence and by what the manifest demands.
pub(super) fn judge(claimed: JobResult, evidence: Option<&Evidence>, manifest: &Manifest) -> Verdict {
    let Some(evidence) = evidence else {
        return Verdict::Ask(claimed, "the run brought no evidence");
    };
    if let Some(refuted) = refute(evidence, manifest) {
        return refuted;
    }
    let result = if changed(evidence) { JobResult::Ok } else { JobResult::NoChanges };
    let verified = evidence.verify.as_ref().is_some_and(|verify| verify.exit_code == Some(0));
    if result == JobResult::NoChanges && !evidence.no_changes_claimed {
        Verdict::Ask(result, "the run changed nothing, and the agent did not say that there is nothing to do")
    } else if !matches!(manifest.review_policy, None | Some(ReviewPolicy::Auto)) {
        Verdict::Ask(result, "the review policy asks for it")
    } else if !verified {
        Verdict::Ask(result, "nothing verified it")
    } else if !evidence.clean {
        Verdict::Ask(result, "the workspace was not clean at the end")
    } else {
        Verdict::Proven(result)
    }
}

/// Whether there is something to ship: this run changed files, or committed what an earlier run had left.
fn changed(evidence: &Evidence) -> bool {
    let committed = !evidence.commits.is_empty();
    evidence.changed.unwrap_or(committed) || (evidence.differs_from_base && committed)
}

fn refute(evidence: &Evidence, manifest: &Manifest) -> Option<Verdict> {
    let enforced = manifest.allowed_scope.as_ref().is_some_and(|scope| scope.mode == ScopeMode::Enforce);
    if enforced && !evidence.outside_scope.is_empty() {
        let message = format!("changed outside the allowed scope: {}", evidence.outside_scope.join(", "));
        return Some(Verdict::Refuted(JobResult::ScopeViolation, message));
    }
    let verify = evidence.verify.as_ref().filter(|verify| verify.exit_code != Some(0))?;
    let ended = match verify.exit_code {
        Some(code) => format!("exit code {code}"),
        None => "no exit code".to_owned(),
    };
    Some(Verdict::Refuted(JobResult::VerifyFailed, format!("`{}` ended with {ended}", verify.command)))
}
