//! Reports and acts without secrets: said by the sender, and once more by whoever takes them in.
//!
//! Each takes its request apart field by field, so that a new field does not compile until somebody has decided about it.

use super::{ActionRequest, PatchJob, ReleaseRequest};
use crate::{
    job::Progress,
    run::{Evidence, Insights, VerifyEvidence},
    secret::Mask,
};

impl PatchJob {
    /// The same report with every text masked that is an agent's, a program's or a person's. Names of commits, branches and
    /// engines are none.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        let Self { lease_epoch, stage, checkpoint, progress, result, usage, evidence, insights, message, .. } = self;
        let Self { engine, branch, base, base_commit, head_commit, session_id, error_class, .. } = self;
        let Self { exit_code, diff, confinement, checkpoint_unusable, expect_rev, .. } = self;
        let text = |text: Option<String>| text.map(|text| mask.text(&text));
        Self {
            lease_epoch,
            expect_rev,
            stage,
            checkpoint,
            progress: progress.map(|it| Progress { status: text(it.status), ..it }),
            result,
            usage,
            evidence: evidence.map(|evidence| masked_evidence(evidence, mask)),
            insights: insights.map(|it| Insights { summary: text(it.summary), ..it }),
            message: text(message),
            engine,
            branch,
            base,
            base_commit,
            head_commit,
            session_id: text(session_id),
            error_class,
            exit_code,
            diff,
            confinement,
            checkpoint_unusable: text(checkpoint_unusable),
        }
    }
}

fn masked_evidence(evidence: Evidence, mask: &Mask) -> Evidence {
    let Evidence { commits, verify, clean, no_changes_claimed, changed, differs_from_base, outside_scope } = evidence;
    let verify = verify.map(|it| VerifyEvidence { command: mask.text(&it.command), ..it });
    let outside_scope = outside_scope.iter().map(|path| mask.text(path)).collect();
    Evidence { commits, verify, clean, no_changes_claimed, changed, differs_from_base, outside_scope }
}

impl ReleaseRequest {
    /// The same request with every text masked.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        let Self { lease_epoch, result, message, checkpoint, session_id } = self;
        let text = |text: Option<String>| text.map(|text| mask.text(&text));
        Self { lease_epoch, result, message: text(message), checkpoint, session_id: text(session_id) }
    }
}

impl ActionRequest {
    /// The same request with every text masked.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        let Self { reason, expect_rev, commit } = self;
        Self { reason: reason.map(|reason| mask.text(&reason)), expect_rev, commit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Every text in a report that is not a name: the value has to be gone from each.
    #[test]
    fn no_text_of_a_report_keeps_a_secret() {
        let mask = Mask::new(["canary-1"]);
        let patch: PatchJob = serde_json::from_value(json!({
            "leaseEpoch": 1,
            "progress": { "status": "at canary-1" },
            "evidence": { "verify": { "command": "x canary-1", "durationMs": 1 }, "outsideScope": ["canary-1/a"] },
            "insights": { "summary": "said canary-1" },
            "message": "canary-1",
            "sessionId": "canary-1",
            "checkpointUnusable": "because canary-1",
        }))
        .expect("a report");
        let release: ReleaseRequest = serde_json::from_value(
            json!({ "leaseEpoch": 1, "result": "preempted", "message": "canary-1", "sessionId": "canary-1" }),
        )
        .expect("a release");
        let act: ActionRequest = serde_json::from_value(json!({ "reason": "canary-1" })).expect("an act");
        let masked: [Value; 3] = [
            json!(patch.masked(&mask)),
            json!(release.masked(&mask)),
            json!(act.reason.clone().map(|_| act.masked(&mask).reason)),
        ];
        for seen in masked {
            assert!(!seen.to_string().contains("canary") && seen.to_string().contains("********"), "{seen}");
        }
    }
}
