//! Makes the workspace of a run: a private clone of the base, or of the checkpoint that a run before left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use fleet_protocol::{JobId, convention::Convention};
use git2::{Oid, Repository};

use super::{
    checkpoint::Work,
    clone::{self, HeadAt, Seat},
    error::{During, WorkspaceError},
    folder, hook,
    program::{Git, Settings},
    record::{self, Record, Verdict},
    refs::{self, Expect},
    source::{Identity, Source},
    submodule,
    view::Area,
};

/// What to make.
#[derive(Debug, Clone)]
pub(crate) struct Prepare {
    /// The folder of the workspace; not there yet, or empty. Its parent is.
    pub(crate) dir: PathBuf,
    pub(crate) job: JobId,
    /// The job's branch, `fleet/<job>-<slug>`.
    pub(crate) branch: String,
    /// The commit to start from instead of the base: a checkpoint, in hex.
    pub(crate) start: Option<String>,
    /// The commit of the branch that the coordinator recorded last, in hex: only from there is the branch ever forced.
    pub(crate) recorded: Option<String>,
    /// Who commits; else the user, else a name of our own.
    pub(crate) identity: Option<Identity>,
    /// What messages of commits must look like.
    pub(crate) convention: Option<Convention>,
}

/// What is being done, for those who wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Clone,
    Checkout,
    Submodule(PathBuf),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clone => f.write_str("making a private clone"),
            Self::Checkout => f.write_str("checking out its files"),
            Self::Submodule(path) => write!(f, "filling the submodule {}", path.display()),
        }
    }
}

/// The private clone of one run.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    dir: PathBuf,
    pub(super) record: Record,
}

impl Workspace {
    /// Makes a workspace, telling `step` what takes its time. On an error nothing is left of it.
    ///
    /// # Errors
    /// [`WorkspaceError::DirtyWorkspace`] when the folder is in use; [`WorkspaceError::UnusableCheckpoint`] when only the
    /// commit to start from is at fault.
    pub(crate) fn prepare(
        source: &Source,
        wanted: Prepare,
        step: &mut dyn FnMut(Step),
    ) -> Result<Self, WorkspaceError> {
        let repo = source.repository()?;
        let start = start_commit(&repo, source, wanted.start.as_deref())?;
        let fresh = folder::claim(&wanted.dir)?;
        let dir = wanted.dir.clone();
        let base_ref = refs::base_ref(&wanted.job);
        let kept_before = refs::commit_of(&repo, &base_ref)?.is_some();
        let mut make = || -> Result<Self, WorkspaceError> {
            folder::begin(&dir, &source.git_dir)?;
            hold_start(&repo, &wanted.job, (start, source.base_commit))?;
            refs::set(&repo, &base_ref, source.base_commit, Expect::Anything)?;
            Maker { source, repo: &repo, wanted: &wanted, start }.make(step)
        };
        make().inspect_err(|_| {
            // Whoever dies here leaves the folder, which tells of the ref.
            if !kept_before && let Err(error) = refs::delete(&repo, &base_ref, source.base_commit) {
                tracing::warn!(name = base_ref, %error, "a ref that is of no use could not be taken away");
            }
            folder::discard(&dir, fresh);
        })
    }

    /// Opens a workspace that an earlier process made.
    pub(crate) fn open(dir: &Path) -> Result<Self, WorkspaceError> {
        let record = record::load(&dir.join("workspace.json"))?.ok_or_else(|| WorkspaceError::DirtyWorkspace {
            path: dir.to_owned(),
            reason: "there is no workspace.json in it".to_owned(),
        })?;
        Ok(Self { dir: dir.to_owned(), record })
    }

    /// The folder that holds everything of this workspace.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The top of the files.
    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// Where the agent starts: as deep in the tree as the user stood in theirs.
    pub(crate) fn cwd(&self) -> PathBuf {
        let inside = self.tree().join(&self.record.inside);
        if inside.is_dir() { inside } else { self.tree() }
    }

    pub(crate) fn job(&self) -> &JobId {
        &self.record.job
    }

    /// The branch that the agent finds itself on.
    pub(crate) fn branch(&self) -> &str {
        &self.record.branch
    }

    pub(crate) fn base(&self) -> &str {
        &self.record.base
    }

    pub(crate) fn base_commit(&self) -> Oid {
        self.record.base_commit
    }

    /// The commit that this run started from.
    pub(crate) fn start(&self) -> Oid {
        self.record.start
    }

    /// What a person should know about it: files that are pointers, submodules that are empty.
    pub(crate) fn notes(&self) -> &[String] {
        &self.record.notes
    }

    pub(super) fn verdict(&self) -> Result<Option<Verdict>, WorkspaceError> {
        record::load(&self.verdict_path())
    }

    pub(super) fn verdict_path(&self) -> PathBuf {
        self.dir.join("collected.json")
    }

    /// The user's repository.
    pub(super) fn repository(&self) -> Result<Repository, WorkspaceError> {
        super::source::open(&self.record.git_dir)
    }

    pub(super) fn main(&self) -> Work {
        let area = main_area(&self.dir, &self.record.git_dir);
        self.work(area, (self.record.start, self.record.base_commit), "saved".to_owned())
    }

    pub(super) fn submodules(&self) -> impl Iterator<Item = Work> {
        self.record.submodules.iter().enumerate().map(|(nth, module)| {
            let area = submodule::area(&self.dir, nth, module);
            self.work(area, (module.commit, module.commit), format!("saved-{nth}"))
        })
    }

    fn work(&self, area: Area, (start, base): (Oid, Oid), saved: String) -> Work {
        Work {
            area,
            job: self.record.job.clone(),
            start,
            base,
            identity: self.record.identity(),
            saved: self.dir.join(saved),
            before: self.dir.join("before"),
        }
    }
}

fn main_area(dir: &Path, git_dir: &Path) -> Area {
    Area { tree: dir.join("tree"), view: dir.join("view"), aside: dir.join("agent.git"), git_dir: git_dir.to_owned() }
}

/// The base, or the checkpoint if it can be started from.
fn start_commit(repo: &Repository, source: &Source, start: Option<&str>) -> Result<Oid, WorkspaceError> {
    let Some(start) = start else { return Ok(source.base_commit) };
    let unusable =
        |reason: &str| WorkspaceError::UnusableCheckpoint { commit: start.to_owned(), reason: reason.to_owned() };
    let oid = Oid::from_str(start).map_err(|_| unusable("it is no commit id"))?;
    let commit = repo.find_commit(oid).map_err(|error| unusable(error.message()))?;
    commit.tree().map_err(|error| unusable(error.message()))?;
    match repo.merge_base(oid, source.base_commit) {
        Ok(_) => Ok(oid),
        Err(_) => Err(unusable("it has no history in common with the base")),
    }
}

/// Makes the job's own ref hold what the run starts from, for nothing else may. The work of an earlier run that this one
/// does not go on with is kept beside.
fn hold_start(repo: &Repository, job: &JobId, (start, base): (Oid, Oid)) -> Result<(), WorkspaceError> {
    let wip = refs::wip_ref(job);
    let at = refs::commit_of(repo, &wip)?;
    let goes_on = match at {
        None => true,
        Some(at) if at == start => return Ok(()),
        // There is nothing to keep, and no work could be saved under a ref that leads nowhere.
        Some(at) if repo.find_commit(at).is_err() => false,
        Some(at) => repo.graph_descendant_of(start, at).during("read the history of", repo.path())?,
    };
    if let Some(at) = at.filter(|at| !goes_on && repo.find_commit(*at).is_ok()) {
        let beside = format!("{}{:.12}", refs::side_prefix(job), at.to_string());
        refs::set(repo, &beside, at, Expect::Anything)?;
    }
    match at {
        // The base needs no ref of the job's.
        _ if start == base && goes_on => Ok(()),
        Some(at) if start == base => refs::delete(repo, &wip, at).map(|_| ()),
        Some(at) => refs::set(repo, &wip, start, Expect::Commit(at)).map(|_| ()),
        None => refs::set(repo, &wip, start, Expect::Absent).map(|_| ()),
    }
}

struct Maker<'a> {
    source: &'a Source,
    repo: &'a Repository,
    wanted: &'a Prepare,
    start: Oid,
}

impl Maker<'_> {
    fn make(&self, step: &mut dyn FnMut(Step)) -> Result<Workspace, WorkspaceError> {
        step(Step::Clone);
        let dir = &self.wanted.dir;
        let area = main_area(dir, &self.source.git_dir);
        let objects = clone::object_folders(&self.source.git_dir.join("objects"));
        let exclude = clone::users_ignore_rules(self.repo);
        let shallow = fs::read(self.source.git_dir.join("shallow")).ok();
        let identity = self.identity()?;
        let seat = Seat {
            head: HeadAt::Branch(&self.wanted.branch),
            commit: self.start,
            refs: clone::context_refs(self.repo, (&self.source.base, self.source.base_commit), &self.wanted.branch)?,
            borrowed: &objects,
            identity: &identity,
            exclude: &exclude,
            shallow: shallow.as_deref(),
        };
        fs::create_dir(&area.tree).during("create", &area.tree)?;
        seat.make(&area.tree.join(".git"))?;
        hook::name_the_job(&area.tree.join(".git"), &self.wanted.job)?;
        step(Step::Checkout);
        checkout(&area.tree, self.start).map_err(|error| self.blame(error))?;
        area.make_view(&objects, &exclude, shallow.as_deref())?;
        let mut record = self.record(&identity);
        let mut modules = submodule::Populate { dir, source: self.source, identity: &identity, record: &mut record };
        modules.all(&area, step)?;
        record.notes.extend(lfs_note(&area)?);
        self.write_tips(&dir.join("before"))?;
        record::save(&dir.join("workspace.json"), &record)?;
        Ok(Workspace { dir: dir.clone(), record })
    }

    fn identity(&self) -> Result<Identity, WorkspaceError> {
        let given = match &self.wanted.identity {
            Some(identity) => Some(identity.clone()),
            None => self.source.identity()?,
        };
        Ok(given.unwrap_or_else(Identity::ours))
    }

    /// Notes what the repository's refs lead to now: none of that is this run's work.
    fn write_tips(&self, to: &Path) -> Result<(), WorkspaceError> {
        let path = self.repo.path();
        let mut lines = String::new();
        for reference in self.repo.references().during("list the refs of", path)? {
            let reference = reference.during("list the refs of", path)?;
            if let Some(target) = reference.target() {
                lines.push_str(&format!("{target} {}\n", String::from_utf8_lossy(reference.name_bytes())));
            }
        }
        fs::write(to, lines).during("write", to)
    }

    fn record(&self, identity: &Identity) -> Record {
        Record {
            job: self.wanted.job.clone(),
            git_dir: self.source.git_dir.clone(),
            inside: self.source.inside.clone(),
            branch: self.wanted.branch.clone(),
            base: self.source.base.clone(),
            base_commit: self.source.base_commit,
            recorded: self.wanted.recorded.clone(),
            start: self.start,
            name: identity.name.clone(),
            email: identity.email.clone(),
            convention: self.wanted.convention.clone(),
            submodules: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A checkout that failed for want of objects is the checkpoint's fault, if it started from one.
    fn blame(&self, error: WorkspaceError) -> WorkspaceError {
        if self.start == self.source.base_commit || is_whole(self.repo, self.start) {
            return error;
        }
        WorkspaceError::UnusableCheckpoint {
            commit: self.start.to_string(),
            reason: "some of its objects are gone".to_owned(),
        }
    }
}

/// Fills a tree and its index with a commit. What is in the way of a tracked file goes; nothing else does.
pub(super) fn checkout(tree: &Path, commit: Oid) -> Result<(), WorkspaceError> {
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    Git::new(tree, Settings::None, "read-tree")
        .setting("checkout.workers", &workers.to_string())
        .args(["-u", "--reset", &commit.to_string()])
        .run()
        .map(|_| ())
}

/// Whether everything in a commit's tree is there.
fn is_whole(repo: &Repository, commit: Oid) -> bool {
    let check = || -> Result<bool, git2::Error> {
        let odb = repo.odb()?;
        let mut whole = true;
        repo.find_commit(commit)?.tree()?.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
            whole &= entry.kind() == Some(git2::ObjectType::Commit) || odb.exists(entry.id());
            if whole { git2::TreeWalkResult::Ok } else { git2::TreeWalkResult::Abort }
        })?;
        Ok(whole)
    };
    check().unwrap_or(false)
}

/// Says when files are kept by Git LFS: their content is not here, only what points to it.
fn lfs_note(area: &Area) -> Result<Option<String>, WorkspaceError> {
    let view = area.open()?;
    let index = view.index().during("read the index of", &area.view)?;
    let attributes =
        index.iter().filter(|entry| entry.path.rsplit(|byte| *byte == b'/').next() == Some(b".gitattributes"));
    let uses_lfs =
        |id| view.find_blob(id).is_ok_and(|blob| blob.content().windows(10).any(|part| part == b"filter=lfs"));
    let found = attributes.into_iter().any(|entry| uses_lfs(entry.id));
    Ok(found.then(|| {
        "this repository uses Git LFS; its large files are pointers here (a task that needs them runs `git lfs pull`, \
         with a remote of its own)"
            .to_owned()
    }))
}
