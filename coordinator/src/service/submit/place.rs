//! Giving a task its place: a new job, the job that its idempotency key names already, or that job with new content.

use fleet_protocol::{
    ErrorCode, EventType, Job, JobId, Problem,
    api::{SubmitPreview, SubmitQuery},
    id::slug,
    job::{ProfileRef, Trigger},
    manifest::repository,
};
use jiff::Timestamp;
use serde_json::json;

use super::read::{Intake, TaskText, Unfit, read};
use crate::{
    lifecycle::{self, Draft, Input, NewJob, Step, admit, admit_invalid},
    service::{Failure, Service, caller::Caller, core::shown, fingerprint::fingerprint},
    store::{Commit, CommitError, Content, Expect, LeaseChange, ProfileText, Urgency},
};

/// Times that a place is sought anew: a name or key can be taken between look and leap.
const TRIES: u32 = 50;

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Submitted {
    /// A new job.
    New(Box<Job>),
    /// A job that was there; its content is what was submitted.
    Known(Box<Job>),
    /// Nothing: only a look at what would be.
    Preview(Box<SubmitPreview>),
}

/// Where a submission belongs, by what was read.
enum Plan {
    New(Box<Commit>),
    Replace(Box<Commit>),
    Known(Box<Job>),
}

impl Service {
    /// Takes a task in.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        text: &TaskText,
        query: &SubmitQuery,
    ) -> Result<Submitted, Failure> {
        match read(text, query, &self.options) {
            Ok(intake) if query.dry_run => Ok(Submitted::Preview(Box::new(intake.preview()))),
            Ok(mut intake) => match self.place_anew(caller, text, query, &mut intake).await {
                Err(Failure::Problem(problem)) if query.keep_invalid && problem.code == ErrorCode::DependencyCycle => {
                    let Intake { title, manifest, body, .. } = intake;
                    self.keep_unfit(caller, text, query, Unfit { problem, title, manifest, body }).await
                }
                outcome => outcome,
            },
            Err(unfit) if query.keep_invalid && !query.dry_run => self.keep_unfit(caller, text, query, *unfit).await,
            Err(unfit) => Err(unfit.problem.into()),
        }
    }

    /// Finds the place; a key that was derived from the content makes way for a new job once its job is over.
    async fn place_anew(
        &self,
        caller: &Caller,
        text: &TaskText,
        query: &SubmitQuery,
        intake: &mut Intake<'_>,
    ) -> Result<Submitted, Failure> {
        if let Some(derived) = intake.derived_key.clone() {
            let mut key = derived.clone();
            for number in 2.. {
                match self.store.job_by_key(&caller.product, &key)? {
                    Some((job, _)) if job.stage.is_terminal() => key = format!("{derived}-{number}"),
                    _ => break,
                }
            }
            intake.manifest.idempotency_key = Some(key);
        }
        self.place(caller, text, query, intake).await
    }

    async fn place(
        &self,
        caller: &Caller,
        text: &TaskText,
        query: &SubmitQuery,
        intake: &Intake<'_>,
    ) -> Result<Submitted, Failure> {
        for _ in 0..TRIES {
            let (commit, new) = match self.plan_place(caller, text, query, intake)? {
                Plan::New(commit) => (commit, true),
                Plan::Replace(commit) => (commit, false),
                Plan::Known(job) => return Ok(Submitted::Known(job)),
            };
            match self.commit_placed(caller, commit, if new { 201 } else { 200 }).await {
                Ok(job) if new => return Ok(Submitted::New(job)),
                Ok(job) => return Ok(Submitted::Known(job)),
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::new(ErrorCode::Conflict, "no free name was found; try again").into())
    }

    fn plan_place(
        &self,
        caller: &Caller,
        text: &TaskText,
        query: &SubmitQuery,
        intake: &Intake<'_>,
    ) -> Result<Plan, Failure> {
        let known = match &intake.manifest.idempotency_key {
            Some(key) => self.store.job_by_key(&caller.product, key)?,
            None => None,
        };
        let now = self.now();
        let content = || Some(content(text, intake));
        match known {
            Some((job, fingerprint)) if fingerprint == intake.fingerprint => Ok(Plan::Known(Box::new(shown(job)))),
            Some((job, _)) => {
                let mut commit = self.replacement(caller, &job, intake, now)?;
                commit.content = content();
                Ok(Plan::Replace(commit))
            }
            None => {
                let mut commit = self.newcomer(caller, query, intake, now)?;
                commit.content = content();
                Ok(Plan::New(commit))
            }
        }
    }

    async fn commit_placed(
        &self,
        caller: &Caller,
        mut commit: Box<Commit>,
        status: u16,
    ) -> Result<Box<Job>, CommitError> {
        commit.answer = caller.answer(status, &shown(commit.outcome()));
        let job = shown(self.store.job_commit(commit).await?);
        // Only by its key can it have been waited for: its id was not known before.
        if job.idempotency_key.is_some() {
            self.settle_dependants(&job).await;
        }
        Ok(job)
    }

    fn newcomer(
        &self,
        caller: &Caller,
        query: &SubmitQuery,
        intake: &Intake<'_>,
        now: Timestamp,
    ) -> Result<Box<Commit>, Failure> {
        let new = self.new_job(caller, intake);
        let new = NewJob { file: self.file_for(caller, query, &new)?, ..new };
        let mode = intake.manifest.deps_mode.unwrap_or_default();
        let blocked_by = self.blockers(&caller.product, &intake.manifest.deps, mode)?;
        Ok(first_commit(admit(new, blocked_by, now, &caller.actor), now))
    }

    fn new_job(&self, caller: &Caller, intake: &Intake<'_>) -> NewJob {
        NewJob {
            id: JobId::from_random((self.randomness)()),
            title: intake.title.clone(),
            product: caller.product.clone(),
            file: String::new(),
            manifest: intake.manifest.clone(),
            profile: intake.profile.map(|source| ProfileRef {
                name: source.profile.name.clone(),
                version: source.profile.version.clone(),
            }),
            parent_id: None,
            repo: intake.repo.clone(),
            trigger: trigger(caller),
        }
    }

    /// New content for a job that nobody has begun; it keeps its id, its file and its history.
    fn replacement(
        &self,
        caller: &Caller,
        old: &Job,
        intake: &Intake<'_>,
        now: Timestamp,
    ) -> Result<Box<Commit>, Failure> {
        if !old.stage.is_pending() || old.runs > 0 {
            let message = format!(
                "job `{}` has this idempotency key, another content, and is {} already; use another key",
                old.id, old.stage
            );
            return Err(Problem::new(ErrorCode::Conflict, message)
                .with(json!({ "jobId": old.id, "stage": old.stage }))
                .into());
        }
        let fresh = admit(self.new_job(caller, intake), Vec::new(), now, &caller.actor).job;
        let job = Job {
            id: old.id.clone(),
            file: old.file.clone(),
            stage: old.stage,
            blocked_by: old.blocked_by.clone(),
            held: old.held || fresh.held,
            rev: old.rev,
            lease_epoch: old.lease_epoch,
            created_at: old.created_at,
            ..fresh
        };
        let submitted = Draft {
            event_type: EventType::Submitted,
            actor: caller.actor.clone(),
            stage_from: Some(old.stage),
            stage_to: Some(old.stage),
            lease_epoch: old.lease_epoch,
            data: json!({ "replaced": true, "replacedRev": old.rev, "trigger": job.trigger }),
        };
        let blocked_by = self.blockers(&caller.product, &job.deps, job.deps_mode)?;
        let mut step = lifecycle::step(&job, None, &Input::Dependencies { blocked_by }, now)?;
        step.events.insert(0, submitted);
        let mut commit = Commit::of(old, step, now);
        commit.urgency = Urgency::Submit;
        Ok(commit)
    }

    /// Keeps a job that can never run, so that its author finds it, with what is wrong, where all jobs are.
    async fn keep_unfit(
        &self,
        caller: &Caller,
        text: &TaskText,
        query: &SubmitQuery,
        unfit: Unfit,
    ) -> Result<Submitted, Failure> {
        let Unfit { problem, title, mut manifest, body } = unfit;
        // It must not stand in the way of the corrected one, nor be waited for.
        manifest.idempotency_key = None;
        manifest.deps.clear();
        let repo = repository(&manifest, query.repo.as_deref());
        let unfit = Unfit { problem, title, manifest, body };
        for _ in 0..TRIES {
            let commit = self.plan_unfit(caller, (text, query), &unfit, repo.clone())?;
            match self.commit_placed(caller, commit, 201).await {
                Ok(job) => return Ok(Submitted::New(job)),
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::new(ErrorCode::Conflict, "no free name was found; try again").into())
    }

    fn plan_unfit(
        &self,
        caller: &Caller,
        (text, query): (&TaskText, &SubmitQuery),
        unfit: &Unfit,
        repo: Option<String>,
    ) -> Result<Box<Commit>, Failure> {
        let new = NewJob {
            id: JobId::from_random((self.randomness)()),
            title: unfit.title.clone(),
            product: caller.product.clone(),
            file: String::new(),
            repo,
            manifest: unfit.manifest.clone(),
            profile: None,
            parent_id: None,
            trigger: trigger(caller),
        };
        let new = NewJob { file: self.file_for(caller, query, &new)?, ..new };
        let now = self.now();
        let mut commit = first_commit(admit_invalid(new, unfit.problem.message.clone(), now, &caller.actor), now);
        commit.content = Some(Content {
            source: text.source().to_owned(),
            body: unfit.body.clone(),
            fingerprint: fingerprint(text.source().as_bytes()),
            profile: None,
            linked: false,
        });
        Ok(commit)
    }

    /// A name in the queue folder that is free now.
    fn file_for(&self, caller: &Caller, query: &SubmitQuery, new: &NewJob) -> Result<String, Failure> {
        let stem = query.file.as_deref().map_or_else(|| slug(&new.title, 60), stem);
        let names = [format!("{stem}.md"), format!("{stem}-{}.md", &new.id.as_str()[..4])];
        for name in names {
            if !self.store.file_taken(&caller.product, &name)? {
                return Ok(name);
            }
        }
        Ok(format!("{stem}-{}.md", new.id))
    }
}

fn first_commit(step: Step, at: Timestamp) -> Box<Commit> {
    Box::new(Commit {
        expect: Expect::New,
        job: step.job,
        run: None,
        events: step.events,
        at,
        lease: LeaseChange::default(),
        urgency: Urgency::Submit,
        content: None,
        answer: None,
    })
}

fn content(text: &TaskText, intake: &Intake<'_>) -> Content {
    Content {
        source: text.source().to_owned(),
        body: intake.body.clone(),
        fingerprint: intake.fingerprint.clone(),
        profile: intake.profile.map(|source| ProfileText {
            name: source.profile.name.clone(),
            version: source.profile.version.clone(),
            text: source.text.clone(),
        }),
        linked: true,
    }
}

fn trigger(caller: &Caller) -> Trigger {
    if caller.actor.starts_with("operator:") { Trigger::Manual } else { Trigger::Api }
}

/// Whether somebody else was faster, so that another look gives another answer.
const fn is_race(error: &CommitError) -> bool {
    matches!(error, CommitError::Conflict | CommitError::IdTaken | CommitError::FileTaken | CommitError::KeyTaken)
}

/// The name of a file without folder and ending, such that it can stand in the queue folder.
fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = [".md", ".markdown", ".txt"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(60).collect();
    let name = name.trim().trim_start_matches('.');
    if name.is_empty() { "task".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_cannot_lead_out_of_the_folder() {
        for (file, expected) in [
            ("add-validation.md", "add-validation"),
            ("Größe ändern.md", "Größe ändern"),
            ("../../etc/passwd", "passwd"),
            ("..", "task"),
            (".hidden.md", "hidden"),
            ("a\nb.md", "ab"),
            ("", "task"),
            ("C:\\x\\y.txt", "y"),
        ] {
            assert_eq!(stem(file), expected, "{file:?}");
        }
    }
}
