//! Everything a run needs before its agent starts: the engine, the workspace, the input.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use fleet_protocol::{
    JobId, JobResult, Manifest, Run,
    api::{Claimed, LogStream, LogsQuery},
    capability,
    convention::Convention,
    id::branch_name,
    job::Usage,
};

use super::{
    input::{self, EarlierCommit, Parts},
    journal::Journal,
    mask::Mask,
    options::Options,
    orphans::end_runs,
    probe,
    pump::begins_beside,
    pumps::{Carried, FILES},
    record::{Ground, Values},
    save::blocking,
    secret,
    spool::mask_output,
    trouble::Trouble,
};
use crate::{
    client::Client,
    confinement::Level,
    engine::{Approval, Definition, Invocation, PromptText, Request, RunsAs, SessionPlan, Wanted, invocation, resolve},
    workspace::{
        Author, Identity, Prepare, Source, Updated, Workspace, WorkspaceError, bring_up_to_date, history, newest_work,
        remove,
    },
};

/// How much of the end of what the last run printed the next one is shown, bytes.
const LAST_OUTPUT: u64 = 6 * 1024;

/// Where a run's files lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The run's own folder.
    pub(super) folder: PathBuf,
    /// For temporary files of the agent alone.
    pub(super) tmp: PathBuf,
    pub(super) prompt: PathBuf,
}

impl Place {
    /// Makes the run's folders, for this user only.
    pub(super) fn make(options: &Options, job: &str, run: u32) -> Result<Self, Trouble> {
        let place = Self::at(options, job, run);
        for path in [&place.tmp, &options.workspaces()] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|error| Trouble::io("create", path, &error))?;
        }
        Ok(place)
    }

    /// Where they are, made or not.
    pub(super) fn at(options: &Options, job: &str, run: u32) -> Self {
        let folder = options.run_folder(job, run);
        Self { tmp: folder.join("tmp"), prompt: folder.join("prompt"), folder }
    }

    /// Takes away what only the running agent needed, and output that lies elsewhere too. What stays holds no secret.
    /// No process of the run is left.
    pub(super) async fn tidy(&self, carried: Carried, options: &Options) {
        if carried == Carried::Part {
            let (folder, mask) = (self.folder.clone(), self.mask(options));
            blocking(move || mask_output(&folder, mask.as_ref())).await;
        }
        let copies = if carried == Carried::Whole { FILES.as_slice() } else { &[] };
        let copies = copies.iter().map(|(file, _)| self.folder.join(file));
        let copies = copies.flat_map(|file| [fs::remove_file(begins_beside(&file)), fs::remove_file(file)]);
        for gone in [fs::remove_dir_all(&self.tmp), fs::remove_file(&self.prompt)].into_iter().chain(copies) {
            if let Err(error) = gone
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(folder = %self.folder.display(), %error, "a run's files could not be removed");
            }
        }
        // Last: without them nobody can tell what of the output is secret.
        if let Err(error) = Values::remove(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "the values to mask could not be removed");
        }
    }

    /// What masks the run's output; none when the values are gone.
    fn mask(&self, options: &Options) -> Option<Mask> {
        let read = Values::read(&self.folder).unwrap_or_else(|error| {
            tracing::warn!(folder = %self.folder.display(), %error, "the values to mask could not be read");
            None
        });
        read.map(|values| {
            let mask = Mask::default();
            mask.set(&secret::to_mask(&values.masked, options));
            mask
        })
    }
}

/// The engine for this job. A machine that lacks what the job demands is told apart from one that lacks the engine.
pub(super) fn engine<'o>(options: &'o Options, manifest: &Manifest) -> Result<&'o Definition, Trouble> {
    let unmet = capability::unmet(&manifest.capabilities, &probe::capabilities(options, &manifest.capabilities));
    if !unmet.is_empty() {
        let message = format!("this machine lacks {}", unmet.join(", "));
        return Err(Trouble::job(JobResult::CapabilityMismatch, message));
    }
    let wanted = Wanted {
        engine: manifest.engine.as_deref(),
        class: manifest.engine_class.as_deref(),
        prefers: &manifest.prefers_engine,
        default: options.default_engine.as_deref(),
    };
    let look = |program: &str| probe(program, &options.environment);
    Ok(resolve(&options.engines, wanted, &look)?)
}

/// A workspace, and what the agent should know about how it came to be.
pub(super) struct Equipped {
    pub(super) workspace: Workspace,
    pub(super) ground: Ground,
}

/// Makes the private clone: from the checkpoint where there is one, brought up to date with the base.
pub(super) async fn workspace(
    options: &Options,
    claimed: &Claimed,
    journal: &mut Journal,
) -> Result<Equipped, Trouble> {
    let wanted = Wish {
        dir: options.workspace(claimed.job.id.as_str()),
        repo: claimed.job.site().unwrap_or_else(|| ".".to_owned()),
        base: claimed.job.base.clone().or_else(|| claimed.manifest.base.clone()),
        start: wants_checkpoint(claimed).then(|| claimed.checkpoint.as_ref().map(|it| it.commit.clone())),
        recorded: claimed.job.head_commit.clone(),
        branch: claimed.job.branch.clone().unwrap_or_else(|| branch_name(&claimed.job.id, &claimed.job.title)),
        job: claimed.job.id.clone(),
        convention: convention(&claimed.manifest)?,
        identity: options.committer.clone(),
    };
    // An agent of a runner that died may still be at work there, and the two must not meet.
    let earlier = claimed.run.number.saturating_sub(1);
    end_runs(options, &claimed.job.id, earlier).await.map_err(Trouble::Machine)?;
    let (equipped, notes) = blocking(move || wanted.make()).await?;
    notes.iter().chain(equipped.workspace.notes()).for_each(|note| journal.note(note));
    Ok(equipped)
}

/// The rule for messages of commits. It was found sound when the job was taken in, maybe by another version of us.
fn convention(manifest: &Manifest) -> Result<Option<Convention>, Trouble> {
    let sound = manifest.commits.clone().map(Convention::try_from).transpose();
    sound.map_err(|bad| Trouble::job(JobResult::InvalidManifest, format!("commits.{}: {bad}", bad.key())))
}

/// A fresh start is wanted only by a retry whose policy says so; a person's wish for changes always goes on from the work.
fn wants_checkpoint(claimed: &Claimed) -> bool {
    let fresh = claimed.manifest.retry.as_ref().is_some_and(|retry| !retry.resume);
    let last_failed = claimed.earlier.last().and_then(|run| run.result).is_some_and(|result| !result.is_success());
    !(fresh && last_failed)
}

struct Wish {
    dir: PathBuf,
    repo: String,
    base: Option<String>,
    /// The checkpoint to go on from, if there is one; none at the outside for a fresh start.
    start: Option<Option<String>>,
    recorded: Option<String>,
    branch: String,
    job: JobId,
    convention: Option<Convention>,
    identity: Option<Identity>,
}

impl Wish {
    fn make(self) -> Result<(Equipped, Vec<String>), WorkspaceError> {
        let mut notes = Vec::new();
        let source = Source::open(&self.repo, self.base.as_deref())?;
        let dirty = source.dirty()?;
        if dirty > 0 {
            notes.push(format!(
                "{dirty} changed files of the checkout are not committed, so the agent does not see them"
            ));
        }
        salvage(&self.dir, &mut notes)?;
        let mut conflicts = Vec::new();
        let mut start = match &self.start {
            Some(known) => newest_work(&source, &self.job, known.as_deref())?,
            None => None,
        };
        if let Some(commit) = start.clone() {
            match bring_up_to_date(&source, &commit, &self.author()) {
                Ok(Updated::Current) | Err(WorkspaceError::UnusableCheckpoint { .. }) => {}
                Ok(Updated::Merged(merged)) => {
                    notes.push(format!("the base `{}` has moved; it was merged into the work", source.base));
                    start = Some(merged.to_string());
                }
                Ok(Updated::Conflicts(files)) => conflicts = files,
                Err(error) => return Err(error),
            }
        }
        let (workspace, fresh_because) = match self.prepare(&source, start, &mut notes) {
            Err(WorkspaceError::UnusableCheckpoint { reason, .. }) => {
                (self.prepare(&source, None, &mut notes)?, Some(reason))
            }
            made => (made?, None),
        };
        let commits = history(&source, workspace.start())?;
        let commits = commits.into_iter().map(|(id, subject)| EarlierCommit { id: id.to_string(), subject }).collect();
        let work = super::notes::work_of(&source, &workspace)?;
        let told = super::notes::of_repository(&workspace);
        let ground = Ground { commits, fresh_because, conflicts, notes: told, work };
        Ok((Equipped { workspace, ground }, notes))
    }

    fn author(&self) -> Author<'_> {
        Author { identity: self.identity.clone().unwrap_or_else(Identity::ours), job: &self.job }
    }

    fn prepare(
        &self,
        source: &Source,
        start: Option<String>,
        notes: &mut Vec<String>,
    ) -> Result<Workspace, WorkspaceError> {
        let wanted = Prepare {
            dir: self.dir.clone(),
            job: self.job.clone(),
            branch: self.branch.clone(),
            start,
            recorded: self.recorded.clone(),
            identity: self.identity.clone(),
            convention: self.convention.clone(),
        };
        Workspace::prepare(source, wanted, &mut |step| notes.push(step.to_string()))
    }
}

/// Saves and clears what an earlier run of this job left in the way. What is not ours is left to be refused.
fn salvage(dir: &Path, notes: &mut Vec<String>) -> Result<(), WorkspaceError> {
    if !dir.join("workspace.json").exists() {
        return Ok(());
    }
    let trash = remove(Workspace::open(dir)?)?;
    notes.push("the workspace of an earlier run was saved and cleared".to_owned());
    trash.delete()
}

/// Writes what the agent is told into the run's folder.
pub(super) async fn prompt(
    client: &Client,
    claimed: &Claimed,
    equipped: &Equipped,
    session: Session,
    place: &Place,
) -> Result<String, Trouble> {
    let last_output = last_output(client, claimed).await;
    let dependencies = super::dependencies::of(client, claimed).await;
    let parts = Parts {
        persona: claimed.persona.as_deref(),
        body: &claimed.body,
        manifest: &claimed.manifest,
        earlier: &claimed.earlier,
        last_output: last_output.as_deref(),
        commits: &equipped.ground.commits,
        feedback: &claimed.job.feedback,
        dependencies: &dependencies,
        fresh_because: equipped.ground.fresh_because.as_deref(),
        conflicts: &equipped.ground.conflicts,
        notes: &equipped.ground.notes,
        work: &equipped.ground.work,
    };
    let text = match session {
        Session::Resumed => input::follow_up(&parts),
        Session::New => input::compose(&parts),
    };
    let mut file = fs::OpenOptions::new();
    let file = file.create(true).write(true).truncate(true).mode(0o600).open(&place.prompt);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| Trouble::io("write", &place.prompt, &error))?;
    Ok(text)
}

/// Whether the engine's conversation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    New,
    Resumed,
}

/// The end of what the last run printed that failed by itself: its verify command's output, else the agent's.
async fn last_output(client: &Client, claimed: &Claimed) -> Option<String> {
    let last = claimed.earlier.iter().rev().find(|run| run.result.is_some_and(|result| !result.is_handback()))?;
    if last.result.is_some_and(JobResult::is_success) {
        return None;
    }
    for stream in [LogStream::Verify, LogStream::Stderr] {
        let query = |offset| LogsQuery {
            run: Some(last.number),
            stream: Some(stream),
            offset: Some(offset),
            limit: Some(LAST_OUTPUT),
        };
        let Ok(chunk) = client.logs(&claimed.job.id, &query(0)).await else { continue };
        let chunk = match chunk.size.checked_sub(LAST_OUTPUT) {
            Some(offset) if offset > 0 => client.logs(&claimed.job.id, &query(offset)).await.ok()?,
            _ => chunk,
        };
        if !chunk.data.trim().is_empty() {
            return Some(chunk.data);
        }
    }
    None
}

/// The session that an earlier run of the same engine left, and what that session has cost so far.
pub(super) fn earlier_session(claimed: &Claimed, engine: &Definition) -> Option<(String, Usage)> {
    let of_engine = |run: &&Run| run.engine.as_deref() == Some(&engine.name);
    let last = claimed.earlier.iter().rev().find(of_engine)?;
    let session = last.session_id.clone().filter(|_| engine.can_resume() && wants_checkpoint(claimed))?;
    let same = claimed.earlier.iter().filter(|run| run.session_id.as_ref() == Some(&session));
    let cost = same.fold(Usage::UNKNOWN, |sum, run| sum.plus(run.usage));
    Some((session, cost))
}

/// What is run for one launch of this job.
pub(super) struct Wanting<'a> {
    pub(super) engine: &'a Definition,
    pub(super) manifest: &'a Manifest,
    pub(super) session: SessionPlan<'a>,
    pub(super) prompt: &'a str,
    pub(super) cwd: &'a Path,
    pub(super) secrets: &'a BTreeMap<String, String>,
    pub(super) variables: &'a BTreeMap<String, String>,
}

/// Makes the invocation: arguments, complete environment, standard input.
pub(super) fn command(options: &Options, place: &Place, wanting: &Wanting<'_>) -> Result<Invocation, Trouble> {
    let yolo = wanting.manifest.yolo.or(options.yolo);
    // Nobody is told that an engine does not know what nobody asked for.
    let by_default = || options.confinement.level.lets_engines_loose() && !wanting.engine.approve.is_empty();
    let yolo = yolo.unwrap_or_else(by_default);
    Ok(invocation(
        wanting.engine,
        &Request {
            prompt: PromptText(wanting.prompt),
            prompt_file: &place.prompt,
            workspace: wanting.cwd,
            tmpdir: &place.tmp,
            home: None,
            fleet: &options.exe,
            model: wanting.manifest.model.as_deref(),
            max_turns: wanting.manifest.max_turns,
            max_usd: wanting.manifest.budget.and_then(|budget| budget.usd),
            approval: match &options.confinement.level {
                _ if yolo => Approval::Everything,
                Level::Landlock(_) => Approval::CarefulConfined,
                Level::Unconfined(_) => Approval::Careful,
            },
            runs_as: if nix::unistd::geteuid().is_root() { RunsAs::Root } else { RunsAs::User },
            session: wanting.session,
            environment: &options.environment,
            secrets: wanting.secrets,
            withheld: &secret::withheld(options),
            variables: wanting.variables,
        },
    )?)
}

/// The values of the secrets that the job names.
pub(super) async fn secrets(options: &Arc<Options>, manifest: &Manifest) -> Result<BTreeMap<String, String>, Trouble> {
    let (options, names) = (options.clone(), manifest.secrets.clone());
    Ok(blocking(move || secret::resolve(&names, &options)).await?)
}
