//! From an agent's end to what is reported: collect, scope, messages, publish, verify.
//!
//! Work outside of an enforced scope is kept under the job's own ref and put on no branch.

use std::{collections::BTreeMap, time::Duration};

use fleet_protocol::{
    JobResult,
    api::PatchJob,
    job::{Checkpoint, Usage},
    manifest::ScopeMode,
    run::{Evidence, Insights, VerifyEvidence},
};

use super::{
    agent::Under,
    bounds::ceilings,
    confine,
    journal::Journal,
    judge::{Course, Failing},
    prove::{Check, Checked, check},
    save::blocking,
    seat::Outcome,
    trouble::Trouble,
};
use crate::{
    engine::Conclusion,
    runtime::ExitRecord,
    workspace::{Collected, WorkspaceError, checkpoint, outside, publish},
};

/// How much of the last thing an agent said is kept, characters.
const SUMMARY: usize = 2_000;
/// How many refused commits are named.
const SHOWN_COMMITS: usize = 5;
/// A verify command always gets this long, however late the agent was.
const LEAST_LEFT: Duration = Duration::from_secs(1);

/// An agent's end, and what lay in the workspace then.
pub(super) struct Finding {
    pub(super) course: Course,
    pub(super) conclusion: Conclusion,
    /// None when the shim was killed.
    pub(super) record: Option<ExitRecord>,
    pub(super) collected: Collected,
    /// For the verify command: the agent's without the job's secrets.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) agent_ms: u64,
}

/// Finds out what came of the run and what is to be said about it. The work is under refs afterwards, whatever it is.
pub(super) async fn verdict(under: &Under<'_>, finding: Finding, journal: &mut Journal) -> Result<Outcome, Trouble> {
    let collected = &finding.collected;
    collected.notes.iter().for_each(|note| journal.note(note));
    let outside = scope(under, collected)?;
    let breaks = enforced(under) && !outside.is_empty();
    let saved = save(under, collected, if breaks { Publish::Nothing } else { Publish::Branch }).await?;
    match &finding.course {
        Course::Silence => Ok(Outcome::Silence),
        Course::HandBack(why) => {
            let session = finding.conclusion.session_id.clone();
            Ok(Outcome::Say(under.seat.hand_back(why, saved.checkpoint, session)))
        }
        Course::Anew => Err(Trouble::job(JobResult::AgentFailed, "the engine could not begin a session")),
        Course::Failed(failing) => {
            journal.note(&format!("{}: {}", failing.result, failing.message));
            let proof = Proof { saved, outside, verify: None };
            Ok(say(under, &finding, Some(failing), proof))
        }
        Course::Prove if breaks => {
            let message = format!("changed outside its scope: {}", outside.join(", "));
            let failing = Failing { result: JobResult::ScopeViolation, class: None, message };
            let proof = Proof { saved, outside, verify: None };
            Ok(say(under, &finding, Some(&failing), proof))
        }
        Course::Prove => prove(under, &finding, Proof { saved, outside, verify: None }, journal).await,
    }
}

struct Proof {
    saved: Saved,
    outside: Vec<String>,
    verify: Option<VerifyEvidence>,
}

async fn prove(
    under: &Under<'_>,
    finding: &Finding,
    mut proof: Proof,
    journal: &mut Journal,
) -> Result<Outcome, Trouble> {
    let refused = &finding.collected.refused;
    if !refused.is_empty() {
        let message = refusal(under, refused);
        let failing = Failing { result: JobResult::AgentFailed, class: None, message };
        journal.note(&failing.message);
        return Ok(say(under, finding, Some(&failing), proof));
    }
    let failing = match verify(under, finding, journal).await? {
        None => None,
        Some(Checked::Passed(evidence)) => {
            proof.verify = Some(evidence);
            None
        }
        Some(Checked::Failed(failing, evidence)) => {
            proof.verify = evidence;
            Some(failing)
        }
        Some(Checked::Interrupted(_)) if !under.seat.lease.is_held() => return Ok(Outcome::Silence),
        Some(Checked::Interrupted(_)) => {
            let session = finding.conclusion.session_id.clone();
            let why = "the runner was asked to end while it verified";
            return Ok(Outcome::Say(under.seat.hand_back(why, proof.saved.checkpoint, session)));
        }
        Some(Checked::HandedOver) => return Ok(Outcome::HandedOver),
    };
    Ok(say(under, finding, failing.as_ref(), proof))
}

fn say(under: &Under<'_>, finding: &Finding, failing: Option<&Failing>, proof: Proof) -> Outcome {
    Outcome::Say(under.seat.report(patch(under, finding, failing, proof)))
}

/// Says which commits the convention refuses, and what it wants; the next run is told so.
fn refusal(under: &Under<'_>, refused: &[String]) -> String {
    let pattern = under.seat.claimed.manifest.commits.as_ref().map_or("", |rule| &rule.pattern);
    let shown = refused.iter().take(SHOWN_COMMITS).map(|commit| format!("`{commit}`")).collect::<Vec<_>>().join(", ");
    let more = match refused.len().saturating_sub(SHOWN_COMMITS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("messages of commits do not match `{pattern}`: {shown}{more}; the work is kept on its branch")
}

/// Where the work may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publish {
    Branch,
    /// Under the job's own ref alone.
    Nothing,
}

/// Where the work lies.
struct Saved {
    checkpoint: Option<Checkpoint>,
    /// The branch, when it had to be another one than was meant: somebody else moved that, or has it checked out.
    branch: Option<String>,
    /// What the branch stands at; none when nothing was published.
    head: Option<String>,
}

/// Puts the work under its own ref, so that nothing that follows can lose it, and on the job's branch where it may be.
async fn save(under: &Under<'_>, collected: &Collected, what: Publish) -> Result<Saved, Trouble> {
    let (workspace, collected) = (under.equipped.workspace.clone(), collected.clone());
    Ok(blocking(move || {
        let branch = match what {
            Publish::Branch if collected.differs_from_base => Some(publish(&workspace, &collected)?.branch),
            Publish::Branch | Publish::Nothing => None,
        };
        Ok::<_, WorkspaceError>(Saved {
            checkpoint: checkpoint(&workspace, "end of a run")?,
            branch: branch.filter(|branch| branch != workspace.branch()),
            head: (what == Publish::Branch).then(|| collected.head.to_string()),
        })
    })
    .await?)
}

fn enforced(under: &Under<'_>) -> bool {
    under.seat.claimed.manifest.allowed_scope.as_ref().is_some_and(|scope| scope.mode == ScopeMode::Enforce)
}

fn scope(under: &Under<'_>, collected: &Collected) -> Result<Vec<String>, Trouble> {
    match &under.seat.claimed.manifest.allowed_scope {
        Some(scope) => Ok(outside(&collected.paths, &scope.paths)?),
        None => Ok(Vec::new()),
    }
}

async fn verify(under: &Under<'_>, finding: &Finding, journal: &mut Journal) -> Result<Option<Checked>, Trouble> {
    let manifest = &under.seat.claimed.manifest;
    let Some(command) = &manifest.verify else { return Ok(None) };
    let options = &under.seat.options;
    let limit = [manifest.timeout, manifest.budget.and_then(|budget| budget.wall)].into_iter().flatten().min();
    let limit = limit.map_or(options.wall, fleet_protocol::Span::duration);
    let cwd = under.equipped.workspace.cwd();
    journal.note(&format!("verifying: {command}"));
    let wanted = Check {
        command,
        environment: finding.environment.clone(),
        folder: &cwd,
        run_folder: &under.place.folder,
        left: limit.saturating_sub(Duration::from_millis(finding.agent_ms)).max(LEAST_LEFT),
        grace: options.grace,
        ttl: under.ttl(),
        bounds: options.bounds,
        ceilings: ceilings(manifest, options),
        exe: &options.exe,
        label: format!("{}/{} verify", under.seat.claimed.job.id, under.seat.claimed.run.number),
        confinement: confine::verify(under, &finding.environment),
    };
    let checked = check(&wanted, &under.seat.lease, &under.seat.shutdown).await?;
    match &checked {
        Checked::Passed(evidence) => journal.note(&format!("verified in {} ms", evidence.duration_ms)),
        Checked::Failed(failing, _) => journal.note(&failing.message),
        Checked::Interrupted(reason) => journal.note(&format!("the verification was interrupted: {reason:?}")),
        Checked::HandedOver => journal.note("handed over while it verifies"),
    }
    Ok(Some(checked))
}

fn patch(under: &Under<'_>, finding: &Finding, failing: Option<&Failing>, proof: Proof) -> PatchJob {
    let Finding { conclusion, collected, .. } = finding;
    let record = finding.record.as_ref();
    let evidence = Evidence {
        commits: collected.commits.iter().map(ToString::to_string).collect(),
        verify: proof.verify,
        clean: collected.clean,
        no_changes_claimed: conclusion.no_changes_claimed,
        changed: Some(collected.changed),
        differs_from_base: collected.differs_from_base,
        outside_scope: proof.outside,
    };
    let committed_earlier_work = collected.differs_from_base && !collected.commits.is_empty();
    let success = if collected.changed || committed_earlier_work { JobResult::Ok } else { JobResult::NoChanges };
    PatchJob {
        result: Some(failing.map_or(success, |failing| failing.result)),
        message: failing.map(|failing| under.mask.text(&failing.message)),
        error_class: failing.and_then(|failing| failing.class),
        checkpoint: proof.saved.checkpoint,
        usage: Some(conclusion.usage).filter(|usage| *usage != Usage::UNKNOWN),
        evidence: Some(evidence),
        insights: Some(Insights {
            agent_ms: Some(finding.agent_ms),
            provision_ms: Some(under.provision_ms),
            summary: conclusion.summary.as_ref().map(|said| under.mask.text(said).chars().take(SUMMARY).collect()),
            peak_memory: record.and_then(|record| record.peak_memory),
            cpu_ms: record.and_then(|record| record.cpu_ms),
            read_bytes: record.and_then(|record| record.read_bytes),
            written_bytes: record.and_then(|record| record.written_bytes),
        }),
        branch: proof.saved.branch,
        head_commit: proof.saved.head,
        session_id: conclusion.session_id.clone(),
        exit_code: record.and_then(|record| record.exit_code),
        diff: Some(collected.diff),
        ..PatchJob::default()
    }
}
