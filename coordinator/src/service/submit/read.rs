//! From the text of a task to what it shall run by: parsed, completed by profile, project and defaults, checked against
//! what this version can do. Looks at nothing but the text and the options.

use std::collections::BTreeMap;

use fleet_protocol::{
    ErrorCode, Manifest, Problem, Project,
    api::{Origin, SubmitPreview, SubmitQuery},
    manifest::{self, Effective, Givers, Mistakes, Reading, TaskFile, Trust, Unsupported},
};
use serde_json::json;

use crate::service::{
    core::{Options, ProfileSource},
    fingerprint::fingerprint,
    named,
};

/// A task as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskText {
    Markdown(String),
    Json(String),
}

impl TaskText {
    pub(super) fn source(&self) -> &str {
        match self {
            Self::Markdown(text) | Self::Json(text) => text,
        }
    }
}

/// A task that can be taken in.
#[derive(Debug, Clone)]
pub(super) struct Intake<'a> {
    pub(super) title: String,
    /// Completed.
    pub(super) manifest: Manifest,
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) warnings: Vec<String>,
    pub(super) body: String,
    pub(super) profile: Option<&'a ProfileSource>,
    /// The idempotency key, when it was derived from the content.
    pub(super) derived_key: Option<String>,
    pub(super) repo: Option<String>,
    /// The same for the same task, however it is written down.
    pub(super) fingerprint: String,
}

/// A task that cannot be taken in, and what is known of it all the same.
#[derive(Debug, Clone)]
pub(super) struct Unfit {
    pub(super) problem: Problem,
    pub(super) title: String,
    pub(super) manifest: Manifest,
    pub(super) body: String,
}

impl Intake<'_> {
    pub(super) fn preview(self) -> SubmitPreview {
        let Self { title, manifest, repo, origins, warnings, .. } = self;
        SubmitPreview { title, manifest, repo, origins, warnings }
    }
}

/// Makes sense of `text`; whatever is wrong with it is told at once.
pub(super) fn read<'a>(text: &TaskText, query: &SubmitQuery, options: &'a Options) -> Result<Intake<'a>, Box<Unfit>> {
    let name = query.file.as_deref().unwrap_or("task.md");
    let mut reading = examine(text, name)?;
    let is_malformed = !reading.mistakes().0.is_empty();
    let Judged { profile, project, effective } = judge(&mut reading, options);
    let mistakes = reading.mistakes();
    if !mistakes.0.is_empty() {
        // What is malformed may hold what must not be kept; its text alone is.
        let problem = refusal(&reading, &mistakes);
        return Err(if is_malformed {
            malformed(text, name, problem)
        } else {
            let TaskFile { title, manifest, body, .. } = reading.task;
            Box::new(Unfit { problem, title, manifest, body })
        });
    }
    let task = reading.task;
    // A project is nearer to the job than the place that it was submitted from.
    let standing = project.map(|project| project.repo.as_str()).or(query.repo.as_deref());
    let repo = manifest::repository(&task.manifest, standing);
    let fingerprint = content_of(&task, repo.as_deref());
    let mut manifest = effective.manifest;
    let wants_key = query.dedupe && manifest.idempotency_key.is_none();
    let derived_key = wants_key.then(|| format!("dedupe-{}", &fingerprint[..16]));
    if derived_key.is_some() {
        manifest.idempotency_key.clone_from(&derived_key);
    }
    Ok(Intake {
        title: task.title,
        manifest,
        origins: effective.origins,
        warnings: task.warnings.iter().map(ToString::to_string).collect(),
        body: task.body,
        profile,
        repo,
        fingerprint,
        derived_key,
    })
}

fn examine(text: &TaskText, name: &str) -> Result<Reading, Box<Unfit>> {
    match text {
        TaskText::Markdown(text) => Ok(manifest::examine(text, name)),
        TaskText::Json(json) => {
            let value = serde_json::from_str(json).map_err(|error| {
                let problem = Problem::new(ErrorCode::InvalidRequest, format!("the request is not JSON: {error}"));
                malformed(text, name, problem)
            })?;
            Ok(manifest::examine_json(&value, name))
        }
    }
}

/// A task of which nothing is known but its text.
fn malformed(text: &TaskText, name: &str, problem: Problem) -> Box<Unfit> {
    let title = manifest::parse("", name).map_or_else(|_| name.to_owned(), |empty| empty.title);
    let body = match text {
        TaskText::Markdown(text) => text.clone(),
        TaskText::Json(_) => String::new(),
    };
    Box::new(Unfit { problem, title, manifest: Manifest::default(), body })
}

fn refusal(reading: &Reading, mistakes: &Mistakes) -> Problem {
    // An untrusted task on this machine is not missing machinery only: it is what must never happen.
    let against_policy = reading.task.manifest.trust == Some(Trust::Untrusted);
    let code = if against_policy { ErrorCode::Forbidden } else { ErrorCode::InvalidRequest };
    Problem::new(code, mistakes.to_string()).with(json!({ "errors": mistakes }))
}

/// What a task runs by, as far as that is known.
struct Judged<'a> {
    profile: Option<&'a ProfileSource>,
    project: Option<&'a Project>,
    effective: Effective,
}

/// Adds what speaks against the job to what is wrong with its text. What the job would run by is judged, which is also
/// what comes back: a profile may ask for what the task does not.
fn judge<'a>(reading: &mut Reading, options: &'a Options) -> Judged<'a> {
    let manifest = reading.task.manifest.clone();
    let project = manifest.project.as_deref().filter(|_| !reading.is_wrong("project"));
    let project = project.and_then(|name| {
        let fault = |sentence| reading.fault("project", &["project"], sentence, Some(ON_PROJECTS.to_owned()));
        named::project(options, name).map_err(fault).ok()
    });
    let name = manifest.profile.as_deref().or_else(|| project?.profile.as_deref());
    let profile = name.filter(|_| !reading.is_wrong("profile")).and_then(|name| {
        let fault = |sentence| reading.fault("profile", &["profile", "project"], sentence, None);
        named::profile(options, name).map_err(fault).ok()
    });
    let givers = Givers { profile: profile.map(|source| &source.profile), project, defaults: &options.defaults };
    let effective = manifest::merge(manifest, givers);
    let engine = effective.manifest.engine.as_deref().filter(|_| !reading.is_wrong("engine"));
    if let Some(Err(sentence)) = engine.map(|name| named::engine(options, name)) {
        reading.fault("engine", &stands_at("engine", &effective), sentence, Some(ON_ENGINES.to_owned()));
    }
    for Unsupported { key, message } in manifest::unsupported(&effective.manifest) {
        reading.fault(key, &stands_at(key, &effective), message, None);
    }
    Judged { profile, project, effective }
}

/// The keys that gave this field its value, as the task file spells them: itself, or whoever gave it to the job.
fn stands_at<'k>(key: &'k str, effective: &Effective) -> Vec<&'k str> {
    match effective.origins.get(key) {
        Some(Origin::Profile) => vec!["profile", "project"],
        Some(Origin::Project) => vec!["project"],
        Some(Origin::Job) => vec![key],
        Some(Origin::Default) | None => Vec::new(),
    }
}

const ON_PROJECTS: &str = "`fleet project list` lists the projects; [projects.NAME] in fleet.toml makes one";
const ON_ENGINES: &str = "any program is an engine: a few lines of [engines.NAME] in fleet.toml name it";

fn content_of(task: &TaskFile, repo: Option<&str>) -> String {
    let content = serde_json::to_vec(&(&task.manifest, &task.body, repo)).expect("manifests and texts are JSON");
    fingerprint(&content)
}
